"""What a sender wrote is shown on one line that leads nowhere."""

import pytest

from woomera_milter.text import wording


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://evil.example/", "see https:// evil.example/"),
        ("see www.evil.example", "see www. evil.example"),
        ("WWW.evil.example (new)", "WWW. evil.example (new)"),
        ("<www.evil.example>", "<www. evil.example>"),
        ("http://www.evil.example", "http:// www. evil.example"),
        ("user@www.example.com", "user@www.example.com"),
        ("awww.that is www. or wwww.x", "awww.that is www. or wwww.x"),
        ("my.www.pdf", "my.www.pdf"),
    ],
)
def test_what_mail_programs_make_links_of_is_taken_apart(text: str, shown: str) -> None:
    assert wording.one_line(text) == shown


def test_a_long_line_of_beginnings_costs_no_more_than_its_length() -> None:
    assert len(wording.one_line("www." * 1_000_000)) == 301
