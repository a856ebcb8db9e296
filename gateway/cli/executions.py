"""Commands about executions: start, stop, executions, history. They ask a running daemon."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Annotated, Literal

import typer

from gateway.cli.client import Client
from gateway.cli.options import DEFAULT_ENDPOINT, AsJson, Endpoint, json_text
from gateway.cli.output import Json, fail, one_line, print_json, print_table, span, when

Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
Execution = Annotated[
    str, typer.Argument(metavar="EXECUTION", help="ARN of the execution, or its name.")
]

_LOOK_SECONDS = 0.5


def start(
    machine: Annotated[
        str, typer.Argument(metavar="MACHINE", help="Name or ARN of the state machine.")
    ],
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the execution; default: a UUID."),
    ] = None,
    text: Annotated[
        str,
        typer.Option("--input", metavar="JSON", help="The input; `@FILE` takes it from a file."),
    ] = "{}",
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for its end; exit code 1 unless it succeeded.")
    ] = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
    as_json: AsJson = False,
) -> None:
    """Start an execution of a state machine and print its ARN."""
    client = Client(endpoint)
    arn = _machine_arn(client, machine)
    started = client.aws("StartExecution", stateMachineArn=arn, name=name, input=json_text(text))
    if wait:
        _wait(client, started["executionArn"], as_json=as_json)
    elif as_json:
        print_json(started)
    else:
        print(started["executionArn"])


def stop(
    execution: Execution,
    error: Annotated[
        str | None, typer.Option(metavar="NAME", help="Error name that it ends with.")
    ] = None,
    cause: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, in words.")] = None,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
    as_json: AsJson = False,
) -> None:
    """Stop a running execution: it ends as ABORTED.

    Exit code 1 if it had ended otherwise before.
    """
    client = Client(endpoint)
    arn = _execution_arn(client, execution)
    stopped = client.aws("StopExecution", executionArn=arn, error=error, cause=cause)
    # As at AWS, one that has ended by itself is no error to the API; it was not stopped, though.
    status = client.aws("DescribeExecution", executionArn=arn)["status"]
    if status != "ABORTED":
        fail(f"{execution} had ended before, {when(stopped['stopDate'])} UTC: {status}")
    if as_json:
        print_json(stopped)
    else:
        print(f"stopped {when(stopped['stopDate'])} UTC")


def list_executions(
    machine: Annotated[
        str | None, typer.Option(metavar="MACHINE", help="Only this machine's, by name or ARN.")
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only those whose name begins with this."),
    ] = None,
    status: Annotated[
        Status | None,
        typer.Option(
            metavar="STATUS", help="RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED only."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 50,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
    as_json: AsJson = False,
) -> None:
    """List executions, the newest first."""
    client = Client(endpoint)
    found = list(
        client.own_pages(
            "ListExecutions",
            "executions",
            limit,
            stateMachineArn=None if machine is None else _machine_arn(client, machine),
            namePrefix=prefix,
            statusFilter=status,
        )
    )
    if as_json:
        print_json({"executions": found})
        return
    columns = ("STATUS", "STARTED (UTC)", "TOOK", "MACHINE", "NAME")
    print_table(columns, map(_row, found), empty="There is no such execution.")


def history(
    execution: Execution, endpoint: Endpoint = DEFAULT_ENDPOINT, as_json: AsJson = False
) -> None:
    """Print the history of an execution.

    A line for each event, and below a task's end who answered it by its link.
    """
    client = Client(endpoint)
    arn = _execution_arn(client, execution)
    events = list(client.aws_pages("GetExecutionHistory", "events", executionArn=arn))
    answers = client.own("ListAnswers", executionArn=arn)["answers"]
    if as_json:
        print_json({"events": events, "answers": answers})
        return
    begun = events[0]["timestamp"] if events else 0.0
    print(f"{arn}, begun {when(begun)} UTC")
    rows = _lines(events, answers, begun)
    print_table(("ID", "SECONDS", "EVENT", "DETAILS"), rows, empty="There is no event.")


def _wait(client: Client, arn: str, *, as_json: bool) -> None:
    while (row := client.aws("DescribeExecution", executionArn=arn))["status"] == "RUNNING":
        time.sleep(_LOOK_SECONDS)
    if as_json:
        print_json(row)
    else:
        print(f"{arn} {row['status']}")
        print(row.get("output") or f"{row.get('error', '')} {row.get('cause', '')}".strip())
    if row["status"] != "SUCCEEDED":
        raise typer.Exit(1)


def _machine_arn(client: Client, machine: str) -> str:
    if machine.startswith("arn:"):
        return machine
    names: dict[str, str] = {}
    for each in client.aws_pages("ListStateMachines", "stateMachines"):
        names[each["name"]] = each["stateMachineArn"]
    if machine not in names:
        fail(f"there is no state machine {machine!r}; there are {', '.join(names) or 'none'}")
    return names[machine]


def _execution_arn(client: Client, execution: str) -> str:
    if execution.startswith("arn:"):
        return execution
    found = [
        each["executionArn"]
        for each in client.own_pages("ListExecutions", "executions", 1_000, namePrefix=execution)
        if each["name"] == execution
    ]
    if not found:
        fail(f"there is no execution {execution!r}; `stategate executions` lists them")
    if len(found) > 1:
        fail(f"several machines have an execution {execution!r}; say which:\n" + "\n".join(found))
    return str(found[0])


def _row(execution: Json) -> tuple[str, ...]:
    ended = execution.get("stopDate")
    took = "" if ended is None else span(ended - execution["startDate"])
    machine = execution["stateMachineArn"].rpartition(":")[2]
    return execution["status"], when(execution["startDate"]), took, machine, execution["name"]


def _lines(events: list[Json], answers: list[Json], begun: float) -> Iterator[tuple[str, ...]]:
    """A line for each event, and below it whose answer by a link it goes back to."""
    answered = {answer["eventId"]: answer for answer in answers}
    for event in events:
        after = f"+{event['timestamp'] - begun:.3f}"
        yield str(event["id"]), after, event["type"], _details(event)
        if (answer := answered.get(event["id"])) is not None:
            moment = f"{when(answer['timestamp'])} UTC"
            said = f"{answer['label']!r} from {answer['address']}, {moment}"
            yield "", "", "(answered by link)", said


def _details(event: Json) -> str:
    """What the event brings, in one short line."""
    found = (value for key, value in event.items() if key.endswith("EventDetails"))
    members: dict[str, Json] = next(found, {})
    shown = (
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in members.items()
        if not name.endswith("Details") and name != "roleArn"
    )
    return one_line("  ".join(shown))
