"""Whether the files that the parts of a configuration name are there: looked at, never run.

A handler's module is looked for where Python would look, and its text is parsed: what it would do
when it is imported is its own affair, so a module that makes its handler while it runs is let pass.
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from gateway.config.checks import Check, Named
from gateway.config.settings import Settings
from gateway.errors import Problem
from gateway.tasks.functions.command import CommandFunction
from gateway.tasks.functions.environment import ProcessSettings
from gateway.tasks.functions.python import PythonFunction, split_handler


def functions_are_there(settings: Settings, _: Named) -> Iterator[Problem]:
    """Each function has its directory, its interpreter or program, its module and its handler."""
    for name, function in settings.functions.items():
        place = f"functions.{name}"
        if not isinstance(function, ProcessSettings):
            continue
        if not function.directory.is_dir():
            yield Problem(f"{place}.directory", f"there is no directory {function.directory}")
        elif isinstance(function, PythonFunction):
            yield from _python(place, function)
        elif isinstance(function, CommandFunction):
            yield from _command(place, function)


def workers_can_start(settings: Settings, _: Named) -> Iterator[Problem]:
    """A worker's directory and program. What is missing is a warning: the daemon tries again and
    again to start the worker, and finds it when it is there."""
    for name, worker in settings.workers.items():
        place = f"workers.{name}"
        program = worker.command[0]
        if worker.cwd is not None and not worker.cwd.is_dir():
            yield Problem(f"{place}.cwd", f"there is no directory {worker.cwd}", warning=True)
        elif "/" not in program:
            if not _in_path(program, worker.env.get("PATH")):
                said = f"there is no program {program} in PATH"
                yield Problem(f"{place}.command[0]", said, warning=True)
        elif worker.cwd is not None or program.startswith("/"):
            # Without a directory, the daemon's own counts: it may be another one than this.
            file = (worker.cwd or Path()) / program
            if not _is_program(file):
                said = f"{file} is no program that can be run"
                yield Problem(f"{place}.command[0]", said, warning=True)


def certificates_are_there(settings: Settings, _: Named) -> Iterator[Problem]:
    """The certificates of a Kafka source. Warnings: it waits for what is missing."""
    for name, trigger in settings.triggers.items():
        for key in ("ca_file", "cert_file", "key_file"):
            file = getattr(trigger.source, key, None)
            if file is not None and not os.access(file, os.R_OK):
                said = f"{file} is not there, or this user may not read it"
                yield Problem(f"triggers.{name}.source.{key}", said, warning=True)


FILE_CHECKS: tuple[Check, ...] = (functions_are_there, workers_can_start, certificates_are_there)


def _command(place: str, function: CommandFunction) -> Iterator[Problem]:
    program = function.command[0]
    if "/" in program:
        file = function.directory / program
        if not _is_program(file):
            yield Problem(f"{place}.command[0]", f"{file} is no program that can be run")
    elif not _in_path(program):
        yield Problem(f"{place}.command[0]", f"there is no program {program} in PATH")


def _is_program(file: Path) -> bool:
    return file.is_file() and os.access(file, os.X_OK)


def _in_path(program: str, path: str | None = None) -> bool:
    return program in {"python", "python3"} or shutil.which(program, path=path) is not None


def _python(place: str, function: PythonFunction) -> Iterator[Problem]:
    if function.venv is not None and not Path(function.interpreter).exists():
        said = f"is no virtual environment: there is no {function.interpreter}"
        yield Problem(f"{place}.venv", said)
        return
    module, name = split_handler(function.handler)
    file = _module_file(module, _search_path(function))
    if file is None:
        said = f"there is no module {module} in {function.directory}, nor among what is installed"
        yield Problem(f"{place}.handler", said)
    elif file.suffix == ".py":
        yield from _handler(f"{place}.handler", file, name)


def _search_path(function: PythonFunction) -> list[Path]:
    """Where Python looks for modules, its standard library aside."""
    if function.venv is None:
        return [function.directory, *(Path(each) for each in sys.path if each)]
    return [function.directory, *function.venv.glob("lib/python3*/site-packages")]


def _module_file(module: str, search: list[Path]) -> Path | None:
    *folders, last = module.split(".")
    for root in search:
        folder = root.joinpath(*folders)
        found = [folder / last / "__init__.py", folder / f"{last}.py", *folder.glob(f"{last}.*.so")]
        for file in found:
            if file.is_file():
                return file
    return None


def _handler(place: str, file: Path, name: str) -> Iterator[Problem]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError) as bad:
        # The function's Python may be newer than ours.
        yield Problem(place, f"{file} cannot be read as Python: {bad}", warning=True)
        return
    names = set(_names(tree))
    if name not in names and not names & {"*", "__getattr__"}:
        yield Problem(place, f"{file} has no {name}")


def _names(tree: ast.Module) -> Iterator[str]:
    """The names that a module binds outside its functions and classes; ``*`` for any others."""
    nodes: list[ast.AST] = list(tree.body)
    while nodes:
        node = nodes.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
                continue
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    yield alias.asname or alias.name.partition(".")[0]
            case ast.Name(id=bound, ctx=ast.Store()):
                yield bound
            case _:
                pass
        nodes.extend(ast.iter_child_nodes(node))
