"""The test's side of ``shim.c``: building it, saying which call fails, reading its log."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).with_name("shim.c")


class Call(IntEnum):
    """What is asked of a file (``enum call``); those above LOCK are in the log only."""

    OPEN = 0
    READ = 1
    WRITE = 2
    SYNC = 3
    TRUNCATE = 4
    UNLINK = 5
    RENAME = 6
    MAP = 7
    LOCK = 8
    CREATED = 9
    SYNC_FAILED = 10
    SENT = 11


class File(IntEnum):
    """Of which file (``enum file``)."""

    DATABASE = 0
    WAL = 1
    SHM = 2
    JOURNAL = 3
    LOCK = 4
    COPY = 5
    DIRECTORY = 6
    OTHER = 7


class Action(IntEnum):
    """How it fails (``enum action``)."""

    NONE = 0
    IO_ERROR = 1
    DISK_FULL = 2
    SHORT = 3
    """Half of it is done, which is no error."""
    SHORT_THEN_FULL = 4
    TORN = 5
    """Half of it is done, and that is an I/O error."""
    HANG = 6


class Place(NamedTuple):
    """A kind of call."""

    call: Call
    file: File

    def __str__(self) -> str:
        return f"{self.call.name.lower()}-{self.file.name.lower()}"


_CALLS = int(Call.LOCK) + 1
_COUNTERS = _CALLS * len(File)
_CALL, _FILE, _FIRST, _LAST, _SEEN, _ACTION, _HITS, _RELEASED = range(_COUNTERS, _COUNTERS + 8)
FOR_GOOD = 1 << 60


class Shim:
    """One page of memory shared with the daemon; ``environment`` is what the daemon needs."""

    def __init__(self, library: Path, directory: Path, *, beside: Path, log: bool = False) -> None:
        """Files below ``directory`` are watched; the shim's own are made in ``beside``."""
        control, self.log = beside / "shim.control", beside / "shim.log"
        control.write_bytes(bytes(mmap.PAGESIZE))
        with control.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self._words = memoryview(self._page).cast("q")
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAULTS_DIRECTORY": str(directory),
            "FAULTS_CONTROL": str(control),
            **({"FAULTS_LOG": str(self.log)} if log else {}),
        }

    def calls(self) -> Counter[Place]:
        """How many there were of each kind."""
        return Counter(
            {
                Place(Call(n // len(File)), File(n % len(File))): self._words[n]
                for n in range(_COUNTERS)
                if self._words[n]
            }
        )

    def arm(self, place: Place, action: Action, nth: int, *, lasting: bool = False) -> None:
        """The n-th call of that kind from now on fails, alone or with all after it."""
        self.disarm()
        self._words[_CALL], self._words[_FILE] = place
        self._words[_FIRST] = nth
        self._words[_LAST] = nth + FOR_GOOD if lasting else nth
        if action is Action.SHORT_THEN_FULL:
            self._words[_LAST] = nth + 1
        self._words[_SEEN] = self._words[_HITS] = self._words[_RELEASED] = 0
        # The last: the daemon goes on meanwhile, and counts from here.
        self._words[_ACTION] = action

    def disarm(self) -> None:
        """Nothing fails any more, and what hangs goes on."""
        self._words[_ACTION] = Action.NONE
        self._words[_RELEASED] = 1

    @property
    def hits(self) -> int:
        """How many calls have failed since ``arm``."""
        hits: int = self._words[_HITS]
        return hits


class Entry(NamedTuple):
    """One record of the log."""

    told: Call
    file: File
    name: str
    content: bytes
    offset: int
    """Of a write; the size that a truncation leaves."""


_HEADER = struct.Struct("=BBHIq")


def entries(log: Path) -> Iterator[Entry]:
    """The log from its beginning; a record that a kill cut off is not in it."""
    with log.open("rb") as file:
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            told, kind, name_bytes, content_bytes, offset = _HEADER.unpack(header)
            rest = file.read(name_bytes + content_bytes)
            if len(rest) < name_bytes + content_bytes:
                return
            name = rest[:name_bytes].decode()
            yield Entry(Call(told), File(kind), name, rest[name_bytes:], offset)


def build(directory: Path) -> Path:
    """The shim as a library. Without a C compiler the test is skipped with the reason, or fails
    where REQUIRE_CC=1 says that one must be there."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        _none("there is no C compiler (cc or gcc)")
    library = directory / "shim.so"
    command = [str(compiler), "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    done = subprocess.run(
        [*command, "-o", str(library), str(SOURCE), "-ldl", "-lpthread"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        _none(f"the compiler cannot build it: {done.stderr}")
    return library


def _none(reason: str) -> None:
    if os.environ.get("REQUIRE_CC") == "1":
        pytest.fail(f"REQUIRE_CC=1, but no disk can be made to fail: {reason}")
    pytest.skip(f"no disk can be made to fail: {reason}")
