"""Paragraphs of format=flowed (RFC 3676): lines that a mailer broke become whole again."""

_SIGNATURE = "-- "


def unflowed(text: str, delsp: bool) -> str:
    """`text` (its lines end in LF) with one line a paragraph; with `delsp` the blank before a break goes."""
    lines: list[str] = []
    paragraph: list[str] = []
    paragraph_depth = 0

    def end_paragraph() -> None:
        if paragraph:
            lines.append(_quoted("".join(paragraph), paragraph_depth))
            paragraph.clear()

    for line in text.split("\n"):
        unquoted = line.lstrip(">")
        depth = len(line) - len(unquoted)
        words = unquoted.removeprefix(" ")  # section 4.4: space-stuffing
        if depth != paragraph_depth or words in ("", _SIGNATURE):
            end_paragraph()
        paragraph_depth = depth
        is_flowed = words.endswith(" ") and words != _SIGNATURE
        paragraph.append(words[:-1] if is_flowed and delsp else words)
        if not is_flowed:
            end_paragraph()
    end_paragraph()
    return "\n".join(lines)


def _quoted(words: str, depth: int) -> str:
    """One paragraph; what is no quotation keeps a stuffed ">" apart from one."""
    if not depth:
        return words if words == _SIGNATURE else words.rstrip(" ")
    return f"{'>' * depth} {words}".rstrip(" ")
