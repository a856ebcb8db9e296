"""Many calls at once: as many as are allowed are under way together, and no more."""

from __future__ import annotations

import json

import pytest
import trio

from tests.engine.rig import machine
from tests.tasks.functions_rig import calling, function

pytestmark = pytest.mark.slow

CALLS = 1000
ROWS = 40
"""An inline Map runs forty iterations at a time."""


class Gate:
    """An HTTP server that answers nobody until so many ask at once."""

    def __init__(self, wanted):
        self._wanted = wanted
        self._open = trio.Event()
        self.asking = 0
        self.most = 0

    async def answer(self, stream):
        """One connection, request after request."""
        rest = b""
        async with stream:
            while b"\r\n\r\n0" not in rest:
                if not (chunk := await stream.receive_some()):
                    return
                rest += chunk
            self.asking += 1
            self.most = max(self.most, self.asking)
            if self.asking == self._wanted:
                self._open.set()
            await self._open.wait()
            self.asking -= 1
            told = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1"
            await stream.send_all(told)


def map_of_maps():
    """Calls ``f`` for each of the items of each of the rows."""
    call = {
        "Type": "Task",
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "End": True,
    }
    inner = {"StartAt": "T", "States": {"T": call}}
    row = {"Type": "Map", "ItemProcessor": inner, "End": True}
    rows = {"StartAt": "R", "States": {"R": row}}
    return machine(M={"Type": "Map", "ItemProcessor": rows, "End": True})


async def outcome(gate, concurrency):
    """The output of a thousand calls through the gate."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=2 * CALLS)
    url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
    settings = function(type="http", url=url, allow_private=True, concurrency=concurrency)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, gate.answer, listeners)
        async with calling(settings) as rig:
            row, _ = await rig.engine.catalog.create_machine("m", map_of_maps())
            given = json.dumps([[0] * (CALLS // ROWS)] * ROWS)
            started = await rig.engine.start_execution(row.arn, "n", given)
            ended = await rig.end(started.row.arn, 120)
        nursery.cancel_scope.cancel()
    return json.loads(ended.output)


async def test_a_thousand_calls_are_under_way_at_once():
    """None is answered before all of them ask: so none waits for another."""
    assert await outcome(Gate(CALLS), CALLS) == [[1] * (CALLS // ROWS)] * ROWS


async def test_no_more_than_the_bound_are_under_way():
    """The others wait for their place, and all are answered in the end."""
    gate = Gate(1)
    assert await outcome(gate, 7) == [[1] * (CALLS // ROWS)] * ROWS
    assert gate.most <= 7
