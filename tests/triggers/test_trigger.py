"""A trigger at work: outcomes, letters, positions, bugs, and when there is room."""

from __future__ import annotations

import orjson
import pytest
import trio
from structlog.testing import capture_logs

from gateway.engine.letters import letter_message
from gateway.errors import ApiError, Unavailable
from gateway.sources.protocol import Filtered, Refused, Started
from gateway.store.protocol import Page
from gateway.store.rows import PositionRow
from tests.triggers.world import NOW, message

WITH_ID = {"filter": {"body": {"id": [{"exists": True}]}}}
POSITION = PositionRow("group", "topic", 0, 17)


async def letters(gate):
    """All letters that the store has."""
    return (await gate.store.letters(None, Page(100)))[0]


async def test_starts(gate):
    """Each message starts an execution of its name, with its input and the trigger's name."""
    outcomes = await gate.trigger().deliver([message(1), message(2)])
    assert [o.name for o in outcomes] == ["orders-id-1", "orders-id-2"]
    assert not any(o.duplicate for o in outcomes)
    row = await gate.engine.execution(outcomes[0].arn)
    assert (row.status, row.trigger, orjson.loads(row.input)) == ("SUCCEEDED", "orders", {"id": 1})
    assert gate.counted("executions_started") == 2


async def test_redelivery_is_a_duplicate(gate):
    """A message that comes again has the execution that it has, and is counted."""
    trigger = gate.trigger()
    [first] = await trigger.deliver([message(1)])
    [again] = await trigger.deliver([message(1)])
    assert again == Started(first.arn, first.name, duplicate=True)
    assert gate.counted("messages_duplicate") == 1


async def test_one_name_twice_in_a_batch(gate):
    """Of two messages with one name in a batch, the second is a duplicate of the first."""
    trigger = gate.trigger(rules={"name": "$.body.order"})
    outcomes = await trigger.deliver([message(n, {"order": "x", "n": n}) for n in (1, 2)])
    assert [o.duplicate for o in outcomes] == [False, True]
    assert outcomes[0].arn == outcomes[1].arn
    assert orjson.loads((await gate.engine.execution(outcomes[0].arn)).input)["n"] == 1


async def test_mixed_batch_in_order(gate):
    """Outcomes stand in the order of the messages, whatever becomes of each."""
    trigger = gate.trigger(rules=WITH_ID | {"name": "$.body.name"})
    outcomes = await trigger.deliver(
        [message(1), message(2, {"x": 1}), message(3, {"id": 1, "name": "n"}), message(4)]
    )
    assert [type(o) for o in outcomes] == [Refused, Filtered, Started, Refused]
    assert gate.counted("messages_filtered") == 1
    assert gate.counted("letters_written") == 2


async def test_letter(gate):
    """What can never be taken is a letter with the whole message, under the outcome's id."""
    [outcome] = await gate.trigger(rules={"name": "$.body.nope"}).deliver(
        [message(1, attributes={"a": 1})]
    )
    [letter] = await letters(gate)
    assert letter.id == outcome.letter
    assert letter.reason == outcome.reason
    assert (letter.origin, letter.kind, letter.created_at) == ("orders", "message", NOW)
    assert letter_message(letter) == message(1, attributes={"a": 1})


async def test_unfit_from_the_start(gate):
    """What its source could not read is a letter, and no filter lets it fall under the table; tried
    again, it is no more fit than it was."""
    trigger = gate.trigger(rules=WITH_ID)
    [outcome] = await trigger.deliver([message(1, "[[")._replace(unfit="nested too deep")])
    [letter] = await letters(gate)
    assert (outcome.letter, letter.reason) == (letter.id, "nested too deep")
    with pytest.raises(ApiError, match="nested too deep"):
        await trigger.redeliver(letter)


async def test_one_message_has_one_letter(gate):
    """A refused message that comes again, since it could not be deleted, is the same letter; the
    same id with another body is another one."""
    trigger = gate.trigger(rules={"name": "$.body.id"}, dead_letter=True)
    for received in (message(1, {"x": 1}), message(1, {"x": 1}, received_count=2)):
        [first] = await trigger.deliver([received])
    [other] = await trigger.deliver([message(1, {"x": 2})])
    assert {letter.id for letter in await letters(gate)} == {first.letter, other.letter}
    assert first.letter != other.letter
    assert len(await gate.store.notifications("dead-letter:orders", NOW, 10)) == 2


async def test_far_side_keeps_it(gate):
    """Where the far side parks it itself, nothing is written and it is not to be acknowledged; the
    log has the reason, which is nowhere else."""
    with capture_logs() as said:
        [outcome] = await gate.trigger(rules={"name": "$.body.nope"}).deliver(
            [message(1)], redrives=True
        )
    assert isinstance(outcome, Refused)
    assert outcome.letter is None
    assert await letters(gate) == []
    assert [line["reason"] for line in said] == [outcome.reason]
    assert (gate.counted("messages_refused"), gate.counted("letters_written")) == (1, 0)


async def test_dead_letter_goes_before_redrive(gate):
    """With a dead_letter target the letter is ours, and its notification is in the same unit."""
    trigger = gate.trigger(rules={"name": "$.body.nope"}, dead_letter=True)
    [outcome] = await trigger.deliver([message(1)], redrives=True)
    [letter] = await letters(gate)
    assert outcome.letter == letter.id
    [notification] = await gate.store.notifications("dead-letter:orders", NOW, 10)
    assert notification.id == letter.id


async def test_machine_is_gone(gate):
    """A trigger whose machine is not there keeps its messages as letters."""
    [outcome] = await gate.trigger("nobody").deliver([message(1)])
    assert outcome.reason == "the machine nobody is gone"
    assert len(await letters(gate)) == 1


@pytest.mark.parametrize("runs", [False, True], ids=["gone", "being deleted"])
async def test_machine_goes_while_a_batch_is_started(gate, monkeypatch, runs):
    """Messages that meet the end of their machine are letters that say so; positions follow."""
    names, arn = gate.store.names, gate.catalog.machine_arn("fast")
    if runs:
        arn = gate.catalog.machine_arn("slow")
        await gate.engine.start_execution(arn, "runs", "{}")

    async def deleting(machine_arn, wanted):
        await gate.catalog.delete_machine(arn)
        return await names(machine_arn, wanted)

    monkeypatch.setattr(gate.store, "names", deleting)
    trigger = gate.trigger("slow" if runs else "fast")
    outcomes = await trigger.deliver([message(1), message(2)], positions=[POSITION])
    reason = f"the machine {'slow' if runs else 'fast'} is gone"
    assert [outcome.reason for outcome in outcomes] == [reason] * 2
    assert len(await letters(gate)) == 2
    assert await gate.store.positions("group") == [POSITION]
    assert gate.running.count("orders") == 0


async def test_positions(gate):
    """Positions are written with what they cover, also when nothing is started."""
    trigger = gate.trigger(rules=WITH_ID)
    await trigger.deliver([message(1, {"x": 1})], positions=[POSITION])
    assert await gate.store.positions("group") == [POSITION]
    await trigger.deliver([message(2)], positions=[POSITION._replace(offset=18)])
    assert await gate.store.positions("group") == [POSITION._replace(offset=18)]


class Hostile(dict):
    """A body that hits a bug."""

    def get(self, *_):
        """Fail in a way that nobody foresaw."""
        raise ZeroDivisionError("boom")


async def test_bug_in_judging(gate):
    """A bug for one message is a letter for that message; the others go on."""
    trigger = gate.trigger(rules=WITH_ID)
    outcomes = await trigger.deliver([message(1), message(2, Hostile(id=2)), message(3)])
    assert [type(o) for o in outcomes] == [Started, Refused, Started]
    assert outcomes[1].reason == "a bug of Stategate: ZeroDivisionError: boom"
    assert len(await letters(gate)) == 1


async def test_bug_in_starting(gate, monkeypatch):
    """A bug in the start of one message is a letter for that one; positions follow."""
    start = gate.engine.start

    async def buggy(starts, **more):
        if any(request.name == "orders-id-2" for request in starts):
            raise ZeroDivisionError("boom")
        return await start(starts, **more)

    monkeypatch.setattr(gate.engine, "start", buggy)
    trigger = gate.trigger()
    outcomes = await trigger.deliver([message(n) for n in (1, 2, 3)], positions=[POSITION])
    assert [type(o) for o in outcomes] == [Started, Refused, Started]
    assert [letter.coordinates for letter in await letters(gate)] == [message(2).coordinates]
    assert await gate.store.positions("group") == [POSITION]
    assert gate.running.count("orders") == 0


async def test_full_while_a_bug_is_looked_for(gate, monkeypatch):
    """A disk that fills up between the starts of a batch is no bug: nothing more is taken."""
    calls = []

    async def failing(starts, **more):
        calls.append(starts)
        raise Unavailable("the disk is full") if len(calls) > 1 else ZeroDivisionError("boom")

    monkeypatch.setattr(gate.engine, "start", failing)
    with pytest.raises(Unavailable):
        await gate.trigger().deliver([message(1), message(2)])
    assert len(calls) == 2
    assert await letters(gate) == []


async def test_unavailable(gate, monkeypatch, autojump_clock):
    """While the engine takes nothing, nothing is counted and there is no room until it says so."""

    async def full(starts, **more):
        raise Unavailable("the disk is full", 5.0)

    trigger = gate.trigger()
    assert trigger.full() is None
    with monkeypatch.context() as patch:
        patch.setattr(gate.engine, "start", full)
        with pytest.raises(Unavailable):
            await trigger.deliver([message(1)])
    with pytest.raises(Unavailable, match="the disk is full") as away:
        trigger.full()
    assert away.value.retry_after == 5.0
    await trigger.room()
    assert trio.current_time() == pytest.approx(5.0)
    assert trigger.full() is None
    assert gate.running.count("orders") == 0
    [outcome] = await trigger.deliver([message(1)])
    assert not outcome.duplicate


async def test_max_running(gate, autojump_clock):
    """With max_running executions running there is no room until one of them ends."""
    trigger = gate.trigger("slow", max_running=2)
    outcomes = await trigger.deliver([message(1), message(2)])
    assert trigger.full() == 1.0
    with trio.move_on_after(10) as waited:
        await trigger.room()
    assert waited.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trigger.room)
        await gate.engine.stop_execution(outcomes[0].arn, None, None)
    assert trigger.full() is None
    await trigger.deliver([message(2)])
    assert gate.running.count("orders") == 1


async def test_ends_of_others(gate):
    """An execution that no trigger started makes no room for any."""
    await gate.trigger("slow").deliver([message(1)])
    arn = gate.catalog.machine_arn("slow")
    other = await gate.engine.start_execution(arn, "by-hand", "{}", None)
    await gate.engine.stop_execution(other.row.arn, None, None)
    assert gate.running.count("orders") == 1


async def test_redeliver(gate):
    """A letter's message is tried again; a second refusal writes no second letter."""
    await gate.trigger("nobody").deliver([message(1)])
    [letter] = await letters(gate)
    with pytest.raises(ApiError, match="MessageRefused"):
        await gate.trigger("nobody").redeliver(letter)
    assert await letters(gate) == [letter]
    await gate.trigger().redeliver(letter)
    arn = gate.catalog.execution_arn("fast", "orders-id-1")
    assert (await gate.engine.execution(arn)).status == "SUCCEEDED"
