"""What the files of an ItemReader hold: chunks of bytes to items, as far as the format allows
without holding the whole. Pure.

Every mistake of a file is a ``BadItems`` with the cause that the map run fails with.
"""

from __future__ import annotations

import codecs
import csv
import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import orjson

from gateway.json_text import loads

Json: TypeAlias = Any
Config: TypeAlias = dict[str, Json]
Chunks: TypeAlias = Iterable[bytes]

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a file that has to be held as a whole, and of one item in a file that is streamed."""
_DELIMITERS: Final = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
_NOT_ITERABLE: Final = "Attempting to map over non-iterable node."
_SPACE: Final = " \t\n\r"
_OF_NUMBERS: Final = "+-.eE0123456789"


class BadItems(Exception):
    """The file does not hold what it should."""


def items_of(chunks: Chunks, config: Config) -> Iterator[Json]:
    """The items of a file in the format that ReaderConfig names."""
    match config["InputType"]:
        case "CSV":
            return csv_items(chunks, config)
        case "JSONL":
            return jsonl_items(chunks)
        case _:
            return json_items(chunks, config.get("ItemsPointer", ""))


def csv_items(chunks: Chunks, config: Config) -> Iterator[Json]:
    """One object for each row: what a row has too little is empty, what it has too much is gone."""
    delimiter = _DELIMITERS[config.get("CSVDelimiter", "COMMA")]
    rows = csv.reader(_lines(_text(chunks)), delimiter=delimiter)
    try:
        given = config.get("CSVHeaderLocation") == "GIVEN"
        headers = config["CSVHeaders"] if given else next(rows, [])
        if len(set(headers)) < len(headers):
            raise BadItems("CSV headers cannot contain duplicates.")
        for row in rows:
            if row:
                missing = len(headers) - len(row)
                yield dict(zip(headers, row + [""] * missing, strict=False))
    except csv.Error as error:
        raise BadItems(f"The CSV file cannot be read: {error}") from None


def jsonl_items(chunks: Chunks) -> Iterator[Json]:
    """One JSON document in each line."""
    for number, line in enumerate(_lines(_text(chunks)), 1):
        if line.strip():
            yield _document(line, f"line {number}")


def json_items(chunks: Chunks, pointer: str) -> Iterator[Json]:
    """The elements of the list that the file is, or to which the JSON pointer leads."""
    if not pointer:
        return _Elements(_text(chunks)).read()
    found = _document(whole(chunks), "the file")
    for step in pointer.removeprefix("/").split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(key)] if isinstance(found, list) else found[key]
        except (LookupError, TypeError, ValueError):
            raise BadItems(f"The ItemsPointer {pointer} leads nowhere in the file.") from None
    if not isinstance(found, list):
        raise BadItems(_NOT_ITERABLE)
    return iter(found)


def manifest_files(chunks: Chunks) -> Iterator[tuple[str, str]]:
    """Bucket and key of the files that a manifest of Athena names: a URI in each line."""
    for line in _lines(_text(chunks)):
        if uri := line.strip().strip('"'):
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            if not uri.startswith("s3://") or not key:
                raise BadItems(f"The manifest names what is no file in S3: {uri}")
            yield bucket, key


def whole(chunks: Chunks) -> bytes:
    """The whole file."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MOST_BYTES:
            raise BadItems(f"The file has more than {MOST_BYTES} bytes.")
    return bytes(data)


def gunzipped(chunks: Chunks) -> Iterator[bytes]:
    """The content of a gzip file."""
    try:
        file = zlib.decompressobj(wbits=31)
        for chunk in chunks:
            yield file.decompress(chunk)
        yield file.flush()
    except zlib.error as error:
        raise BadItems(f"The file is no gzip file: {error}") from None


class _Elements:
    """The elements of a JSON list, one after the other."""

    def __init__(self, text: Iterator[str]) -> None:
        self._text = text
        self._held = ""
        self._at = 0
        self._decoder = json.JSONDecoder(parse_constant=_no_number)

    def read(self) -> Iterator[Json]:
        """Until the list is closed."""
        if self._next() != "[":
            raise BadItems(_NOT_ITERABLE)
        self._at += 1
        if self._next() == "]":
            return
        while True:
            self._next()
            yield self._element()
            mark = self._next()
            self._at += 1
            if mark == "]":
                return
            if mark != ",":
                raise BadItems("The JSON file cannot be parsed: expected a comma or a bracket.")

    def _next(self) -> str:
        """The next character that is no space, as yet unread; empty at the end of the file."""
        while True:
            while self._at < len(self._held) and self._held[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more():
                return ""

    def _element(self) -> Json:
        while True:
            try:
                value, end = self._decoder.raw_decode(self._held, self._at)
            except (ValueError, RecursionError) as error:
                # It may be cut short by the end of what is held.
                if not self._more():
                    raise BadItems(f"The JSON file cannot be parsed: {error}") from None
                continue
            # So may a number, with nothing to show for it.
            if self._held[end : end + 1] not in _OF_NUMBERS or not self._more():
                self._at = end
                return value

    def _more(self) -> bool:
        """Hold some more text, at least twice as much as there is of this element."""
        held = [self._held[self._at :]]
        self._at = 0
        wanted = 2 * len(held[0])
        if wanted > MOST_BYTES:
            raise BadItems(f"An item has more than {MOST_BYTES // 2} characters.")
        size = len(held[0])
        while size <= wanted and (text := next(self._text, "")):
            held.append(text)
            size += len(text)
        self._held = "".join(held)
        return len(held) > 1


def _no_number(name: str) -> Json:
    raise ValueError(f"{name} is no JSON")


def _document(text: str | bytes, what: str) -> Json:
    try:
        return loads(text)
    except orjson.JSONDecodeError as error:
        raise BadItems(f"The JSON of {what} cannot be parsed: {error}") from None


def _text(chunks: Chunks) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for chunk in chunks:
            if text := decoder.decode(chunk):
                yield text
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise BadItems(f"The file is not in UTF-8: {error}") from None


def _lines(text: Iterator[str]) -> Iterator[str]:
    """Lines with their ends."""
    rest: list[str] = []
    size = 0
    for part in text:
        first, *others = part.split("\n")
        rest.append(first)
        size += len(first)
        if size > MOST_BYTES:
            raise BadItems(f"A line has more than {MOST_BYTES} characters.")
        for other in others:
            yield "".join(rest) + "\n"
            rest, size = [other], len(other)
    if last := "".join(rest):
        yield last
