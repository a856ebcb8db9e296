"""Commands about a configuration file: check, run, schema, try. They need no daemon."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import AsJson, ConfigPath
from gateway.cli.output import Json, fail, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.load import Config
    from gateway.errors import Problem
    from gateway.sources.protocol import Message
    from gateway.triggers.mapping import Mapping, Verdict

EXIT_PROBLEMS = 2


def check(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A configuration (YAML), or the definition of a machine (.json)."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Say all that is wrong with a configuration or a definition.

    Each problem comes with its line and path. Exit code 2 if there is one; warnings are shown and
    change nothing. Nothing is started. The database, if there is one, is read for machines that
    were updated through the API since the file was loaded.
    """
    _load_structlog_alone()
    if file.suffix == ".json":
        _check_definition(file, as_json=as_json)
    else:
        _check_configuration(file, as_json=as_json)


def _check_definition(file: Path, *, as_json: bool) -> None:
    from gateway.config.definitions import check_definition

    text, problems = check_definition(file)
    _print_problems(problems, as_json=as_json)
    if text is None:
        raise typer.Exit(EXIT_PROBLEMS)
    if not as_json:
        print(f"{file}: fine")


def _check_configuration(config: Path, *, as_json: bool) -> None:
    from gateway.cli.drift import drifted
    from gateway.config.load import load_config
    from gateway.errors import ConfigError

    try:
        loaded = load_config(config)
    except ConfigError as bad:
        _print_problems(bad.problems, as_json=as_json)
        raise typer.Exit(EXIT_PROBLEMS) from None
    warnings = [*loaded.warnings, *drifted(loaded)]
    _print_problems(warnings, as_json=as_json)
    if not as_json:
        print(f"{config}: fine ({_contents(loaded)})")


def run(config: ConfigPath) -> None:
    """Run the daemon until SIGTERM or Ctrl-C.

    SIGHUP takes a changed configuration. Exit code 2 for problems of the configuration, found
    before the database is touched; 1 for anything else that keeps it from running.
    """
    loaded = load(config)
    from gateway.daemon import run_daemon

    raise typer.Exit(run_daemon(loaded))


def _load_structlog_alone() -> None:
    """structlog loads rich where it finds it, for tracebacks that we print otherwise: a tenth of
    what an idle daemon takes in memory, and of the time until it is ready."""
    if "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment]  # "not found", says Python of this
        import structlog  # noqa: F401

        del sys.modules["rich"]


def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from gateway.config.schema import json_schema

    print_json(json_schema())


def try_trigger(
    config: ConfigPath,
    trigger: Annotated[str, typer.Argument(metavar="TRIGGER", help="Name of the trigger.")],
    message: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="JSON file with a message as the trigger sees it, an object with `body` and "
            "what its source adds (headers, key, attributes …); any other JSON is the body. "
            "`-` reads standard input.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show what a trigger makes of a message. Starts nothing.

    Says whether the filter takes it, and the execution's name and input. Exit code 1 if the message
    can never be taken and would become a letter.
    """
    loaded = load(config)
    mapping = loaded.mappings.get(trigger)
    if mapping is None:
        fail(f"there is no trigger {trigger!r}; there are {', '.join(loaded.mappings) or 'none'}")
    arrived = _message(_read(message))
    verdict = mapping.judge(arrived)
    shown = _shown(verdict, mapping, loaded.settings.triggers[trigger].start, arrived)
    if as_json:
        print_json(shown)
    else:
        for name, value in shown.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            print(f"{name:8} {text}")
    if shown["verdict"] == "letter":
        raise typer.Exit(1)


def load(path: Path) -> Config:
    """The configuration; problems are printed and end the command with exit code 2."""
    _load_structlog_alone()
    from gateway.config.load import load_config
    from gateway.errors import ConfigError

    try:
        return load_config(path)
    except ConfigError as bad:
        for problem in bad.problems:
            print(problem, file=sys.stderr)
        raise typer.Exit(EXIT_PROBLEMS) from None


def _print_problems(problems: Sequence[Problem], *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        print_json({"problems": [asdict(problem) for problem in problems]})
        return
    for problem in problems:
        print(problem)


def _contents(config: Config) -> str:
    counts = {name: len(getattr(config.settings, name)) for name in (*_COUNTED, *_SELDOM)}
    return ", ".join(f"{name}: {n}" for name, n in counts.items() if n or name in _COUNTED)


_COUNTED = ("machines", "activities", "triggers", "sinks", "workers")
_SELDOM = ("functions", "connections", "roles")
"""Told of only where there are some."""


def _read(path: Path) -> Json:
    """The document, read as sources read theirs: another parser would take other numbers."""
    from gateway.sources.bodies import TooDeep, parse_json

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        return parse_json(text)
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}")
    except TooDeep as error:
        fail(f"{path} can never be taken: {error}")
    except ValueError as error:
        fail(f"{'the standard input' if str(path) == '-' else path} is no JSON: {error}")


def _message(document: Json) -> Message:
    """A message out of a document; what it lacks is made up."""
    from gateway.daemon.clock import now
    from gateway.sources.protocol import Message

    if not (isinstance(document, dict) and "body" in document):
        document = {"body": document}
    own = {"id", "source", "trigger", "received_at", "body"}
    identity = str(document.get("id", "example"))
    return Message(
        id=identity,
        body=document["body"],
        received_at=now(),
        default_name=identity,
        coordinates=f"message {identity}",
        members={name: value for name, value in document.items() if name not in own},
    )


def _shown(verdict: Verdict, mapping: Mapping, machine: str, message: Message) -> dict[str, Json]:
    from gateway.triggers.mapping import Accepted, Unfit, Unwanted

    match verdict:
        case Accepted(name, text):
            return {
                "verdict": "start",
                "machine": machine,
                "name": name,
                "input": json.loads(text),
            }
        case Unwanted():
            return {"verdict": "filtered", "message": mapping.document(message)}
        case Unfit(reason):
            return {"verdict": "letter", "reason": reason}
