"""The table that a run prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One measurement."""

    work: str
    who: str
    figure: float
    unit: str
    beside: str = ""
    """What it is compared with, in words: ``42 % of the floor``."""


def show(lines: list[Line]) -> str:
    """Aligned columns."""
    rows = [("work", "who", "figure", "unit", "beside")]
    rows += [(x.work, x.who, f"{x.figure:,.4g}", x.unit, x.beside) for x in lines]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    text = [
        "  ".join(
            cell.rjust(width) if i == 2 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])
