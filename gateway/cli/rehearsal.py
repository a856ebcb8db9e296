"""``stategate test``: a definition run in memory, its path printed. It needs no daemon."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from gateway.cli.options import AsJson, json_text
from gateway.cli.output import Json, fail, print_json, print_table, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.errors import Problem
    from gateway.testing import Mocks, Note, Outcome, Visit

EXIT_NOT_SUCCEEDED = 1
EXIT_PROBLEMS = 2
EXIT_UNEXPECTED = 3

_File = Annotated[
    Path, typer.Argument(metavar="FILE", help="The definition, Amazon States Language (JSON).")
]
_Input = Annotated[
    str,
    typer.Option(
        "--input",
        metavar="JSON",
        help="The input; `@FILE` takes it from a file, `-` from standard input.",
    ),
]
_MocksFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="What tasks answer (JSON or YAML): for each state's name an answer, or a list of "
        "them, one for each attempt, the last one again and again. An answer is "
        '`{"return": …}` or `{"throw": {"Error": …, "Cause": …}}`, and may come '
        "`after_seconds`. A mock configuration of AWS's Step Functions Local does, too.",
    ),
]
_Case = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The test case of a mock configuration of Step Functions Local."
    ),
]
_Status = Annotated[
    Literal["SUCCEEDED", "FAILED", "TIMED_OUT"] | None,
    typer.Option(metavar="STATUS", help="How it must end: SUCCEEDED, FAILED or TIMED_OUT."),
]
_Output = Annotated[
    str | None,
    typer.Option(metavar="JSON", help="The output that it must have; `@FILE` as for the input."),
]
_Error = Annotated[
    str | None, typer.Option(metavar="NAME", help="The error that it must fail with.")
]


def rehearse(
    file: _File,
    text: _Input = "{}",
    mocks: _MocksFile = None,
    case: _Case = None,
    expect_status: _Status = None,
    expect_output: _Output = None,
    expect_error: _Error = None,
    as_json: AsJson = False,
) -> None:
    """Run a definition in memory and print the path that it takes.

    Tasks answer as the mocks say; a wait, be it a year, passes at once. Nothing is started or
    kept, and no daemon is needed. Exit code 0 if the execution succeeded, or with `--expect-…` if
    it ended as expected; 1 if it did not succeed; 2 for problems of the definition or the mocks,
    and for a task without a mock; 3 if it did not end as expected.
    """
    given = json.loads(json_text(text, code=EXIT_PROBLEMS))
    wanted = {
        "status": expect_status,
        "output": None
        if expect_output is None
        else json_text(expect_output, "the expected output", EXIT_PROBLEMS),
        "error": expect_error,
    }
    outcome = _run(file, given, mocks, case)
    if as_json:
        print_json(_as_json(outcome))
    else:
        _print(outcome)
    _judge(outcome, {name: value for name, value in wanted.items() if value is not None})


def _run(file: Path, given: Json, mocks: Path | None, case: str | None) -> Outcome:
    from gateway.config.definitions import check_definition
    from gateway.testing import MocksError, NoAnswer, run

    definition, problems = check_definition(file)
    if definition is None:
        for problem in problems:
            print(problem)
        raise typer.Exit(EXIT_PROBLEMS)
    try:
        return run(definition, given, _mocks(mocks, case, definition))
    except (MocksError, NoAnswer) as bad:
        fail(str(bad), EXIT_PROBLEMS)


def _document(file: Path) -> Json:
    """What a file of JSON or YAML holds; problems are told, each with its line, and end the
    command."""
    from gateway.config.yaml import read_yaml

    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", EXIT_PROBLEMS)
    except UnicodeDecodeError:
        fail(f"{file} is not UTF-8", EXIT_PROBLEMS)
    # JSON is YAML as well, but for tabs.
    with suppress(ValueError):
        return json.loads(text)
    problems: list[Problem] = []
    document = read_yaml(text, problems)
    if problems:
        fail("\n".join(str(replace(each, file=str(file))) for each in problems), EXIT_PROBLEMS)
    return document.value


def _mocks(file: Path | None, case: str | None, definition: str) -> Mocks:
    from gateway.asl.outline import state_names
    from gateway.config.wording import suggestion
    from gateway.testing import Mocks

    if file is None:
        return Mocks(case=case)
    document = _document(file)
    if not isinstance(document, dict):
        fail(f"{file}: must be a mapping of states' names to answers", EXIT_PROBLEMS)
    mocks = Mocks(document, case=case)
    names = sorted(state_names(definition))
    for stranger in sorted(mocks.states - set(names)):
        said = f"{file}: there is no state {stranger!r}{suggestion(stranger, names)}"
        fail(said, EXIT_PROBLEMS)
    return mocks


def _judge(outcome: Outcome, wanted: dict[str, str]) -> None:
    """End the command with the exit code that the outcome deserves."""
    found = {"status": outcome.status, "output": outcome.output, "error": outcome.error}
    unmet = [
        f"{name} is {json.dumps(found[name], ensure_ascii=False)}, expected {value}"
        for name, value in wanted.items()
        if found[name] != (json.loads(value) if name == "output" else value)
    ]
    if unmet:
        fail("\n".join(unmet), EXIT_UNEXPECTED)
    if not wanted and outcome.status != "SUCCEEDED":
        raise typer.Exit(EXIT_NOT_SUCCEEDED)


# --------------------------------------------------------------------------- for people


def _print(outcome: Outcome) -> None:
    rows = [row for visit in outcome.visits for row in _rows(visit)]
    print_table(("TIME", "STATE", "TYPE", ""), rows, empty="No state was entered.")
    print(f"{outcome.status} after {span(outcome.seconds)} of virtual time")
    if outcome.status == "SUCCEEDED":
        print(json.dumps(outcome.output, ensure_ascii=False))
    else:
        print(": ".join(part for part in (outcome.error, outcome.cause) if part))


def _rows(visit: Visit) -> Iterator[tuple[str, ...]]:
    """A line for each thing that happened in the state, the last one says where it led."""
    place = " ".join((*visit.within, visit.state))
    lines = [(note.at_seconds, said) for note in visit.notes if (said := _said(note))]
    ended = lines[-1][0] if lines else visit.at_seconds
    lines.append((ended, _ending(visit)))
    shown: float | None = None
    for number, (at, said) in enumerate(lines):
        moment = "" if at == shown else f"+{span(at)}"
        shown = at
        yield (moment, place, visit.type, said) if number == 0 else (moment, "", "", said)


def _ending(visit: Visit) -> str:
    match visit.outcome:
        case "left":
            return "end" if visit.next is None else f"-> {visit.next}"
        case "caught":
            return f"caught -> {visit.next}"
        case other:
            return other


def _said(note: Note) -> str:
    return (
        _WORDS[note.kind]
        .format(**{name: _WRITTEN.get(name, str)(value) for name, value in note.details.items()})
        .rstrip(": ")
    )


_WORDS: Final = {
    "asked": "asks {resource}",
    "waited": "waits {seconds}",
    "returned": "returned {output}",
    "threw": "threw {error}: {cause}",
    "timed out": "timed out",
    "retried": "tries again in {seconds}",
}
_WRITTEN: Final[dict[str, Callable[[Json], str]]] = {
    "resource": lambda arn: arn.split(":", 5)[-1],
    "seconds": span,
    "output": lambda output: json.dumps(output, ensure_ascii=False),
    "error": lambda error: error or "",
    "cause": lambda cause: cause or "",
}


# ------------------------------------------------------------------------- for programs


def _as_json(outcome: Outcome) -> Json:
    from dataclasses import asdict

    document = asdict(outcome)
    document["path"] = outcome.path
    return document
