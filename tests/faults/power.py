"""What a disk may hold when the power goes: rebuilt from the shim's log, as the seed decides.

A disk that honours fsync holds what was written before the last sync of that file, and of what was
written later any part, in sectors of 512 bytes. A file that was made, or its being gone, is certain
when the directory has been synced. A sync that failed has promised nothing: what it was to bring to
the disk may be there or not, and no later sync brings it, for the kernel takes it as written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeAlias

from tests.faults.shim import Call, Entry, File

SECTOR = 512
REBUILT = {File.SHM, File.LOCK}
"""Not read after a loss of power."""

Keep: TypeAlias = Callable[[], bool]
"""Whether the next sector, or the next change of a name, has reached the disk."""


@dataclass(eq=False)
class _Content:
    """A file, whatever its name is."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Since the last sync: offset and bytes of a write, size and None of a truncation."""

    def sync(self) -> None:
        for offset, content in self.pending:
            _apply(self.durable, offset, content)
        self.pending.clear()

    def fail_to_sync(self, dice: Random) -> None:
        self.durable = self.after(lambda: dice.random() < 0.5)
        self.pending.clear()

    def after(self, keep: Keep) -> bytearray:
        """The bytes with those pending sectors that are kept."""
        image = bytearray(self.durable)
        for offset, content in self.pending:
            for begin, part in _parts(offset, content):
                if keep():
                    _apply(image, begin, part)
        return image


class Platter:
    """One disk, up to the entry of the log that it was given last."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._names: dict[str, _Content] = {}
        self._durable: dict[str, _Content] = {}
        self._renamings: list[tuple[str, _Content | None]] = []
        """Since the last sync of the directory: a name, and what it stands for now."""

    def feed(self, entry: Entry) -> None:
        """The process did this."""
        if entry.file in REBUILT or entry.told is Call.SENT:
            return
        match entry.told:
            case Call.CREATED:
                self._name(entry.name, _Content())
            case Call.UNLINK:
                self._name(entry.name, None)
            case Call.RENAME:
                self._name(entry.content.decode(), self._names[entry.name])
                self._name(entry.name, None)
            case Call.WRITE:
                self._names[entry.name].pending.append((entry.offset, entry.content))
            case Call.TRUNCATE:
                self._names[entry.name].pending.append((entry.offset, None))
            case Call.SYNC if entry.file is File.DIRECTORY:
                self._durable = dict(self._names)
                self._renamings.clear()
            case Call.SYNC:
                self._names[entry.name].sync()
            case Call.SYNC_FAILED if entry.file is not File.DIRECTORY:
                self._names[entry.name].fail_to_sync(self._dice)

    def _name(self, name: str, content: _Content | None) -> None:
        self._renamings.append((name, content))
        if content is None:
            del self._names[name]
        else:
            self._names[name] = content

    def lose_power(self, directory: Path) -> str:
        """Write into the directory what the disk may hold now; says how that was chosen."""
        how = self._dice.choice(["nothing", "everything", "first", "some", "most"])
        names = dict(self._durable)
        keep = self._keep(how, len(self._renamings))
        for name, content in self._renamings:
            if keep():
                if content is None:
                    names.pop(name, None)
                else:
                    names[name] = content
        for name, content in names.items():
            sectors = sum(1 + len(c or b"") // SECTOR for _, c in content.pending)
            (directory / name).write_bytes(content.after(self._keep(how, sectors)))
        return how

    def _keep(self, how: str, changes: int) -> Keep:
        dice = self._dice
        left = iter(range(dice.randint(0, changes)))
        return {
            "nothing": lambda: False,
            "everything": lambda: True,
            "first": lambda: next(left, None) is not None,
            "some": lambda: dice.random() < 0.5,
            "most": lambda: dice.random() < 0.97,
        }[how]


def _parts(offset: int, content: bytes | None) -> Iterable[tuple[int, bytes | None]]:
    """A truncation as it is, a write by sectors."""
    if content is None:
        yield offset, None
        return
    begin, end = offset, offset + len(content)
    while begin < end:
        stop = min(end, begin - begin % SECTOR + SECTOR)
        yield begin, content[begin - offset : stop - offset]
        begin = stop


def _apply(image: bytearray, offset: int, content: bytes | None) -> None:
    size = offset if content is None else max(len(image), offset + len(content))
    if size < len(image):
        del image[size:]
    else:
        image.extend(bytes(size - len(image)))
    if content is not None:
        image[offset : offset + len(content)] = content
