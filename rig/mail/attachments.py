"""The attachments that the product finds in a message, with their sizes."""

from woomera_milter.message.mime.attachments import Attachment, named_attachments
from woomera_milter.message.mime.transfer import decoded_size_bytes
from woomera_milter.message.mime.tree import WINDOW_BYTES, Part


def attachments(fd: int, root: Part, *, window_bytes: int = WINDOW_BYTES) -> list[Attachment]:
    """Return them in the order of the message."""
    return [
        named.attachment(decoded_size_bytes(fd, named.part, window_bytes=window_bytes))
        for named in named_attachments(fd, root)
    ]
