"""S3, as ItemReader and ResultWriter of a Distributed Map use it, in threads.

An object is streamed. Its connection may be cut while the map run waits for room, so reading goes
on from where it was, in the same object (ETag).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from threading import Lock
from typing import Any, Final, TypeAlias, TypeVar

import orjson
import trio

from gateway.tasks.item_formats import (
    BadItems,
    csv_items,
    gunzipped,
    items_of,
    manifest_files,
    whole,
)

Json: TypeAlias = Any
T = TypeVar("T")

_THREADS: Final = 16
_CHUNK_BYTES: Final = 256 * 1024
_REOPENED_MOST: Final = 5
"""Times in a row that reading begins again without having got anything."""
_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 60


class S3Failed(Exception):
    """S3 refused or did not answer, or an object does not hold what it should; in words."""


class S3:
    """A boto3 client that is built on first use, in the thread that needs it.

    Region, credentials and endpoint come from the standard AWS environment and profile.
    """

    def __init__(self, fallback_region: str) -> None:
        """``fallback_region`` counts where the environment names none."""
        self._fallback_region = fallback_region
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._lock = Lock()
        self._built: Any = None

    def items(self, reader: dict[str, Json]) -> Iterator[Json]:
        """What the evaluated ItemReader finds. It blocks: see ``next_of``. Raises S3Failed."""
        with _told():
            found = self._all_items(reader)
            yield from islice(found, reader.get("MaxItems") or None)

    async def next_of(self, work: Callable[[], T]) -> T:
        """Do in a thread what iterates over ``items``."""
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """Write an object. Raises S3Failed."""
        await self.next_of(partial(self._put, bucket, key, body))

    def _put(self, bucket: str, key: str, body: bytes) -> None:
        with _told():
            self._client().put_object(Bucket=bucket, Key=key, Body=body)

    def _all_items(self, reader: dict[str, Json]) -> Iterator[Json]:
        parameters = reader.get("parameters", {})
        if reader["resource"].endswith(":listObjectsV2"):
            listed = self._listed(parameters)
            if reader.get("Transformation") != "LOAD_AND_FLATTEN":
                return listed
            files = ((parameters["Bucket"], each["Key"]) for each in listed)
            return self._in_files(files, reader)
        chunks = self._chunks(parameters)
        if reader.get("ManifestType") == "ATHENA_DATA":
            return self._in_files(manifest_files(chunks), reader)
        if reader["InputType"] == "MANIFEST" or reader.get("ManifestType") == "S3_INVENTORY":
            return self._inventory(chunks)
        return items_of(chunks, reader)

    def _in_files(
        self, files: Iterable[tuple[str, str]], reader: dict[str, Json]
    ) -> Iterator[Json]:
        """The items of each of these files (bucket and key), which may be compressed."""
        for bucket, key in files:
            chunks = self._chunks({"Bucket": bucket, "Key": key})
            yield from items_of(gunzipped(chunks) if key.endswith(".gz") else chunks, reader)

    def _listed(self, parameters: dict[str, Json]) -> Iterator[Json]:
        """The objects, with the members that AWS gives them."""
        pages = self._client().get_paginator("list_objects_v2").paginate(**parameters)
        for page in pages:
            for found in page.get("Contents", ()):
                yield {
                    "Etag": found["ETag"],
                    "Key": found["Key"],
                    "LastModified": int(found["LastModified"].timestamp()),
                    "Size": found["Size"],
                    "StorageClass": found.get("StorageClass", "STANDARD"),
                }

    def _inventory(self, chunks: Iterator[bytes]) -> Iterator[Json]:
        """The rows of all files that the manifest of an S3 inventory names."""
        try:
            manifest = orjson.loads(whole(chunks))
            bucket = manifest["destinationBucket"].rpartition(":")[2]
            headers = [name.strip() for name in manifest["fileSchema"].split(",")]
            keys = [file["key"] for file in manifest["files"]]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise BadItems(f"The manifest is not one of an S3 inventory: {error!r}") from None
        for key in keys:
            file = gunzipped(self._chunks({"Bucket": bucket, "Key": key}))
            yield from csv_items(file, {"CSVHeaderLocation": "GIVEN", "CSVHeaders": headers})

    def _chunks(self, parameters: dict[str, Json]) -> Iterator[bytes]:
        from botocore.exceptions import HTTPClientError, IncompleteReadError
        from urllib3.exceptions import HTTPError

        offset, reopened = 0, 0
        same: dict[str, str] = {}
        while True:
            where = {**same, "Range": f"bytes={offset}-"} if offset else {}
            answer = self._client().get_object(**parameters, **where)
            same = {"IfMatch": answer["ETag"]}
            try:
                with answer["Body"] as body:
                    while chunk := body.read(_CHUNK_BYTES):
                        offset, reopened = offset + len(chunk), 0
                        yield chunk
            except (HTTPClientError, IncompleteReadError, HTTPError, OSError):
                reopened += 1
                if reopened > _REOPENED_MOST:
                    raise
            else:
                return

    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        with self._lock:
            if self._built is None:
                session = boto3.Session()
                self._built = session.client(
                    "s3",
                    region_name=session.region_name or self._fallback_region,
                    config=Config(
                        connect_timeout=_CONNECT_SECONDS,
                        read_timeout=_READ_SECONDS,
                        s3={"addressing_style": "path"} if _elsewhere(session) else {},
                    ),
                )
            return self._built


def _elsewhere(session: Any) -> bool:
    """Whether it is not AWS's own S3: a stand-in has no host name for each bucket."""
    return "amazonaws.com" not in session.client("s3", region_name="us-east-1").meta.endpoint_url


@contextmanager
def _told() -> Iterator[None]:
    """Say in one way what went wrong."""
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as failure:
        raise S3Failed(_in_words(failure.response)) from None
    except BadItems as failure:
        raise S3Failed(str(failure)) from None
    except (BotoCoreError, HTTPError, OSError) as failure:
        raise S3Failed(f"{type(failure).__name__}: {failure}") from None


def _in_words(response: dict[str, Any]) -> str:
    error, about = response.get("Error", {}), response.get("ResponseMetadata", {})
    facts = {
        "Service": "Amazon S3",
        "Status Code": about.get("HTTPStatusCode"),
        "Error Code": error.get("Code"),
        "Request ID": about.get("RequestId"),
    }
    listed = "; ".join(f"{name}: {value}" for name, value in facts.items())
    return f"{error.get('Message')} ({listed})"
