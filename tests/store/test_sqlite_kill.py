"""What was acknowledged survives SIGKILL, and units are there whole or not at all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.store.protocol import ExecutionFilter, Page
from gateway.store.sqlite import open_sqlite

WRITER = """
import sys
import trio
from gateway.store.sqlite import open_sqlite
from store_rows import execution, history, inserts, timer

async def commit(store, first):
    for n in range(first, 1_000_000, 20):
        await store.commit(inserts(execution(n), history(n), timer(n)))
        print(n, flush=True)

async def main():
    async with open_sqlite(sys.argv[1]) as store, trio.open_nursery() as nursery:
        for first in range(1, 21):
            nursery.start_soon(commit, store, first)

trio.run(main)
"""


@pytest.mark.slow
@pytest.mark.parametrize("acknowledged", [1, 150, 1_000])
async def test_what_was_acknowledged_survives_a_kill(path, acknowledged):
    """After SIGKILL in the middle of commits each acknowledged unit is there, and none in part."""
    seen = _kill_after(path, acknowledged)
    async with open_sqlite(path) as store:
        listing = await store.executions(ExecutionFilter(), Page(100_000))
        held = {row.id for row in listing.rows}
        assert seen <= held
        for identity in held:
            assert len(await store.history(identity)) == 1
            assert len(await store.execution_timers(identity)) == 1
        assert await store.history(max(held) + 1) == []


def _kill_after(path, acknowledged):
    """Run a writer until it has told so many units, kill it; all that it has told."""
    folder = __file__.rpartition("/")[0]
    command = [sys.executable, "-c", f"import sys; sys.path.append({folder!r})\n" + WRITER, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        told = [writer.stdout.readline() for _ in range(acknowledged)]
        writer.kill()
        told += writer.stdout.readlines()
    # The last line may have been cut off in the middle by the kill.
    return {int(line) for line in told if line.endswith("\n")}
