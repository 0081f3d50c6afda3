"""An address as the MTA names it."""

import pytest

from woomera_milter.message.envelope import address_in


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("<jörg@bücher.example>", "jörg@bücher.example"),
        ("<jörg@bücher.example> SMTPUTF8 BODY=8BITMIME SIZE=12", "jörg@bücher.example"),  # sendmail 8.17.1
        ('<"a> \\" b"@example.com> NOTIFY=NEVER ORCPT=rfc822;a>b', '"a> \\" b"@example.com'),
        ('<"a> b"@example.com>', '"a> b"@example.com'),
        ("<> SIZE=12", ""),
        ("root", "root"),
        ("<j\udcf6rg@example.com>", "j\ufffdrg@example.com"),  # ISO 8859-1, as no SMTPUTF8 has it
    ],
)
def test_address_is_taken_without_what_stands_around_it(path: str, address: str) -> None:
    assert address_in(path) == address


def test_quotes_without_an_end_cost_little() -> None:
    address_in("<" + '"' * 100_001 + "> x")
    address_in('<"' + "\\" * 100_000 + "> x")
