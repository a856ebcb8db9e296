"""Services: crashes are contained and shown, a reload disturbs only what changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog
import trio
from trio.testing import wait_all_tasks_blocked

from gateway.daemon.services import HEALTHY_SECONDS, Service, Services
from gateway.store.failures import StoreClosed


class Fake:
    """A service that notes its runs; ``crash`` ends each run at once."""

    def __init__(self, settings, crash=None):
        self.settings = settings
        self.crash = crash
        self.starts = []
        self.ends = []

    @property
    def service(self):
        """The service."""
        return Service(self.settings, self.run, lambda: {"state": "running"})

    async def run(self):
        """Until cancelled, or the crash."""
        self.starts.append(trio.current_time())
        if self.crash:
            await self.crash()
            return
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)  # a graceful end takes its time
            self.ends.append(trio.current_time())


@pytest.fixture
async def services(nursery):
    """Without any service yet."""
    return Services("source", nursery, structlog.get_logger())


async def test_a_crash_is_shown_and_the_service_started_again(services, autojump_clock):
    """Pauses of 1, 2 and 4 s; the status is red meanwhile and says why."""

    async def crash():
        raise ExceptionGroup("nursery", [ValueError("no such queue")])

    broken = Fake("a", crash)
    await services.configure({"orders": broken.service})
    await trio.sleep(0.5)
    assert services.status()["orders"]["state"] == "failed"
    assert services.status()["orders"]["reason"] == "ValueError: no such queue"
    await trio.sleep(7)
    assert broken.starts == [0, 1, 3, 7]


async def test_a_disk_that_has_failed_is_no_crash(autojump_clock):
    """It ends them all: what is left to do is to say why, once."""

    async def crash():
        raise StoreClosed("the disk is broken")

    with pytest.RaisesGroup(StoreClosed), structlog.testing.capture_logs() as said:
        async with trio.open_nursery() as nursery:
            services = Services("source", nursery, structlog.get_logger())
            await services.configure({"orders": Fake("a", crash).service})
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    assert said == []


async def test_one_that_returns_is_started_again(services, autojump_clock):
    """A service never ends by itself; one that does is treated as crashed."""
    brief = Fake("a", trio.lowlevel.checkpoint)
    await services.configure({"orders": brief.service})
    await trio.sleep(1.5)
    assert brief.starts == [0, 1]
    assert services.status()["orders"] == {
        "state": "failed",
        "reason": "ended by itself",
        "crashes": 1,
    }


async def test_one_that_may_overlap_takes_over_at_once(services, autojump_clock):
    """Whether it keeps its name or not; all others wait until every old one has ended."""
    old, other, renamed, new, queue = (Fake(name) for name in "abcde")
    await services.configure({"hook": old.service, "gone": other.service})
    await trio.sleep(10)
    wanted = {"hook": new, "renamed": renamed, "queue": queue}
    overlapping = {
        name: replace(fake.service, overlaps=fake is not queue) for name, fake in wanted.items()
    }
    changed = await services.configure(overlapping)
    await wait_all_tasks_blocked()
    assert changed == ["gone", "hook", "queue", "renamed"]
    assert (old.ends, other.ends) == ([11], [11])
    assert (new.starts, renamed.starts, queue.starts) == ([10], [10], [11])
    assert set(services.status()) == set(wanted)
    await services.configure({})
    assert (new.ends, renamed.ends, queue.ends) == ([12], [12], [12])
    assert services.status() == {}


async def test_a_healthy_minute_makes_the_next_crash_the_first(services, autojump_clock):
    """The pause does not grow over days."""

    async def crash_later():
        await trio.sleep(HEALTHY_SECONDS)
        raise ValueError

    tired = Fake("a", crash_later)
    await services.configure({"orders": tired.service})
    await trio.sleep(190)
    assert tired.starts == [0, 61, 122, 183]


async def test_the_longest_pause_is_a_minute(services, autojump_clock):
    """However often it crashed, it is tried once a minute."""

    async def crash():
        raise ValueError

    broken = Fake("a", crash)
    await services.configure({"orders": broken.service})
    await trio.sleep(600)
    assert broken.starts[-1] - broken.starts[-2] == 60


async def test_a_reload_swaps_what_changed_and_nothing_else(services, autojump_clock):
    """A changed one starts when its predecessor has ended; an equal one is not touched."""
    same, old, gone = Fake("same"), Fake("old"), Fake("gone")
    before = {"same": same.service, "changed": old.service, "gone": gone.service}
    assert await services.configure(before) == ["changed", "gone", "same"]
    await trio.sleep(10)
    again, new, added = Fake("same"), Fake("new"), Fake("added")
    after = {"same": again.service, "changed": new.service, "added": added.service}
    assert await services.configure(after) == ["added", "changed", "gone"]
    await trio.sleep(10)
    assert (same.starts, same.ends, again.starts) == ([0], [], [])
    assert (old.ends, gone.ends, new.starts, added.starts) == ([11], [11], [11], [11])
    assert list(services.status()) == ["added", "changed", "same"]


async def test_cancelling_the_nursery_ends_them_gracefully(autojump_clock):
    """Each gets the time that its own end needs."""
    fake = Fake("a")
    async with trio.open_nursery() as nursery:
        await Services("source", nursery, structlog.get_logger()).configure({"a": fake.service})
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert fake.ends == [6]


async def test_a_failed_service_can_be_replaced_during_its_pause(services, autojump_clock):
    """A reload that repairs the configuration takes effect at once."""

    async def crash():
        raise ValueError

    broken, repaired = Fake("broken", crash), Fake("repaired")
    await services.configure({"orders": broken.service})
    await trio.sleep(4)
    await services.configure({"orders": repaired.service})
    await wait_all_tasks_blocked()
    assert repaired.starts == [4]
    assert services.status()["orders"] == {"state": "running"}


async def test_a_reload_waits_for_a_pause_to_end(services, nursery, autojump_clock):
    """A service that is changed while it is paused runs once afterwards, in its new form."""
    old, new = Fake("old"), Fake("new")
    await services.configure({"orders": old.service})
    reloaded = trio.Event()

    async def reload():
        await services.configure({"orders": new.service})
        reloaded.set()

    async with services.paused(["orders"]):
        nursery.start_soon(reload)
        await trio.sleep(5)
    await reloaded.wait()
    await wait_all_tasks_blocked()
    assert len(old.starts) == len(old.ends)
    assert len(new.starts) == 1
    assert not new.ends


async def test_two_who_stop_the_same_service_at_once(services, nursery, autojump_clock):
    """Two pauses one after the other, although they were asked for together; then it runs again."""
    fake = Fake("a")
    await services.configure({"orders": fake.service})
    inside = []

    async def pause():
        async with services.paused(["orders"]):
            inside.append(len(fake.starts) - len(fake.ends))
            await trio.sleep(1)

    async with trio.open_nursery() as both:
        both.start_soon(pause)
        both.start_soon(pause)
    await wait_all_tasks_blocked()
    assert inside == [0, 0]
    assert len(fake.starts) - len(fake.ends) == 1
