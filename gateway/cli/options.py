"""The options that several commands share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from gateway.cli.output import fail

DEFAULT_ENDPOINT = "http://127.0.0.1:8083"

ConfigPath: TypeAlias = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="The configuration file (YAML).")
]
Endpoint: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="STATEGATE_ENDPOINT",
        metavar="URL",
        help="Where the daemon's API listens (api.listen of its configuration).",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def json_text(text: str, what: str = "the input", code: int = 1) -> str:
    """The JSON text that an option gives: itself, ``@FILE``, or ``-`` for standard input. A mistake
    in it is told here rather than by whoever is given it."""
    try:
        if text == "-" or text.startswith("@"):
            source = text.removeprefix("@")
            text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        json.loads(text)
    except OSError as error:
        fail(f"{error.filename} cannot be read: {error.strerror}", code)
    except ValueError as error:
        fail(f"{what} is no JSON: {error}", code)
    return text
