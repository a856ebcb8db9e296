"""SIGKILL at random while the daemon calls functions, for the children of a map run and for Express
executions: what was promised is done, under the keys that were promised."""

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict
from random import Random

import orjson
import pytest

from tests.daemon.process import running, write_config
from tests.kills import ledger
from tests.stand_ins.functions import Functions, echo, raising
from tests.stand_ins.server import StandIn

pytestmark = pytest.mark.slow

KILLS = 6
ITEMS = 200
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine"
CALL = {
    "Type": "Task",
    "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
    "Retry": [
        {
            "ErrorEquals": ["Wobbly"],
            "IntervalSeconds": 1,
            "MaxAttempts": 99,
            "BackoffRate": 1,
            "JitterStrategy": "FULL",
        }
    ],
    "End": True,
}
CHILD = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    "StartAt": "Call",
    "States": {"Call": CALL},
}
MAP = {
    "StartAt": "Map",
    "States": {
        "Map": {"Type": "Map", "MaxConcurrency": 20, "ItemProcessor": CHILD, "End": True},
    },
}
EXPRESS = {"StartAt": "Call", "States": {"Call": CALL}}


class Ledger:
    """A function that wobbles, and who called it with what."""

    def __init__(self, seed: int) -> None:
        self.keys: dict[bytes, set[str]] = defaultdict(set)
        """By payload."""
        self.failed: dict[bytes, set[str]] = defaultdict(set)
        """Keys that were told of a failure."""
        self._dice = Random(seed)
        self._lock = threading.Lock()

    def call(self, invocation):
        """Take some milliseconds, and fail at times."""
        with self._lock:
            wait, fails = self._dice.uniform(0, 0.1), self._dice.random() < 0.2
            key = invocation.headers["idempotency-key"]
            self.keys[invocation.payload].add(key)
            if fails:
                self.failed[invocation.payload].add(key)
        time.sleep(wait)
        return raising({"errorType": "Wobbly"})(invocation) if fails else echo(invocation)

    def wrong(self, express):
        """A key is that of one payload, and another one follows only upon a failure; or where an
        Express execution was begun anew in a later life."""
        everything = [key for keys in self.keys.values() for key in keys]
        if len(set(everything)) < len(everything):
            yield "a key stands for two payloads"
        for payload, keys in self.keys.items():
            lives = KILLS if payload in express else 0
            if len(keys) > 1 + len(self.failed[payload]) + lives:
                yield f"{payload!r} had {len(keys)} keys and failed with {self.failed[payload]}"


def test_kills_in_the_middle_of_calls(tmp_path):
    """Each item of a map run is in one child, which succeeds; each Express execution that was
    acknowledged calls its function; a call that was cut off is made again under its key, another
    key follows only upon a failure; and nothing is left over."""
    seed = secrets.randbelow(1_000_000)
    dice, calls = Random(seed), Ledger(seed)
    config = write_config(tmp_path, "machines: { map: { definition: map.asl.json } }\n")
    (tmp_path / "map.asl.json").write_bytes(orjson.dumps(MAP))
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "thing"}
    acknowledged, database = [], tmp_path / "stategate.db"
    with StandIn(Functions(calls.call)) as stand_in:
        keys["AWS_ENDPOINT_URL_LAMBDA"] = stand_in.url
        for life in range(KILLS):
            with running(config, keys) as daemon:
                daemon.ready()
                acknowledged += begin(daemon, life)
                time.sleep(dice.uniform(0, 0.6))
        with running(config, keys) as daemon:
            daemon.ready()
            row = daemon.until(lambda: succeeded(daemon))
            daemon.until(lambda: ledger.read(database, "SELECT id FROM express") == [])
            assert daemon.stop() == 0
            assert [e for e in daemon.entries if "bug" in e["event"]] == []
    payloads = [orjson.dumps(n) for n in range(ITEMS)]
    assert orjson.loads(row["output"]) == list(range(ITEMS))
    assert {*payloads, *acknowledged} <= set(calls.keys)
    wrong = [*calls.wrong(acknowledged), *ledger.check_leftovers(database)]
    wrong += ledger.check_verify(database)
    assert wrong == [], f"seed {seed}"
    children = "SELECT count(*), count(DISTINCT item) FROM executions WHERE item IS NOT NULL"
    assert ledger.read(database, children) == [(ITEMS, ITEMS)]
    assert ledger.read(database, "SELECT number FROM map_runs WHERE open") == []


def begin(daemon, life):
    """Start the map run, in the first life, and some Express executions; inputs of these."""
    role = "arn:aws:iam::123456789012:role/role"
    if not life:
        definition = orjson.dumps(EXPRESS).decode()
        made = {"name": "express", "definition": definition, "roleArn": role, "type": "EXPRESS"}
        daemon.aws("CreateStateMachine", **made)
        given = orjson.dumps(list(range(ITEMS))).decode()
        daemon.aws("StartExecution", stateMachineArn=f"{MACHINE}:map", name="n", input=given)
    inputs = [orjson.dumps({"life": life, "number": n}).decode() for n in range(10)]
    for each in inputs:
        daemon.aws("StartExecution", stateMachineArn=f"{MACHINE}:express", input=each)
    return [each.encode() for each in inputs]


def succeeded(daemon):
    """The parent, when it has."""
    arn = f"{MACHINE}:map:n".replace(":stateMachine:", ":execution:")
    row = daemon.aws("DescribeExecution", executionArn=arn)
    assert row["status"] in {"RUNNING", "SUCCEEDED"}, row
    return row if row["status"] == "SUCCEEDED" else None
