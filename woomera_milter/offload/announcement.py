"""What a notice tells, out of what `offload` found and stored."""

from woomera_milter.notice.notice import AttachmentFact, Facts
from woomera_milter.offload.offload import Offloaded


def facts_of(offloaded: Offloaded, envelope_sender: str, limit_bytes: int) -> Facts:
    """Return the facts of a stored message."""
    contents = offloaded.contents
    return Facts(
        id=offloaded.id,
        header_from=contents.headers.header_from or envelope_sender,
        subject=contents.headers.subject,
        date=contents.headers.date,
        size_bytes=offloaded.size_bytes,
        limit_bytes=limit_bytes,
        attachments=[
            AttachmentFact(it.attachment.name, it.attachment.content_type, it.attachment.size_bytes, it.link)
            for it in offloaded.attachments
        ],
        text=contents.text.text,
        text_truncated=contents.text.truncated,
        protection=contents.protection,
    )
