"""The bucket as the rig's checks see it: its keys, and what they hold."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef


class Bucket:
    """Reads and empties a bucket with a client of the server's own keys."""

    def __init__(self, client: "S3Client", name: str) -> None:
        """The client stays the caller's, who closes it."""
        self._client = client
        self.name = name

    def list_keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin with `prefix`, in order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """Return what is stored under `key`."""
        return self._client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def facts(self, key: str) -> "HeadObjectOutputTypeDef":
        """Return what HEAD tells of `key`: length, type, metadata."""
        return self._client.head_object(Bucket=self.name, Key=key)

    def clear(self) -> None:
        """Delete everything."""
        for key in self.list_keys():
            self._client.delete_object(Bucket=self.name, Key=key)
