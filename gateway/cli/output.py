"""How commands print: text and tables for people, JSON for programs, errors on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeAlias

import typer

Json: TypeAlias = Any


def fail(message: str, code: int = 1) -> NoReturn:
    """Ends the command with a message that says what is wrong and what helps."""
    print(f"stategate: {message}", file=sys.stderr)
    raise typer.Exit(code)


def print_json(document: Json) -> None:
    """One JSON document, indented."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Aligned columns, or the sentence ``empty``. Nothing is cut off where it is not a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    if not table.row_count:
        print(empty)
        return
    if sys.stdout.isatty():
        Console().print(table)
        return
    console = Console(width=_WIDE)
    with console.capture() as written:
        console.print(table, soft_wrap=True)
    # rich fills up the last column, by as much as its longest cell takes.
    print("\n".join(line.rstrip() for line in written.get().splitlines()))


_WIDE = 10_000
_STYLES = {
    "RUNNING": "cyan",
    "SUCCEEDED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "ABORTED": "yellow",
}


def one_line(text: str) -> str:
    """A text for a table: on one line, what is long cut off. It may come from anybody, and a
    terminal obeys what it is shown: what is not printable is written as in Python."""
    line = "".join(
        each if each.isprintable() else repr(each)[1:-1] for each in " ".join(text.split("\n"))
    )
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


_LINE = 160


def when(seconds: float | None) -> str:
    """A moment as the API gives it, in UTC and to the second; empty for none."""
    if seconds is None:
        return ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def span(seconds: float) -> str:
    """A duration for people: ``0.12 s``, ``3 min 20 s``, ``2 h 05 min``, ``365 d 00 h``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02} min"
    return f"{hours // 24} d {hours % 24:02} h"
