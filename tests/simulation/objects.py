"""S3, as readers and writers of Distributed Maps see it: the product's own code over a bucket that
fails, breaks off in the middle of an object, and writes what it says it did not write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import trio
from botocore.exceptions import ClientError, IncompleteReadError

from gateway.tasks.s3 import S3
from tests.simulation.trace import Trace

T = TypeVar("T")
SLOW_DOWN = "SlowDown"
ITEMS = 3
"""In each object that can be read; the items are the numbers from one."""
_OBJECTS = {
    "items.json": b"[1, 2, 3]",
    "items.jsonl": b"1\n2\n3\n",
    "items.csv": b"n\n1\n2\n3\n",
    "broken.json": b"[1, 2",
    **{f"list/{n}": b"" for n in (1, 2, 3)},
}


class Bucket:
    """A client of boto3 and all objects that there are."""

    def __init__(self, dice: Random, trace: Trace) -> None:
        self.trouble = 0.0
        self.objects: dict[str, bytes] = dict(_OBJECTS)
        self._dice = dice
        self._trace = trace

    def _call(self, operation: str) -> None:
        if self._dice.random() < self.trouble:
            self._trace.seen("S3: a call fails")
            raise _refusal(SLOW_DOWN, 503, operation)

    def get_object(self, *, Key: str, Range: str = "", **_: str) -> dict[str, Any]:
        """From where Range says."""
        self._call("GetObject")
        if Key not in self.objects:
            raise _refusal("NoSuchKey", 404, "GetObject")
        offset = int(Range.removeprefix("bytes=").removesuffix("-") or 0)
        rest = self.objects[Key][offset:]
        return {"ETag": "one", "Body": _Body(rest, self)}

    def put_object(self, *, Key: str, Body: bytes, **_: str) -> None:
        """Done, also where it says that it is not."""
        written = self._dice.random() < 0.5
        if not written:
            self._call("PutObject")
        self.objects[Key] = Body
        if written:
            self._call("PutObject")

    def get_paginator(self, _operation: str) -> Bucket:
        """Of list_objects_v2."""
        return self

    def paginate(self, *, Prefix: str, **_: str) -> Iterator[dict[str, Any]]:
        """Two objects a page."""
        keys = [key for key in sorted(self.objects) if key.startswith(Prefix)]
        for place in range(0, len(keys), 2):
            self._call("ListObjectsV2")
            yield {"Contents": [_listed(key) for key in keys[place : place + 2]]}

    def breaks_off(self) -> bool:
        """Whether a connection is lost just now."""
        lost = self._dice.random() < self.trouble
        if lost:
            self._trace.seen("S3: a body breaks off")
        return lost


class _Body:
    def __init__(self, rest: bytes, bucket: Bucket) -> None:
        self._rest = rest
        self._bucket = bucket

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, amount: int) -> bytes:
        if self._bucket.breaks_off():
            raise IncompleteReadError(actual_bytes=0, expected_bytes=len(self._rest))
        chunk, self._rest = self._rest[:amount], self._rest[amount:]
        return chunk


def _listed(key: str) -> dict[str, Any]:
    return {"ETag": "one", "Key": key, "LastModified": datetime(2024, 1, 1, tzinfo=UTC), "Size": 0}


def _refusal(code: str, status: int, operation: str) -> ClientError:
    about = {"HTTPStatusCode": status, "RequestId": "r"}
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": about}, operation
    )


class SlowS3(S3):
    """The product's, with a client that is ours; a thread takes its time and may be given up."""

    def __init__(self, bucket: Bucket, dice: Random) -> None:
        super().__init__("us-east-1")
        self._bucket = bucket
        self._dice = dice

    def _client(self) -> Bucket:
        return self._bucket

    async def next_of(self, work: Callable[[], T]) -> T:
        """As in a thread."""
        await trio.sleep(self._dice.choice((0, 0, 0, 0.01, 3)))
        return work()
