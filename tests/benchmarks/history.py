"""GetExecutionHistory of one long execution: all of its pages, over HTTP."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.benchmarks.load import Connection, machine
from tests.benchmarks.process_cost import cpu_seconds
from tests.benchmarks.report import Line
from tests.benchmarks.served import stategate

TURNS = 6_200
"""Each is four events: 24,806 of the 25,000 that an execution may have."""
WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("forwards, 1,000 a page", {"maxResults": 1000}),
    ("forwards, 100 a page", {"maxResults": 100}),
    ("backwards, 1,000 a page", {"maxResults": 1000, "reverseOrder": True}),
    ("without data, 1,000 a page", {"maxResults": 1000, "includeExecutionData": False}),
)
LOOP = {
    "StartAt": "Count",
    "States": {
        "Count": {
            "Type": "Pass",
            "Parameters": {"turn.$": "States.MathAdd($.turn, 1)", "order.$": "$.order"},
            "Next": "Again",
        },
        "Again": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.turn", "NumericLessThan": TURNS, "Next": "Count"}],
            "Default": "Done",
        },
        "Done": {"Type": "Succeed"},
    },
}
INPUT = '{"turn": 0, "order": {"id": "4711", "lines": [{"sku": "a-1", "count": 2, "price": 9.5}]}}'


def history(folder: Path) -> list[Line]:
    """A Choice loop of nearly 25,000 events, read to its end in the ways of ``WAYS``."""
    lines = []
    with stategate(folder / "history") as daemon:
        arn = machine(daemon.url, "loop", LOOP)
        client = Connection(daemon.url)
        for number, (way, parameters) in enumerate(WAYS):
            # One of its own for each way: nothing has been read of it yet.
            execution = run(client, arn, f"h{number}")
            spent, began = cpu_seconds(daemon.pid), time.perf_counter()
            events = read_all(client, executionArn=execution, **parameters)
            seconds = time.perf_counter() - began
            spent = cpu_seconds(daemon.pid) - spent
            beside = f"{events:,} events, {spent:.2f} s of the daemon's CPU"
            lines.append(Line(f"a whole history, {way}", "Stategate", seconds, "s", beside))
        client.close()
    return lines


def run(client: Connection, arn: str, name: str) -> str:
    """An execution that has ended; its ARN."""
    started = client.call("StartExecution", stateMachineArn=arn, name=name, input=INPUT)
    execution: str = started["executionArn"]
    while client.call("DescribeExecution", executionArn=execution)["status"] == "RUNNING":
        time.sleep(0.05)
    return execution


def read_all(client: Connection, **parameters: object) -> int:
    """All pages; how many events they have."""
    events, more = 0, {}
    while True:
        page = client.call("GetExecutionHistory", **parameters, **more)
        events += len(page["events"])
        if "nextToken" not in page:
            return events
        more = {"nextToken": page["nextToken"]}
