"""What the log tells of executions: which events, with which members, and when."""

from __future__ import annotations

import pytest
import structlog
from rig import ACTIVITY, TASK, machine, running, wait_status

from gateway.asl.records import CODES, INTERNAL, StateEntered
from gateway.engine.execution_log import worth
from gateway.engine.express import ExpressStart
from gateway.engine.publications import Target
from gateway.errors import ApiError
from gateway.store.failures import StoreFull
from gateway.store.memory import open_memory
from tests.engine.test_map_runs import distributed

GROUP = {"logGroupArn": "arn:aws:logs:us-east-1:123456789012:log-group:any:*"}
FAILS = machine(
    A={"Type": "Pass", "Next": "B"},
    B={"Type": "Fail", "Error": "Custom", "Cause": "why"},
)


@pytest.fixture
async def store():
    """An empty store."""
    async with open_memory() as memory:
        yield memory


def logging(level: str, *, data: bool = False) -> dict:
    """Settings of a machine with this loggingConfiguration."""
    destinations = [{"cloudWatchLogsLogGroup": GROUP}]
    return {
        "loggingConfiguration": {
            "level": level, "includeExecutionData": data, "destinations": destinations,
        }
    }  # fmt: skip


def told(captured: list[dict]) -> list[dict]:
    """The lines about executions."""
    return [each for each in captured if each["event"] == "event of an execution"]


async def logged(store, settings, definition=FAILS, status="FAILED"):
    """The lines of one execution, and its history."""
    with structlog.testing.capture_logs() as captured:
        async with running(store) as engine:
            made, _ = await engine.catalog.create_machine("m", definition, settings=settings)
            arn = (await engine.start_execution(made.arn, "e", '{"n":1}')).row.arn
            await wait_status(engine, arn, status)
            return told(captured), await engine.history(arn)


LEVELS = {
    "ALL": [
        "ExecutionStarted", "PassStateEntered", "PassStateExited",
        "FailStateEntered", "ExecutionFailed",
    ],
    "ERROR": ["FailStateEntered", "ExecutionFailed"],
    "FATAL": ["ExecutionFailed"],
    "OFF": [],
}  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
async def test_the_level_says_which_events_are_told(level, store, autojump_clock):
    """As AWS's table of levels has it; OFF is silence."""
    lines, _ = await logged(store, logging(level))
    assert [line["type"] for line in lines] == LEVELS[level]


def test_what_fails_is_an_error():
    """Of all records, those whose event tells of a failure, an abort or a time-out, and no other;
    internal ones never."""
    names = {kind.__name__ for kind in CODES if worth("ERROR", kind(*[None] * len(kind._fields)))}
    assert names == {
        kind.__name__
        for kind in CODES.keys() - INTERNAL
        if any(word in kind.__name__ for word in ("Failed", "Aborted", "TimedOut"))
    }
    assert not worth("ERROR", StateEntered(0, "Pass", "A"))
    assert all(worth("ALL", k(*[None] * len(k._fields))) == (k not in INTERNAL) for k in CODES)


async def test_a_line_has_the_members_that_aws_writes(store, autojump_clock):
    """Numbers as text, details without the name of their type; with data they are the history's."""
    lines, events = await logged(store, logging("ALL", data=True))
    first = {name: value for name, value in lines[0].items() if name not in {"event", "log_level"}}
    assert first == {
        "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:m:e",
        "id": "1",
        "type": "ExecutionStarted",
        "previous_event_id": "0",
        "event_timestamp": str(events[0]["timestamp"]),
        "redrive_count": "0",
        "details": events[0]["executionStartedEventDetails"],
    }
    assert lines[-1]["details"] == {"error": "Custom", "cause": "why"}
    assert [(line["id"], line["previous_event_id"]) for line in lines] == [
        (str(event["id"]), str(event["previousEventId"])) for event in events
    ]


async def test_data_is_told_only_where_it_is_asked_for(store, autojump_clock):
    """Names of states and errors stay; inputs and outputs do not come into the log."""
    lines, _ = await logged(store, logging("ALL"))
    members = {name for line in lines for name in line["details"]}
    assert members == {"roleArn", "name", "error", "cause"}


async def test_a_redriven_execution_tells_its_new_events_only(store, autojump_clock):
    """After a crash the history is folded, and nothing of it is told again."""
    with structlog.testing.capture_logs() as captured:
        async with running(store) as engine:
            await engine.catalog.create_activity("work")
            made, _ = await engine.catalog.create_machine(
                "m", machine(T=TASK), settings=logging("ALL")
            )
            arn = (await engine.start_execution(made.arn, "e", "{}")).row.arn
            task = await engine.get_activity_task(ACTIVITY, "w", 10)
            await engine.task_failed(task.token, "Custom", None)
        async with running(store) as engine:
            await engine.redrive_execution(arn, None)
            task = await engine.get_activity_task(ACTIVITY, "w", 10)
            await engine.task_succeeded(task.token, "1")
            events = await engine.history(arn)
    lines = told(captured)
    assert [line["id"] for line in lines] == [str(event["id"]) for event in events]
    redriven = [line["type"] for line in lines].index("ExecutionRedriven")
    counts = [line["redrive_count"] for line in lines]
    assert counts == ["0"] * redriven + ["1"] * (len(lines) - redriven)


async def test_what_was_not_written_is_not_told(store, autojump_clock, monkeypatch):
    """A start that finds the disk full leaves no line."""

    async def full(_unit):
        raise StoreFull

    with structlog.testing.capture_logs() as captured:
        async with running(store) as engine:
            made, _ = await engine.catalog.create_machine("m", FAILS, settings=logging("ALL"))
            monkeypatch.setattr(store, "commit", full)
            with pytest.raises(StoreFull):
                await engine.start_execution(made.arn, "e", "{}")
    assert told(captured) == []


async def test_an_express_execution_has_its_history_in_the_log(store, autojump_clock):
    """Where else nobody can ask for it."""
    with structlog.testing.capture_logs() as captured:
        async with running(store) as engine:
            made, _ = await engine.catalog.create_machine(
                "m", FAILS, type="EXPRESS", settings=logging("ALL", data=True)
            )
            wanted = ExpressStart(Target(made.arn), "e", '{"n":1}', None)
            row = await engine.start_sync_execution(wanted)
            with pytest.raises(ApiError):
                await engine.history(row.arn)
    lines = told(captured)
    assert [line["type"] for line in lines] == LEVELS["ALL"]
    assert {line["execution_arn"] for line in lines} == {row.arn}
    assert lines[1]["details"]["input"] == '{"n":1}'


async def test_children_of_a_map_run_are_told_as_their_parent(store, autojump_clock):
    """They run a part of its machine."""
    definition = distributed({"Type": "Pass", "End": True})
    settings = logging("ALL")
    with structlog.testing.capture_logs() as captured:
        async with running(store) as engine:
            made, _ = await engine.catalog.create_machine("m", definition, settings=settings)
            arn = (await engine.start_execution(made.arn, "e", "[1,2]")).row.arn
            await wait_status(engine, arn, "SUCCEEDED")
    assert len({line["execution_arn"] for line in told(captured)}) == 3
