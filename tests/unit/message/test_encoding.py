"""Fields made fit for SES: a domain beyond ASCII stays the same domain, or no address at all."""

import pytest

from woomera_milter.message.encoding import safe_field
from woomera_milter.message.fields import HeaderField


def safe(value: str) -> str:
    field = safe_field(HeaderField("From", f" {value}".encode()))
    assert field is not None
    return field.value.decode("ascii").strip()


@pytest.mark.parametrize(
    ("domain", "ascii_domain"),
    [
        pytest.param("straße.de", "xn--strae-oqa.de", id="sharp s, of which IDNA 2003 made ss"),
        pytest.param("Bücher.Example", "xn--bcher-kva.example", id="capitals"),
        pytest.param("βόλος.com", "xn--nxasmm1c.com", id="final sigma"),
        pytest.param("例え。jp", "xn--r8jz45g.jp", id="ideographic full stop"),
        pytest.param("\uff42ücher.example", "xn--bcher-kva.example", id="full-width letter"),
    ],
)
def test_domain_beyond_ascii_becomes_the_one_that_idna_2008_means(domain: str, ascii_domain: str) -> None:
    assert safe(f"J <j@{domain}>") == f"J <j@{ascii_domain}>"
    assert safe(f"j@{domain}") == f"j@{ascii_domain}"


@pytest.mark.parametrize(
    "domain",
    [
        pytest.param("_dmarc.ü.de", id="underscore"),
        pytest.param("-x.ü.de", id="hyphen first"),
        pytest.param("☃.example", id="no letter"),
        pytest.param("ü" * 64 + ".de", id="label too long"),
        pytest.param("ü..de", id="empty label"),
    ],
)
def test_domain_that_idna_2008_refuses_becomes_the_name_of_an_empty_group(domain: str) -> None:
    value = safe(f"<j@{domain}>")

    assert value.startswith("=?utf-8?")
    assert value.endswith(" :;")
    assert "@" not in value
