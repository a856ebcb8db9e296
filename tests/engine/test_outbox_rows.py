"""What the outbox writes: ids, letters, deletes; and that a crash or a bug loses nothing."""

import json

import pytest
import trio
from outbox_rig import FINAL, START, FakeSink, World, execution, route

from gateway.asl.errors import StateError
from gateway.engine.letters import dead_letter_sink, message_letter
from gateway.errors import Rejected, Unavailable
from gateway.sources.protocol import Message
from gateway.store.changes import DeleteLetter, DeleteNotification, Insert, Unit
from gateway.store.failures import StoreClosed, StoreFull
from gateway.store.memory import MemoryStore
from gateway.store.rows import NotificationRow

ALL = FINAL | {"RUNNING"}
HOUR = 3_600.0


def inserted(world: World, *arguments: object) -> list[NotificationRow]:
    """The rows that the outbox wants inserted."""
    return [change.row for change in world.outbox.inserts(*arguments)]


def test_sinks_hear_of_what_they_ask_for():
    """``when`` and ``machines`` choose; no sink, no row."""
    world = World(
        route(FakeSink(), "all", when=ALL),
        route(FakeSink(), "failures", when=frozenset({"FAILED"})),
        route(FakeSink(), "orders", machines=frozenset({"fulfil"})),
    )

    def told(status, machine):
        return [row.sink for row in inserted(world, execution(1, status), machine)]

    assert told("RUNNING", "fulfil") == ["all"]
    assert told("FAILED", "fulfil") == ["all", "failures", "orders"]
    assert told("SUCCEEDED", "other") == ["all"]
    assert inserted(World(), execution(1), "fulfil") == []


def test_ids_are_stable_and_each_notifications_own():
    """One per execution, start, status and sink, the same after a restart of the daemon."""
    sinks = route(FakeSink(), "a", when=ALL), route(FakeSink(), "b", when=ALL)
    rows = [
        row
        for number in (1, 2)
        for status in ("RUNNING", "SUCCEEDED")
        for row in inserted(World(*sinks), execution(number, status), "fulfil")
    ]
    rows += inserted(World(*sinks), execution(1, start_at=START + 1), "fulfil")
    assert len({row.id for row in rows}) == 10
    [first, _] = inserted(World(*sinks), execution(1, "RUNNING"), "fulfil")
    assert first == rows[0]


def test_a_row_holds_the_event_under_its_id():
    """The body is the status-change event; start and end are in order, due when they happen."""
    world = World(route(FakeSink(), when=ALL))
    [start] = inserted(world, execution(1, "RUNNING"), "fulfil")
    [end] = inserted(world, execution(1, stop_at=START + 5), "fulfil")
    assert json.loads(end.body)["id"] == end.id
    assert json.loads(end.body)["detail"]["status"] == "SUCCEEDED"
    assert (start.execution, start.sequence, start.due) == (1, 0, START)
    assert (end.execution, end.sequence, end.due) == (1, 1, START + 5)


async def test_rejected_becomes_a_letter_at_once(autojump_clock):
    """The letter has the whole row, and takes its place in the same unit."""
    sink = FakeSink(lambda notification: Rejected("too long"))
    async with World(route(sink)).running() as world:
        await world.tell(execution(1))
        [row] = await world.waiting()
        await trio.sleep(1)
        [letter] = await world.letters()
        assert (letter.reason, len(sink.sent)) == ("too long", 1)
        assert NotificationRow(**json.loads(letter.body)) == row
        assert not await world.waiting()


async def test_the_template_makes_the_message(autojump_clock):
    """It sees the event as ``$``, and makes the same of it in every attempt."""
    replies = iter([Unavailable("busy")])
    sink = FakeSink(lambda notification: next(replies, None))

    def template(scope):
        return {"status": scope.data["detail"]["status"], "dice": scope.random.random()}

    async with World(route(sink, message=template)).running() as world:
        await world.tell(execution(1))
        await trio.sleep(10)
        [(_, first), (_, second)] = sink.sent
        assert first.message["status"] == "SUCCEEDED"
        assert first.message == second.message


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (StateError("States.Runtime", "no such path"), "no such path"),
        (ZeroDivisionError("division by zero"), "a bug in the sink's message: ZeroDivisionError"),
    ],
)
async def test_a_template_that_fails_makes_a_letter(autojump_clock, failure, reason):
    """Trying again would be of no use, and the sink is not to blame."""
    sink = FakeSink()

    def template(scope):
        raise failure

    async with World(route(sink, message=template)).running() as world:
        await world.tell(execution(1))
        await trio.sleep(1)
        [letter] = await world.letters()
        assert reason in letter.reason
        assert not sink.sent
        assert (await world.outbox.status())["ops"]["failures"] == 0


async def test_a_bug_in_a_sink_is_a_failure_like_others(autojump_clock):
    """It is tried again, and other sinks go on."""
    replies = iter([KeyError("oops"), RuntimeError("oops")])
    buggy, sound = FakeSink(lambda notification: next(replies, None)), FakeSink()
    async with World(route(buggy, "buggy"), route(sound, "sound")).running() as world:
        await world.tell(execution(1))
        await trio.sleep(0.5)
        [row] = await world.waiting("buggy")
        assert row.last_error == "a bug: KeyError, see the log"
        await trio.sleep(10)
        assert buggy.names == sound.names == ["order-1 SUCCEEDED"]


class Crashing(MemoryStore):
    """Ends, as by ``kill -9``, when the first notification is to be deleted."""

    crashed = False

    async def commit(self, unit: Unit) -> None:
        """Nothing of the unit is written in the crash."""
        if not self.crashed and isinstance(unit[0], DeleteNotification):
            self.crashed = True
            raise StoreClosed("killed")
        await super().commit(unit)


async def test_a_crash_between_send_and_delete_repeats_under_the_same_id(autojump_clock):
    """The receiver can tell that it has seen it."""
    sink, store = FakeSink(), Crashing()
    world = World(route(sink), store=store)
    with pytest.RaisesGroup(pytest.RaisesExc(StoreClosed), flatten_subgroups=True):
        async with world.running():
            await world.tell(execution(1))
            await trio.sleep(1)
    async with World(route(sink), store=store).running() as again:
        await trio.sleep(1)
        assert not await again.waiting()
    assert [notification.id for notification in sink.accepted] == [sink.accepted[0].id] * 2


class Full(MemoryStore):
    """Has no room for a while."""

    refusals = 3

    async def commit(self, unit: Unit) -> None:
        """Refuses the first deletes."""
        if self.refusals and isinstance(unit[0], DeleteNotification):
            self.refusals -= 1
            raise StoreFull
        await super().commit(unit)


async def test_a_full_disk_is_waited_for(autojump_clock):
    """What was accepted is not sent again meanwhile; its delete is tried until there is room."""
    sink = FakeSink()
    async with World(route(sink), store=Full()).running() as world:
        await world.tell(execution(1))
        await trio.sleep(HOUR)
        assert len(sink.sent) == 1
        assert not await world.waiting()


async def test_notifications_of_a_removed_sink_become_letters(autojump_clock):
    """Also those that were on their way, and those that were committed a moment later."""
    kept, removed = FakeSink(), FakeSink(lambda notification: Unavailable("busy"))
    async with World(route(kept, "kept"), route(removed, "removed")).running() as world:
        await world.tell(execution(1))
        await trio.sleep(0.1)
        late = world.outbox.inserts(execution(2), "fulfil")
        world.outbox.configure([route(kept, "kept")])
        await trio.sleep(0.1)
        await world.store.commit(late)
        world.outbox.committed(late)
        await trio.sleep(0.1)
        letters = await world.letters()
        assert {letter.origin for letter in letters} == {"removed"}
        assert {letter.reason for letter in letters} == {"the sink is no longer configured"}
        assert len(letters) == len(kept.accepted) == 2
        assert (await world.outbox.status())["removed"]["state"] == "removed"
        assert (world.outbox.has_sink("kept"), world.outbox.has_sink("removed")) == (True, False)


async def test_notifications_of_a_sink_removed_while_the_daemon_was_down(autojump_clock):
    """They are found at the start and become letters."""
    before = World(route(FakeSink()))
    await before.tell(execution(1))
    async with World(store=before.store).running() as world:
        await trio.sleep(1)
        [letter] = await world.letters()
        assert letter.reason == "the sink is no longer configured"


async def test_a_sink_added_by_a_reload_is_told(autojump_clock):
    """No restart is needed."""
    sink = FakeSink()
    async with World().running() as world:
        await trio.sleep(1)
        world.outbox.configure([route(sink)])
        await trio.sleep(1)
        await world.tell(execution(1))
        await trio.sleep(1)
        assert sink.names == ["order-1 SUCCEEDED"]


@pytest.mark.parametrize(
    ("trace", "sent"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("Root=1-5759e988-bd862e3fe1be46a994272793", False),
        (None, False),
    ],
)
async def test_a_traceparent_is_carried(autojump_clock, trace, sent):
    """A W3C traceparent of the execution goes with its notifications; other traces do not."""
    sink = FakeSink()
    row = execution(1, trace=trace)
    async with World(route(sink)).running() as world:
        await world.store.commit([Insert(row)])
        await world.tell(row)
        await trio.sleep(1)
        assert sink.accepted[0].trace == (trace if sent else None)


# ----------------------------------------------------------------- dead-letter targets
MESSAGE = Message("m-1", {"total": 0}, START, "m-1", "queue orders, message m-1")


def dead_letter_world(sink: FakeSink) -> World:
    """The trigger ``orders`` has a target."""
    return World(
        route(sink, dead_letter_sink("orders"), when=frozenset(), give_up_after_seconds=HOUR)
    )


async def refuse(world: World) -> str:
    """The trigger refuses a message; returns its letter's id."""
    unit = message_letter("orders", MESSAGE, "no name", START, dead_letter=True)
    await world.store.commit(unit)
    world.outbox.committed(unit)
    return unit[0].row.id


async def test_a_letter_that_its_target_accepts_is_gone(autojump_clock):
    """Letter and notification are deleted together; the target has the whole message."""
    sink = FakeSink()
    async with dead_letter_world(sink).running() as world:
        letter_id = await refuse(world)
        await trio.sleep(1)
        [notification] = sink.accepted
        assert notification.id == notification.event["letter"] == letter_id
        assert notification.event["reason"] == "no name"
        assert notification.event["message"]["body"] == {"total": 0}
        assert not await world.letters()
        assert not await world.waiting(dead_letter_sink("orders"))


@pytest.mark.parametrize("failure", [Rejected("too long"), Unavailable("busy")])
async def test_a_letter_that_its_target_does_not_take_stays(autojump_clock, failure):
    """It says both why the message was refused and why the target has not got it."""
    sink = FakeSink(lambda notification: failure)
    async with dead_letter_world(sink).running() as world:
        letter_id = await refuse(world)
        await trio.sleep(2 * HOUR)
        [letter] = await world.letters()
        assert (letter.id, letter.kind) == (letter_id, "message")
        assert letter.reason.startswith("no name (not taken by dead_letter: ")
        assert failure.reason in letter.reason
        assert not await world.waiting(dead_letter_sink("orders"))


async def test_a_letter_dropped_meanwhile_is_not_sent_for_ever(autojump_clock):
    """Its notification ends with it."""
    sink = FakeSink(lambda notification: Unavailable("busy"))
    async with dead_letter_world(sink).running() as world:
        letter = await world.store.letter(await refuse(world))
        await trio.sleep(5)
        await world.store.commit([Insert(letter._replace(id="other")), DeleteLetter(letter.id)])
        await trio.sleep(2 * HOUR)
        assert [kept.id for kept in await world.letters()] == ["other"]
        assert not await world.waiting(dead_letter_sink("orders"))
