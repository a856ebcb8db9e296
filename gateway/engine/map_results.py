"""What a map run leaves: the list of its children's outputs, or files in S3 as ResultWriter wants.

Results are read in pages and written in files of some megabytes, so that a run of any size takes
the memory of one. The files' names follow from the run, so writing them again changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, Final, TypeAlias

import orjson

from gateway.asl.context import iso
from gateway.asl.flow import MAX_DOCUMENT_BYTES
from gateway.store.map_runs import ItemResult, MapRunRow
from gateway.store.protocol import Store
from gateway.tasks.s3 import S3

Json: TypeAlias = Any

_PAGE: Final = 200
_FILE_BYTES: Final = 8 * 1024 * 1024


class MapResults:
    """The results of one map run."""

    def __init__(self, store: Store, s3: S3, run: MapRunRow, writer: dict[str, Json]) -> None:
        """``writer`` is the evaluated ResultWriter, empty where the state has none."""
        self._store = store
        self._s3 = s3
        self._run = run
        self._parameters: dict[str, Json] | None = writer.get("parameters")
        self._form = writer.get("Transformation") or ("NONE" if writer else "COMPACT")
        self._lines = writer.get("OutputType") == "JSONL"

    @property
    def to_files(self) -> bool:
        """Whether they are written to S3."""
        return self._parameters is not None

    async def output(self) -> Json:
        """What the state comes to: the outputs in the order of the items (None where they are too
        large), or where they were written. Raises S3Failed."""
        if self._parameters is not None:
            return await self.write()
        texts: list[bytes] = []
        size = 0
        async with aclosing(self._read()) as results:
            async for result in results:
                if result.status == "SUCCEEDED":
                    for text in self._formed(result):
                        texts.append(text)
                        size += len(text) + 1
                if size > MAX_DOCUMENT_BYTES:
                    return None
        return orjson.loads(b"[" + b",".join(texts) + b"]")

    async def write(self, pending: AsyncIterator[ItemResult] | None = None) -> Json:
        """Write the files; where they are. ``pending`` are children that were never started. Raises
        S3Failed."""
        assert self._parameters is not None, "only a ResultWriter with a place has files"
        bucket, prefix = self._parameters["Bucket"], self._parameters.get("Prefix", "")
        prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
        base = f"{prefix}{self._run.arn.rpartition(':')[2]}/"
        kind = "jsonl" if self._lines else "json"
        succeeded = _Files(self._s3, bucket, f"{base}SUCCEEDED_{{}}.{kind}", lines=self._lines)
        failed = _Files(self._s3, bucket, f"{base}FAILED_{{}}.json")
        async with aclosing(self._read()) as results:
            async for result in results:
                if result.status == "SUCCEEDED":
                    for text in self._formed(result):
                        await succeeded.add(text)
                elif result.status != "RUNNING":
                    await failed.add(orjson.dumps(_described(result)))
        waiting = _Files(self._s3, bucket, f"{base}PENDING_{{}}.json")
        if pending is not None:
            async for result in pending:
                await waiting.add(orjson.dumps(_described(result)))
        files = {
            "FAILED": await failed.close(),
            "PENDING": await waiting.close(),
            "SUCCEEDED": await succeeded.close(),
        }
        manifest = {
            "DestinationBucket": bucket,
            "MapRunArn": self._run.arn,
            "ResultFiles": files,
        }
        key = f"{base}manifest.json"
        await self._s3.put(bucket, key, orjson.dumps(manifest))
        details = {"Bucket": bucket, "Key": key}
        return {"MapRunArn": self._run.arn, "ResultWriterDetails": details}

    async def _read(self) -> AsyncGenerator[ItemResult, None]:
        after = -1
        while True:
            page = await self._store.map_results(
                self._run.execution, self._run.number, after, _PAGE
            )
            for result in page:
                yield result
            if len(page) < _PAGE:
                return
            after = page[-1].item

    def _formed(self, result: ItemResult) -> Iterator[bytes]:
        """What a child that succeeded has in the results."""
        output = result.output or "null"
        if self._form == "NONE":
            yield orjson.dumps(_described(result))
        elif self._form == "FLATTEN" and output.startswith("["):
            yield from map(orjson.dumps, orjson.loads(output))
        else:
            yield output.encode()


class _Files:
    """The result files of one status, one after the other."""

    def __init__(self, s3: S3, bucket: str, key: str, *, lines: bool = False) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._lines = lines
        self._held: list[bytes] = []
        self._size = 0
        self._files: list[dict[str, Json]] = []

    async def add(self, text: bytes) -> None:
        """One more result; a file is written when it is large enough."""
        self._held.append(text)
        self._size += len(text) + 1
        if self._size >= _FILE_BYTES:
            await self._write()

    async def close(self) -> list[dict[str, Json]]:
        """Write the rest; Key and Size of each file."""
        if self._held:
            await self._write()
        return self._files

    async def _write(self) -> None:
        held, self._held, self._size = self._held, [], 0
        body = b"\n".join(held) if self._lines else b"[" + b",".join(held) + b"]"
        key = self._key.format(len(self._files))
        await self._s3.put(self._bucket, key, body)
        self._files.append({"Key": key, "Size": len(body)})


def _described(result: ItemResult) -> dict[str, Json]:
    """A child as AWS describes it in its files; an Express one has no execution to name."""
    included = {"Included": True}
    redrivable = result.status not in {"SUCCEEDED", "PENDING"}
    members = {
        "Cause": result.cause,
        "Error": result.error,
        "ExecutionArn": result.arn,
        "Input": result.input,
        "InputDetails": included,
        "Name": result.name,
        "Output": result.output,
        "OutputDetails": None if result.output is None else included,
        "RedriveCount": result.redrives,
        "RedriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
        "RedriveStatusReason": None
        if redrivable
        else f"Execution is {result.status} and cannot be redriven",
        "StartDate": None if result.start_at is None else iso(result.start_at),
        "StateMachineArn": result.machine_arn,
        "Status": result.status,
        "StopDate": None if result.stop_at is None else iso(result.stop_at),
    }
    return {name: value for name, value in members.items() if value is not None}
