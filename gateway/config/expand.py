"""Variables in the configuration: ``${NAME}``, ``${NAME:-default}``; ``$${`` is a literal ``${``.

They are expanded in parsed texts only, never in the YAML itself, so a value can hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from gateway.errors import Problem

Json: TypeAlias = Any
Lookup: TypeAlias = Callable[[str], str | None]
"""The value of a variable; None where it is not set."""

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<inside>[^{}]*)\}|\$\{")
_INSIDE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


def variables(environ: Mapping[str, str]) -> Lookup:
    """The environment, and where it lacks a name, systemd's ``$CREDENTIALS_DIRECTORY/NAME``.

    ``stategate_NAME`` is the same: LoadCredential= of a directory puts its own name before those of
    the files.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")

    def lookup(name: str) -> str | None:
        if name in environ or directory is None:
            return environ.get(name)
        for file in (Path(directory) / name, Path(directory) / f"stategate_{name}"):
            with suppress(OSError, ValueError):
                return file.read_text().removesuffix("\n")
        return None

    return lookup


def expand(value: Json, lookup: Lookup, problems: list[Problem], path: str = "") -> Json:
    """The value with every variable in its texts replaced; keys are left alone."""
    match value:
        case str():
            return _text(value, lookup, problems, path)
        case list():
            return [expand(v, lookup, problems, f"{path}[{i}]") for i, v in enumerate(value)]
        case dict():
            return {
                key: expand(below, lookup, problems, f"{path}.{key}" if path else key)
                for key, below in value.items()
            }
        case _:
            return value


def _text(text: str, lookup: Lookup, problems: list[Problem], path: str) -> str:
    def replace(reference: re.Match[str]) -> str:
        if reference[0] == "$${":
            return "${"
        parts = _INSIDE.fullmatch(reference["inside"] or "")
        if parts is None:
            what = f"{reference[0]} is no variable: write ${{NAME}} or ${{NAME:-default}}"
            problems.append(Problem(path, f"{what}, and $${{ for a literal ${{"))
            return ""
        found = lookup(parts["name"])
        if parts["default"] is not None:
            return found or parts["default"]
        if found is None:
            remedy = f"set it, or give it a default: ${{{parts['name']}:-default}}"
            problems.append(Problem(path, f"the variable {parts['name']} is not set; {remedy}"))
            return ""
        return found

    return _REFERENCE.sub(replace, text)
