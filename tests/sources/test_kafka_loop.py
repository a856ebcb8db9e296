"""The thread of the Kafka loop: how it ends."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
from kafka_rig import Cluster, KafkaTrigger, reading, source

from gateway.sources.kafka import KafkaSource
from gateway.sources.kafka_loop import KafkaLoop


@pytest.fixture
def nobody() -> Cluster:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return Cluster(f"127.0.0.1:{taken.getsockname()[1]}")


async def test_a_crash_in_the_thread_comes_out_of_run(
    nobody: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a bug: the daemon restarts the source with back-off, and says so."""

    async def crash(self: KafkaLoop) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(KafkaLoop, "_serve", crash)
    settings, trigger = source(nobody, "orders"), KafkaTrigger()
    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True), trio.fail_after(10):
        await settings.run(trigger.intake())


async def test_nobody_at_the_address_is_backed_off_from(nobody: Cluster) -> None:
    """The report names the addresses; cancelling ends it at once."""
    trigger = KafkaTrigger()
    async with reading(source(nobody, "orders"), trigger):
        await trigger.until(lambda: trigger.waits_for(nobody.brokers))
        assert trigger.state == "backing-off"
    assert trigger.states[0] == "starting"


def test_a_loop_stopped_before_it_runs_ends_at_once(nobody: Cluster) -> None:
    """The order of a command and the thread's start does not matter; commands after it are void."""
    events: list[Any] = []
    settings: KafkaSource = source(nobody, "orders")
    loop = KafkaLoop(settings, events.append)
    loop.stop()
    loop.run()
    loop.stop()
    assert events == []
