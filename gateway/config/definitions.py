"""The files with definitions of machines: read, substituted, parsed, each finding with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from gateway.asl.advice import advise
from gateway.asl.errors import DefinitionError, Diagnostic
from gateway.asl.outline import outline
from gateway.asl.resources import ACTIVITY, called, family
from gateway.asl.validation import accepted
from gateway.config.checks import Named
from gateway.config.json_lines import JsonLines
from gateway.config.settings import MachineSettings
from gateway.config.wording import suggestion
from gateway.engine.arns import Arns
from gateway.errors import Problem
from gateway.tasks.http_invoke import HttpTasks, connection_name
from gateway.tasks.integrations import doubts

Json: TypeAlias = Any

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


def read_definition(name: str, machine: MachineSettings, problems: list[Problem]) -> str | None:
    """The text of the machine's definition, ready to be stored; None where it cannot be used."""
    text = _read(machine.definition, f"machines.{name}.definition", problems)
    if text is None:
        return None
    text = _substituted(name, text, machine, problems)
    found = list(_findings(machine.definition, text))
    problems.extend(found)
    return text if all(problem.warning for problem in found) else None


def check_definition(file: Path) -> tuple[str | None, list[Problem]]:
    """The text of a definition that no configuration speaks of, or None where it cannot be used;
    and all that is to be said of it, in the order of the lines."""
    problems: list[Problem] = []
    text = _read(file, "", problems)
    if text is not None:
        problems.extend(sorted(_findings(file, text), key=lambda problem: problem.line))
    return text if all(problem.warning for problem in problems) else None, problems


def _read(file: Path, place: str, problems: list[Problem]) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as bad:
        problems.append(Problem(place, f"{file} cannot be read: {bad.strerror}"))
    except UnicodeDecodeError:
        problems.append(Problem(place, f"{file} is not UTF-8"))
    return None


def unanswered_tasks(
    machine: MachineSettings, text: str, arns: Arns, named: Named
) -> Iterator[Problem]:
    """Warnings for tasks that nothing in this configuration, or in this version, answers."""
    known = {arns.activity(name) for name in named.activities}
    lines = JsonLines(text)
    for pointer, resource, given in _tasks(json.loads(text), ""):
        if family(resource) != ACTIVITY:
            names = None if given is None else [name.removesuffix(".$") for name in given]
            found = list(doubts(resource, names))
            found += _unknown_connection(resource, given or {}, named.connections)
        elif resource not in known:
            found = [f"{resource} is none of this file's activities, so no worker may ever take it"]
        else:
            continue
        for said in found:
            yield _problem(machine.definition, lines, pointer, said, warning=True)


def _unknown_connection(
    resource: str, given: dict[str, Json], there: frozenset[str]
) -> Iterator[str]:
    """Why an HTTP task would find no connection, where its ARN is written out."""
    authentication = given.get("Authentication")
    arn = authentication.get("ConnectionArn") if isinstance(authentication, dict) else None
    if HttpTasks.takes(called(resource)) and isinstance(arn, str) and "{%" not in arn:
        name = connection_name(arn)
        if name not in there:
            near = suggestion(name, sorted(there))
            yield f"connections: has no entry {name!r}, so the task fails{near}"


def _substituted(name: str, text: str, machine: MachineSettings, problems: list[Problem]) -> str:
    """The text with ``${Name}`` replaced; a name that only one side knows is a warning."""
    values = {key: _written(value) for key, value in machine.substitutions.items()}
    used = set(_PLACEHOLDER.findall(text))
    for unused in values.keys() - used:
        said = f"${{{unused}}} does not occur in {machine.definition}"
        problems.append(Problem(f"machines.{name}.substitutions.{unused}", said, warning=True))
    for unknown in sorted(used - values.keys()):
        said = f"${{{unknown}}} has no substitution and stays as it is"
        line = text.count("\n", 0, text.index(f"${{{unknown}}}")) + 1
        problems.append(Problem("", said, str(machine.definition), line, warning=True))
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def _written(value: str | float | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _findings(file: Path, text: str) -> Iterator[Problem]:
    """What AWS would refuse, then what it would pass over and is likely to be a mistake."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as bad:
        yield Problem("", f"no valid JSON: {bad.msg}", str(file), bad.lineno)
        return
    except RecursionError:
        yield Problem("", "is nested too deeply", str(file), 1)
        return
    lines = JsonLines(text)
    try:
        accepted(text)
    except DefinitionError as bad:
        for diagnostic in bad.diagnostics:
            said = f"{diagnostic.message} ({diagnostic.code}){_meant(diagnostic, document)}"
            warning = diagnostic.severity == "WARNING"
            yield _problem(file, lines, diagnostic.location, said, warning=warning)
    for place, said in advise(document):
        yield _problem(file, lines, place, said, warning=True)


def _meant(diagnostic: Diagnostic, document: Json) -> str:
    """Which state was meant by a target that is not there, if one is near."""
    missing = _TARGET.search(diagnostic.message)
    if missing is None:
        return ""
    return suggestion(missing[1], sorted({state.name for state in outline(document)}))


_TARGET = re.compile(r"^Missing '\w+' target: (.+)")


def _problem(file: Path, lines: JsonLines, pointer: str, message: str, *, warning: bool) -> Problem:
    return Problem(pointer, message, str(file), lines.line_of(pointer), warning)


def _tasks(value: Json, pointer: str) -> Iterator[tuple[str, str, dict[str, Json] | None]]:
    """Every Task's ``Resource`` with its JSON pointer, and its parameters where it names them."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    elif not isinstance(value, dict):
        return
    resource = value.get("Resource")
    if value.get("Type") == "Task" and isinstance(resource, str):
        given = value.get("Arguments", value.get("Parameters"))
        yield f"{pointer}/Resource", resource, given if isinstance(given, dict) else None
    for key, below in value.items():
        yield from _tasks(below, f"{pointer}/{key}")
