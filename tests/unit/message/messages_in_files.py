"""Messages that lie in a file, with others before and behind them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from woomera_milter.message.wire import Form, WireMessage


@contextmanager
def message_in_file(folder: Path, content: bytes, form: Form, before: bytes = b"") -> Iterator[WireMessage]:
    path = folder / "file"
    path.write_bytes(before + content + b"\nwhat follows is another's")
    fd = os.open(path, os.O_RDONLY)
    try:
        yield WireMessage(fd, len(before), len(before) + len(content), form)
    finally:
        os.close(fd)
