"""What the in-memory store does otherwise than the durable one."""

from __future__ import annotations

import pytest
import trio
from store_rows import execution, inserts

from gateway.errors import Rejected
from gateway.store.failures import StoreClosed
from gateway.store.memory import open_memory


async def test_it_lasts_as_long_as_its_context():
    """Afterwards nothing is taken any more."""
    async with open_memory() as store:
        await store.commit(inserts(execution(1)))
    with pytest.raises(StoreClosed):
        await store.commit(inserts(execution(2)))


async def test_there_is_nothing_to_back_up(tmp_path):
    """A backup is refused rather than left empty."""
    async with open_memory() as store:
        with pytest.raises(Rejected, match="in-memory"):
            await store.backup(str(tmp_path / "copy.db"))


async def test_it_lets_a_test_clock_jump(autojump_clock):
    """It uses no thread, so an hour beside its commits and reads passes at once."""
    async with open_memory() as store, trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 3_600)
        for n in range(1, 10):
            await store.commit(inserts(execution(n)))
            assert await store.last_execution() == n
        assert trio.current_time() < 1
    assert trio.current_time() >= 3_600
