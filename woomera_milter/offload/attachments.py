"""Attachments as files of their own, stored beside the message while it is read."""

from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.errors import DeadlineError, WoomeraError
from woomera_milter.message.mime.attachments import Attachment, NamedPart, named_attachments
from woomera_milter.message.mime.transfer import decoded_chunks, decoded_size_bytes
from woomera_milter.message.mime.tree import Part
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.offload.source import Source, Upload
from woomera_milter.offload.uploads import Workers, outcome
from woomera_milter.store.keys import attachment_key
from woomera_milter.store.objects import Store, StoredObject

WINDOW_BYTES = 128 * 1024  # of a body that is decoded: what many messages at once may hold
_WHAT = "attachment links"


class AttachmentUploads:
    """Stores attachments. Safe to use from many threads at once."""

    def __init__(self, settings: config.Links, store: Store, workers: Workers) -> None:
        self._settings = settings
        self._store = store
        self._workers = workers

    def begin(self, source: Source, root: Part, deadline: Deadline, *, are_linked: bool) -> list[Upload]:
        """Decode the attachments that get a link, the first links.max_attachments, and start to store them.

        Decoding tells their sizes too, so that their octets are gone through but once. Raise DeadlineError
        where that takes too long; nothing of them is stored then.
        """
        last_linked = self._settings.max_attachments if are_linked and self._settings.attachments else 0
        begun: list[Upload] = []
        try:
            for number, named in enumerate(named_attachments(source.message.fileno(), root), 1):
                deadline.check("reading attachments")
                begun.append(self._begun(source, number, named, deadline, number <= last_linked))
        except BaseException:
            for upload in begun:
                upload.cancel()
            raise
        return begun

    def _begun(
        self, source: Source, number: int, named: NamedPart, deadline: Deadline, is_linked: bool
    ) -> Upload:
        decoded = _decoded(source, named.part, deadline) if is_linked else None
        if decoded is None:
            size_bytes = decoded_size_bytes(source.message.fileno(), named.part, window_bytes=WINDOW_BYTES)
            return Upload(named.attachment(size_bytes))
        attachment = named.attachment(decoded.size_bytes)
        key = attachment_key(source.id, source.received_at, number, attachment.name)
        return Upload(
            attachment,
            self._workers.begin(decoded, partial(self._store_one, key, attachment, decoded, deadline)),
        )

    def _store_one(
        self, key: str, attachment: Attachment, decoded: SpooledMessage, deadline: Deadline
    ) -> StoredObject:
        deadline.check("storing attachments")
        return self._store.put(
            key,
            decoded,
            attachment.content_type,
            deadline,
            datetime.now(UTC),
            file_name=attachment.name,
            with_md5=False,  # the whole of it is in the message, which has one
        )

    def finish(self, source: Source, uploads: Sequence[Upload], deadline: Deadline) -> list[Upload]:
        """Return them with what was stored by the deadline, and stays long enough for a link.

        The others would end the message's link as well.
        """
        wait([it.future for it in uploads if it.future], max(deadline.remaining_s, 0.0))
        done = [replace(it, stored=outcome(source, _WHAT, it.future)) if it.future else it for it in uploads]
        least = datetime.now(UTC) + self._settings.minimum
        lasting = [it if _stays(it, least) else Upload(it.attachment) for it in done]
        if lasting != done:
            why = "the bucket's lifecycle deletes it sooner than links.minimum allows"
            source.lacks(_WHAT, why)
        return lasting


def _stays(upload: Upload, least: datetime) -> bool:
    return upload.stored is None or upload.stored.ends_at >= least


def _decoded(source: Source, part: Part, deadline: Deadline) -> SpooledMessage | None:
    """Return an attachment in the spool (S3 wants length and digest first), None if it cannot be had."""
    decoded: SpooledMessage | None = None
    try:
        decoded = source.message.beside()
        for chunk in decoded_chunks(source.message.fileno(), part, window_bytes=WINDOW_BYTES):
            deadline.check("decoding attachments")
            decoded.write(chunk)
    except DeadlineError:
        if decoded:
            decoded.close()
        raise
    except WoomeraError as error:
        source.lacks(_WHAT, str(error))
        if decoded:
            decoded.close()
        return None
    return decoded
