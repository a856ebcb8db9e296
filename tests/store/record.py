"""Records a small database with executions in every kind of state, as test data for all versions to
come: ``python -m tests.store.record``.

Run it once for each schema version, while that is the newest, and keep what it writes: a later
program opens the file, and everything in it must run to its end. Beside the database stands a page
of what was true of it, so that the test needs to know nothing else.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import structlog
import trio
from trio.testing import MockClock

from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.letters import dead_letter_sink, message_letter
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.engine.starts import StartRequest
from gateway.engine.verify import verify
from gateway.errors import Rejected, Unavailable
from gateway.sources.protocol import Message
from gateway.store.protocol import ExecutionFilter, Page, Store
from gateway.store.rows import PositionRow
from gateway.store.sqlite import open_sqlite
from gateway.store.sqlite.schema import MIGRATIONS
from tests.engine.outbox_rig import FINAL, OUTLET, FakeSink, route
from tests.engine.rig import ACTIVITY, clock, machine

FOLDER = Path(__file__).parent / "recorded"
DEAD_LETTERS = dead_letter_sink("orders")
EVERY = FINAL | {"RUNNING"}

DONE = '{"done":true}'
"""What each worker answers, before the recording and after it."""
LARGE = json.dumps({"n": 0, "lines": [f"line {n} of a large document" for n in range(200)]})
ANSWER = LARGE.replace("line", "row")

WORK = {"Type": "Task", "Resource": ACTIVITY}
LAST = {**WORK, "End": True}
PASS = {"Type": "Pass", "End": True}
MINUTE = {"Type": "Wait", "Seconds": 60}
HOUR = {"Type": "Wait", "Seconds": 3_600}
LINES = [f"line {n}" for n in range(50)]
NEVER = {"Type": "Wait", "Seconds": 90_000_000, "End": True}
CAUGHT = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": "After"}
COUNT = {
    "Count": {
        "Type": "Pass",
        "Parameters": {"n.$": "States.MathAdd($.n, 1)", "to.$": "$.to"},
        "Next": "Enough",
    },
    "Enough": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericGreaterThanEqualsPath": "$.to", "Next": "Counted"}],
        "Default": "Count",
    },
    "Counted": PASS,
}


def retried(error: str, seconds: int) -> dict[str, Any]:
    """A Retry member."""
    return {"Retry": [{"ErrorEquals": [error], "IntervalSeconds": seconds, "MaxAttempts": 2}]}


def program(**states: object) -> dict[str, Any]:
    """A branch of these states; the first one starts."""
    return {"StartAt": next(iter(states)), "States": states}


MACHINES = {
    "pass": machine(First={"Type": "Pass", "Next": "Last"}, Last=PASS),
    "work": machine(Work=LAST),
    "fail": machine(Fail={"Type": "Fail", "Error": "Custom", "Cause": "because"}),
    "never": machine(Never=NEVER),
    "limited": json.dumps({**program(Never=NEVER), "TimeoutSeconds": 60}),
    "wait": machine(Wait={**MINUTE, "Next": "After"}, After=PASS),
    "work-and-wait": machine(Work={**WORK, "Next": "Wait"}, Wait={**MINUTE, "End": True}),
    "retry": machine(Work={**LAST, **retried("Custom", 60)}),
    "catch": machine(Work={**WORK, "Catch": [CAUGHT], "Next": "After"}, After=PASS),
    "count": machine(**COUNT),
    "heartbeat": machine(
        Work={**WORK, "HeartbeatSeconds": 5, "Catch": [CAUGHT], "Next": "After"}, After=PASS
    ),
    "timeout": machine(Work={**LAST, "TimeoutSeconds": 10}),
    "guarded": machine(Work={**LAST, "TimeoutSeconds": 600, "HeartbeatSeconds": 300}),
    "branches": machine(
        Both={
            "Type": "Parallel",
            "Branches": [
                program(A=PASS),
                program(B={**MINUTE, "Next": "C"}, C=LAST),
                program(D=LAST),
            ],
            "End": True,
        }
    ),
    "items": machine(
        Each={
            "Type": "Map",
            "ItemsPath": "$.items",
            "MaxConcurrency": 2,
            "ItemProcessor": program(Item={**WORK, "Next": "Rest"}, Rest={**MINUTE, "End": True}),
            "End": True,
        }
    ),
    "again": machine(
        Both={
            "Type": "Parallel",
            "Branches": [program(A={**MINUTE, "End": True}), program(B=LAST)],
            **retried("Custom", 60),
            "End": True,
        }
    ),
    "hour": machine(Wait={**HOUR, "Next": "After"}, After=PASS),
    "variables": json.dumps(
        {
            "QueryLanguage": "JSONata",
            **program(
                Set={"Type": "Pass", "Assign": {"hour": 3600, "kept": LINES}, "Next": "Wait"},
                Wait={"Type": "Wait", "Seconds": "{% $hour %}", "Next": "Count"},
                Count={"Type": "Succeed", "Output": "{% $count($kept) + $states.input.n %}"},
            ),
        }
    ),
    "mapped": machine(
        Each={
            "Type": "Map",
            "ItemsPath": "$.items",
            "MaxConcurrency": 3,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                **program(Rest={**MINUTE, "End": True}),
            },
            "End": True,
        }
    ),
    "nested": machine(
        Begin={
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Parameters": {
                "StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:hour",
                "Name": "child",
                "Input": {"from": "parent"},
            },
            "OutputPath": "$.Output",
            "End": True,
        }
    ),
}


class Recording:
    """A daemon without its sockets, and what is to be true of its executions later on."""

    def __init__(self, store: Store, catalog: Catalog, engine: Engine, outbox: Outbox) -> None:
        self.store = store
        self.catalog = catalog
        self.engine = engine
        self.outbox = outbox
        self.tokens: dict[str, str] = {}
        self.expect: dict[str, dict[str, Any]] = {}

    async def start(self, name: str, of: str, document: str = "{}") -> str:
        """Start an execution; its ARN."""
        arn = self.catalog.machine_arn(of)
        return (await self.engine.start_execution(arn, name, document)).row.arn

    def ends(self, name: str, status: str, **members: Any) -> None:
        """How the execution is to end."""
        self.expect[name] = {"status": status, **members}

    async def take(self, name: str) -> str:
        """Hand out the task that waits for a worker, which is that of this execution; its token."""
        task = await self.engine.get_activity_task(ACTIVITY, "worker-1", 10_000)
        assert task is not None, f"{name} has no task"
        return task.token

    async def until_ended(self, *arns: str) -> None:
        """Wait for the ends."""
        for arn in arns:
            while (await self.engine.execution(arn)).status == "RUNNING":  # noqa: ASYNC110
                await trio.sleep(0.1)


@asynccontextmanager
async def open_recording(store: Store) -> AsyncIterator[Recording]:
    """An engine over the store with its pumps not running."""
    catalog = Catalog(store, clock, region="us-east-1", account="123456789012")
    await catalog.load()
    metrics = Metrics()
    outbox = Outbox(store, lambda _name: OUTLET, clock, metrics)
    yield Recording(store, catalog, Engine(store, catalog, outbox, clock, metrics), outbox)


async def ended_ones(to: Recording) -> None:
    """What is over; the pumps run."""
    async with trio.open_nursery() as nursery:
        await nursery.start(to.engine.run)
        gone = await to.start("gone", "pass")
        await to.until_ended(gone)
        await trio.sleep(1)
        assert await to.store.sweep(clock(), 10) == 1

        refusing = FakeSink(lambda _notification: Unavailable("not now"))
        never = FakeSink(lambda _notification: Rejected("not this one"))
        to.outbox.configure(
            [
                route(FakeSink(), "audit", when=EVERY),
                route(refusing, "ops", when=EVERY),
                route(never, "strict", machines=frozenset({"fail"})),
            ]
        )
        await trio.sleep(1)
        arns = [
            await to.start("passed", "pass", LARGE),
            await to.start("refused", "fail"),
            await to.start("late", "limited"),
            await to.start("counted", "count", '{"n":0,"to":60}'),
        ]
        await to.until_ended(*arns)
        arns = [await to.start("worked", "work", LARGE)]
        await to.engine.task_succeeded(await to.take("worked"), ANSWER)
        arns.append(await to.start("retried", "retry"))
        await to.engine.task_failed(await to.take("retried"), "Custom", "once")
        await to.engine.task_succeeded(await to.take("retried"), DONE)
        arns.append(await to.start("caught", "catch"))
        await to.engine.task_failed(await to.take("caught"), "Custom", None)
        stopped = await to.start("stopped", "never")
        await to.engine.stop_execution(stopped, "Enough", "of it")
        await to.until_ended(*arns, stopped)
        await to.start("variables", "variables", '{"n":1}')
        await to.start("mapped", "mapped", '{"items":[1,2,3,4,5]}')
        await to.start("parent", "nested")
        await trio.sleep(30)
        nursery.cancel_scope.cancel()
    for name in ("passed", "counted", "worked", "retried", "caught"):
        to.ends(name, "SUCCEEDED")
    to.ends("refused", "FAILED", error="Custom")
    to.ends("late", "TIMED_OUT")
    to.ends("stopped", "ABORTED", error="Enough")
    # These are still at work.
    to.ends("variables", "SUCCEEDED", output="51")
    to.ends("mapped", "SUCCEEDED", output="[1,2,3,4,5]")
    for name in ("parent", "child"):
        to.ends(name, "SUCCEEDED", output='{"from":"parent"}')


async def outstanding_ones(to: Recording) -> None:
    """What is under way; the pumps do not run, so each stays where it was brought."""
    await to.engine.recover()
    await _handed_out(to)
    await _half_done(to)
    await _waiting(to)
    await _versions(to)
    for name in ("queued", "large"):
        await to.start(name, "work", LARGE if name == "large" else "{}")
        to.ends(name, "SUCCEEDED", output=DONE)


async def _handed_out(to: Recording) -> None:
    """Tasks that workers have, or had."""
    for name, of, end in (
        ("answered", "guarded", {"status": "SUCCEEDED", "output": '{"from":"before"}'}),
        (
            "silent",
            "heartbeat",
            {"status": "SUCCEEDED", "output": '{"caught":{"Error":"States.Timeout","Cause":""}}'},
        ),
        ("slow", "timeout", {"status": "FAILED", "error": "States.Timeout"}),
    ):
        await to.start(name, of)
        token = await to.take(name)
        to.expect[name] = end
        if name == "answered":
            to.tokens[name] = token
    await to.start("worked-and-waiting", "work-and-wait")
    await to.engine.task_succeeded(await to.take("worked-and-waiting"), ANSWER)
    to.ends("worked-and-waiting", "SUCCEEDED", output=ANSWER)
    await to.start("backing-off", "retry")
    await to.engine.task_failed(await to.take("backing-off"), "Custom", "once")
    to.ends("backing-off", "SUCCEEDED", output=DONE)


async def _half_done(to: Recording) -> None:
    """Branches and items of which some are done."""
    await to.start("branches", "branches", '{"id":1}')
    await to.engine.task_succeeded(await to.take("branches"), DONE)
    to.ends("branches", "SUCCEEDED", output=f'[{{"id":1}},{DONE},{DONE}]')
    await to.start("again", "again")
    await to.engine.task_failed(await to.take("again"), "Custom", None)
    to.ends("again", "SUCCEEDED", output="[{}," + DONE + "]")
    await to.start("items", "items", '{"items":[1,2,3,4,5]}')
    await to.engine.task_succeeded(await to.take("items"), DONE)
    token = await to.take("items")
    await to.engine.return_task(token)
    to.tokens["stale"] = token
    to.ends("items", "SUCCEEDED", output=f"[{','.join([DONE] * 5)}]")


async def _waiting(to: Recording) -> None:
    """What waits for its time, or for its turn."""
    await to.start("waiting", "wait", '{"id":1}')
    to.ends("waiting", "SUCCEEDED", output='{"id":1}')
    await to.start("continuing", "count", '{"n":0,"to":300}')
    to.ends("continuing", "SUCCEEDED", output='{"n":300,"to":300}')
    await to.start("limited", "limited")
    to.ends("limited", "TIMED_OUT")
    await to.start("to-be-stopped", "never")
    to.ends("to-be-stopped", "ABORTED", error="After")


async def _versions(to: Recording) -> None:
    """Two revisions of one machine at work, and a machine that is gone but for its execution."""
    for name, result in (("first-revision", '"one"'), ("second-revision", '"two"')):
        definition = machine(
            Wait={**MINUTE, "Next": "Say"},
            Say={"Type": "Pass", "Result": json.loads(result), "End": True},
        )
        if name == "first-revision":
            await to.catalog.create_machine("changed", definition)
        else:
            await to.catalog.update_machine(to.catalog.machine_arn("changed"), definition)
        await to.start(name, "changed")
        to.ends(name, "SUCCEEDED", output=result)
    await to.catalog.create_machine("deleting", MACHINES["wait"])
    await to.start("of-a-deleted-machine", "deleting")
    await to.catalog.delete_machine(to.catalog.machine_arn("deleting"))
    to.ends("of-a-deleted-machine", "SUCCEEDED", output="{}")


async def messages(to: Recording) -> None:
    """What triggers leave: a start with a trace, positions, and letters."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    wanted = StartRequest(to.catalog.machine_arn("wait"), "by-message", "{}", "orders", trace)
    letters = []
    for dead_letter in (False, True):
        name = f"misfit-{dead_letter}"
        message = Message(name, {"bad": name}, clock(), name, f"topic orders, {name}")
        letters += message_letter("orders", message, "no name", clock(), dead_letter)
    positions = [PositionRow("group", "orders", 0, 42), PositionRow("group", "orders", 1, 7)]
    await to.engine.start([wanted], positions=positions, letters=letters)
    to.ends("by-message", "SUCCEEDED", output="{}")


async def page_of(to: Recording) -> dict[str, Any]:
    """What is true of the database now, and what is to become of it."""
    differences = [line async for line in verify(to.store, to.engine._door)]
    assert differences == [], differences
    rows = (await to.store.executions(ExecutionFilter(), Page(1_000))).rows
    found = {row.name for row in rows if row.item is None}
    assert found == set(to.expect), found ^ set(to.expect)
    letters, _ = await to.store.letters(None, Page(1_000))
    notifications = {}
    for sink in ("audit", "ops", "strict", DEAD_LETTERS):
        found = await to.store.notifications(sink, 2**62, 1_000)
        notifications[sink] = sorted(row.id for row in found)
    return {
        "recorded_at": clock(),
        "tokens": to.tokens,
        "histories": {row.name: await to.engine.history(row.arn) for row in rows},
        "expect": to.expect,
        "running": sorted(row.name for row in rows if row.status == "RUNNING"),
        "letters": sorted(letter.id for letter in letters),
        "notifications": notifications,
        "positions": [list(row) for row in await to.store.positions()],
        "activities": [row.name for row in await to.store.activities()],
    }


async def record(path: str, copy: str) -> dict[str, Any]:
    """Fill the database, back it up to ``copy``, and give the page that goes with that."""
    async with open_sqlite(path) as store:
        async with open_recording(store) as before:
            await before.catalog.create_activity("work")
            for name, definition in MACHINES.items():
                await before.catalog.create_machine(name, definition)
            await ended_ones(before)
        async with open_recording(store) as to:
            to.expect = before.expect
            to.outbox.configure([route(FakeSink(), name, when=EVERY) for name in ("audit", "ops")])
            await outstanding_ones(to)
            await messages(to)
            page = await page_of(to)
        await store.backup(copy)
    return page


def write(version: int) -> None:
    """The recorded database of this version, compressed, and its page."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        page = trio.run(record, f"{folder}/s.db", str(copy), clock=MockClock(rate=50))
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.execute("VACUUM")
        contents = {"db": copy.read_bytes(), "json": json.dumps(page).encode()}
    for kind, content in contents.items():
        path = FOLDER / f"schema-{version}.{kind}.gz"
        path.write_bytes(gzip.compress(content, 9, mtime=0))
        sys.stdout.write(f"{path}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    write(len(MIGRATIONS))
