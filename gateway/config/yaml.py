"""YAML text to plain values that remember their lines. Only reading lives here, no meaning.

Scalars are resolved as JSON and YAML 1.2 do it: ``on``, ``yes``, ``12:30`` and dates stay texts.
YAML 1.1, PyYAML's own rule, reads them as true, true, 750 and a date, and a filter or an input
would silently ask for something else than what was written. A number with a leading zero stays a
text too, since account numbers have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml
from yaml.reader import ReaderError

from gateway.errors import Problem

Json: TypeAlias = Any

VALUES_MAX: Final = 1_000_000
"""Of a document with its aliases written out: ten lines of aliases to aliases are billions."""


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as plain values, and the line of each place in it."""

    value: Json
    lines: Mapping[str, int]
    """1-based, by dotted path as in Problem: ``triggers.orders.source.topics[0]``."""

    def line(self, path: str) -> int:
        """The line of the place or, where it is not written, of the nearest one around it."""
        while path not in self.lines and path:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 1)


def read_yaml(text: str, problems: list[Problem]) -> Document:
    """Parse one YAML document; what is wrong is added to ``problems`` with its line."""
    reader = _Reader(problems)
    try:
        node = yaml.compose(text, _Loader)
        value = reader.value(node, "") if node else None
    except yaml.YAMLError as bad:
        problems.append(_syntax(bad, text))
        return Document(None, {})
    except RecursionError:
        problems.append(Problem("", "is nested too deeply", line=1))
        return Document(None, {})
    except _TooMany as bad:
        problems.extend(bad.args)
        return Document(None, {})
    return Document(value, reader.lines)


class _TooMany(Exception):
    """Its argument is the Problem that the document has too many values."""


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the scalars that the module's docstring names."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_SCALARS: Mapping[str, tuple[str, Callable[[str], Json]]] = {
    "null": (r"~|null|Null|NULL|", lambda _: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", lambda text: text.lower() == "true"),
    "int": (r"[-+]?(0|[1-9][0-9]{0,99})", int),
    "float": (r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)", float),
    "merge": (r"<<", str),
    "str": (r"(?!)", str),
}
_TAG = "tag:yaml.org,2002:"
for _name, (_pattern, _) in _SCALARS.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), None)


@dataclass(slots=True)
class _Reader:
    """Walks the node tree once, noting lines and problems."""

    problems: list[Problem]
    lines: dict[str, int] = field(default_factory=dict)
    around: set[int] = field(default_factory=set)
    """The nodes that contain the present one: an alias to one of them has no end."""
    read: int = 0

    def value(self, node: yaml.Node, path: str) -> Json:
        self.read += 1
        if self.read > VALUES_MAX:
            said = f"one value too many: {VALUES_MAX:,} may be, aliases written out"
            raise _TooMany(Problem(path, said, line=_line(node)))
        self.lines.setdefault(path, _line(node))
        if id(node) in self.around:
            return self.refuse(node, path, "an alias must not contain itself")
        self.around.add(id(node))
        try:
            match node:
                case yaml.MappingNode():
                    return self.mapping(node, path)
                case yaml.SequenceNode():
                    return [self.value(n, f"{path}[{i}]") for i, n in enumerate(node.value)]
                case _:
                    return self.scalar(node, path)
        finally:
            self.around.discard(id(node))

    def mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Json]:
        values: dict[str, Json] = {}
        merged: dict[str, Json] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                merged = self.merge(value_node, path) | merged
                continue
            key = self.key(key_node, path)
            if key is None:
                continue
            place = f"{path}.{key}" if path else key
            if key in values:
                self.refuse(key_node, place, f"is written twice; first in line {self.lines[place]}")
                continue
            self.lines[place] = _line(key_node)
            values[key] = self.value(value_node, place)
        return merged | values

    def merge(self, node: yaml.Node, path: str) -> dict[str, Json]:
        """The members that ``<<`` brings in; those written beside it win."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Json] = {}
        for source in sources:
            value = self.value(source, path)
            if not isinstance(value, dict):
                self.refuse(source, path, "<< takes a mapping, or a list of them")
                continue
            merged = value | merged
        return merged

    def key(self, node: yaml.Node, path: str) -> str | None:
        key = self.value(node, path) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            shown = node.value if isinstance(node, yaml.ScalarNode) else "this"
            self.refuse(node, path, f"a key must be a text; put {shown} in quotes")
            return None
        return key

    def scalar(self, node: yaml.Node, path: str) -> Json:
        _, convert = _SCALARS.get(node.tag.removeprefix(_TAG), ("", None))
        try:
            if convert is not None:
                return convert(node.value)
        except ValueError:
            pass
        return self.refuse(node, path, f"cannot be read as {node.tag.removeprefix(_TAG)}")

    def refuse(self, node: yaml.Node, path: str, message: str) -> None:
        self.problems.append(Problem(path, message, line=_line(node)))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


_CLEARER: Mapping[str, str] = {
    "found character '\\t' that cannot start any token": "a tab cannot indent; use spaces",
    "but found another document": "a second document begins here; write one document a file",
}
"""What PyYAML says, and what a person can act upon."""


def _syntax(bad: yaml.YAMLError, text: str) -> Problem:
    said, line = str(bad), 1
    if isinstance(bad, ReaderError):
        said = f"the character U+{bad.character:04X} is not allowed"
        line = text.count("\n", 0, bad.position) + 1
    elif isinstance(bad, yaml.MarkedYAMLError):
        said = _CLEARER.get(bad.problem or "") or " ".join(filter(None, (bad.problem, bad.context)))
        mark = bad.problem_mark or bad.context_mark
        line = mark.line + 1 if mark else 1
    return Problem("", f"no valid YAML: {said}", line=line)
