"""A log is read by people and by monitors: nobody else puts a line or a word of his own into it."""

import io

import pytest

from woomera_milter import log


def test_what_others_wrote_is_quoted_and_begins_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    stream = io.StringIO()
    log.set_up("info")
    log.write_to(stream)
    log.not_archived("new/1\n-: intercepted id=x", "read", 'no "such"\x1b[2J\u2028file answer=pass')
    assert stream.getvalue() == (
        r'-: not-archived name="new/1\n-: intercepted id=x" reason=read '
        r'problem="no \"such\"\u001b[2J\u2028file answer=pass"' + "\n"
    )
