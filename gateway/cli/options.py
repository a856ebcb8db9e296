"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

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
