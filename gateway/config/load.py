"""A configuration file to a Config: read, expand, validate, compile, check; with all problems."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel

from gateway.asl.errors import ExpressionError
from gateway.asl.references import compile_free_template
from gateway.asl.scope import Expression
from gateway.config.checks import CHECKS, Named
from gateway.config.definitions import read_definition, unanswered_tasks
from gateway.config.expand import expand, variables
from gateway.config.named_files import FILE_CHECKS
from gateway.config.settings import Settings
from gateway.config.validate import validate
from gateway.config.yaml import Document, read_yaml
from gateway.engine.arns import Arns
from gateway.errors import ConfigError, Problem
from gateway.triggers import mapping as triggers

Json: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that can be used: its settings, and what they refer to, read and compiled."""

    path: Path
    settings: Settings
    """Paths in it are those of the file's directory."""
    definitions: Mapping[str, str]
    """Text of each machine's definition, substituted and valid."""
    mappings: Mapping[str, triggers.Mapping]
    """Filter, name and input of each trigger."""
    messages: Mapping[str, Expression | None]
    """The ``message`` of each sink; None sends the event itself."""
    warnings: tuple[Problem, ...]


def load_config(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Load a configuration file. Touches nothing but the files that it names.

    Raises ConfigError with every problem (and the warnings), in the order of the lines.
    """
    unread: list[Problem] = []
    document = read_yaml(_text(path), unread)
    value = expand(document.value, variables(environ), unread)
    problems: list[Problem] = []
    settings: Settings = _rooted(validate(value, problems), path.parent)
    named = Named(*(_names(value, key) for key in ("machines", "activities", "connections")))
    for check in (*CHECKS, *FILE_CHECKS):
        problems.extend(check(settings, named))
    config = Config(
        path,
        settings,
        definitions=_definitions(settings, named, problems),
        mappings=_mappings(settings, problems),
        messages=_messages(settings, problems),
        warnings=(),
    )
    # What could not be read is empty now; that it is no URL, say, would be no news.
    places = {problem.path for problem in unread}
    problems = unread + [problem for problem in problems if problem.path not in places]
    placed = sorted(_placed(problems, path, document), key=lambda p: (p.file != str(path), p.line))
    if not all(problem.warning for problem in placed):
        raise ConfigError(placed)
    return replace(config, warnings=tuple(placed))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as bad:
        raise ConfigError([Problem("", f"cannot be read: {bad.strerror}", str(path))]) from None
    except UnicodeDecodeError as bad:
        said = f"is not UTF-8: byte {bad.start} is wrong"
        raise ConfigError([Problem("", said, str(path))]) from None


def _rooted(value: Json, directory: Path) -> Json:
    """The settings with every relative path in them made one from the file's directory."""
    match value:
        case Path():
            return directory / value
        case dict():
            return {key: _rooted(below, directory) for key, below in value.items()}
        case BaseModel():
            members = {name: getattr(value, name) for name in type(value).model_fields}
            # A copy with an update would take every member for one that the file gave.
            given = set(value.model_fields_set)
            return type(value).model_construct(given, **_rooted(members, directory))
        case _:
            return value


def _definitions(settings: Settings, named: Named, problems: list[Problem]) -> dict[str, str]:
    arns = Arns(settings.region, settings.account)
    definitions = {}
    for name, machine in settings.machines.items():
        text = read_definition(name, machine, problems)
        if text is not None:
            definitions[name] = text
            problems.extend(unanswered_tasks(machine, text, arns, named))
    return definitions


def _mappings(settings: Settings, problems: list[Problem]) -> dict[str, triggers.Mapping]:
    mappings = {}
    for name, trigger in settings.triggers.items():
        try:
            mappings[name] = triggers.compile_mapping(
                name,
                trigger.source.type,
                filter=trigger.filter,
                name=trigger.name,
                input=trigger.input,
            )
        except ConfigError as bad:
            place = f"triggers.{name}."
            problems.extend(replace(found, path=place + found.path) for found in bad.problems)
    return mappings


def _messages(settings: Settings, problems: list[Problem]) -> dict[str, Expression | None]:
    messages: dict[str, Expression | None] = {}
    for name, sink in settings.sinks.items():
        try:
            messages[name] = None if sink.message is None else compile_free_template(sink.message)
        except ExpressionError as bad:
            problems.append(Problem(f"sinks.{name}.message", str(bad)))
    return messages


def _names(value: Json, section: str) -> frozenset[str]:
    entries = value.get(section) if isinstance(value, dict) else None
    return frozenset(entries if isinstance(entries, dict) else ())


def _placed(problems: list[Problem], path: Path, document: Document) -> Iterator[Problem]:
    """The problems with file and line, where they have none of their own."""
    for problem in dict.fromkeys(problems):
        if problem.file:
            yield problem
        else:
            yield replace(problem, file=str(path), line=problem.line or document.line(problem.path))
