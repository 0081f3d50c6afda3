"""text/enriched (RFC 1896) and its forerunner text/richtext (RFC 1341, section 7.1.3), read as plain text."""

import re

_MARK = re.compile(r"<<|<(/?)(param|comment|nl|np|lt)>|</?[A-Za-z0-9-]{1,60}>|\n+", re.IGNORECASE)
_UNSEEN = re.compile(r"<(param|comment)>.*?(?:</\1>|\Z)", re.IGNORECASE | re.DOTALL)
_SHOWN = {"<<": "<", "<lt>": "<", "<nl>": "\n", "<np>": "\n\n"}


def from_enriched(text: str) -> str:
    """The words, without their formatting: n line ends are n - 1, and one alone is a space."""

    def shown(mark: re.Match[str]) -> str:
        if mark[0].startswith("\n"):
            return "\n" * (len(mark[0]) - 1) or " "
        return _SHOWN.get(mark[0].lower(), "")

    return _MARK.sub(shown, _UNSEEN.sub("", text.replace("\r\n", "\n")))
