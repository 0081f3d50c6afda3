"""An offloaded message -> its notice."""

from woomera_milter.notice import new_message
from woomera_milter.notice.new_message import Heading
from woomera_milter.notice.notice import Composer, Notice
from woomera_milter.offload.source import Offloaded


def compose(composer: Composer, offloaded: Offloaded, header_bytes: int) -> Notice:
    """Return the notice, to go with these octets of header fields. Raise PermanentError if too large."""
    return composer.compose(offloaded.original, offloaded.links, offloaded.links_expire_at, header_bytes)


def as_message(composer: Composer, offloaded: Offloaded, heading: Heading) -> bytes:
    """Return the notice as a message of its own, in wire form; raises what `compose` does."""
    return new_message.message(heading, compose(composer, offloaded, heading.relayed_bytes))
