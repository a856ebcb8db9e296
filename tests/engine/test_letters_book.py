"""What a person may do with letters, and that a letter holds its message whole."""

import json

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from outbox_rig import START, FakeSink, World, execution, now, route

from gateway.engine.letters import (
    Letters,
    dead_letter_sink,
    is_dead_letter,
    letter_message,
    message_letter,
)
from gateway.errors import ApiError, Gone, Rejected, Unavailable
from gateway.sources.protocol import Message
from gateway.store.protocol import Page
from gateway.store.rows import LetterRow

MESSAGE = Message(
    "m-1",
    {"total": 0},
    START,
    "m-1",
    "queue orders, message m-1",
    {"attributes": {"SenderId": "x"}},
    "00-trace",
)


class Trigger:
    """Takes letters again, or refuses to."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.refusal: ApiError | None = None

    async def redeliver(self, letter: LetterRow) -> None:
        """As the daemon's, which finds the trigger by the letter's origin."""
        await trio.lowlevel.checkpoint()
        if self.refusal is not None:
            raise self.refusal
        self.taken.append(letter_message(letter))


def letters_of(world: World, trigger: Trigger | None = None) -> Letters:
    """The letters of a world."""
    return Letters(
        world.store,
        now,
        has_sink=world.outbox.has_sink,
        wake=world.outbox.wake,
        redeliver=(trigger or Trigger()).redeliver,
    )


async def keep(world: World, *, dead_letter: bool = False) -> LetterRow:
    """Keep MESSAGE as a letter."""
    unit = message_letter("orders", MESSAGE, "no name", START, dead_letter)
    await world.store.commit(unit)
    return unit[0].row


def test_a_letter_says_what_and_why():
    """Origin, reason and coordinates can be read without taking the body apart."""
    [insert] = message_letter("orders", MESSAGE, "no name", START, dead_letter=False)
    letter = insert.row
    assert (letter.kind, letter.origin, letter.reason) == ("message", "orders", "no name")
    assert (letter.created_at, letter.coordinates) == (START, MESSAGE.coordinates)
    assert letter_message(letter) == MESSAGE


json_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_documents, st.dictionaries(st.text(), json_documents, max_size=3))
def test_any_message_comes_back_as_it_was(body, members):
    """Integers of any size and lone surrogates included; the text can be written as UTF-8."""
    message = Message("m", body, START, "m", "somewhere", members)
    [insert] = message_letter("orders", message, "reason", START, dead_letter=False)
    assert letter_message(insert.row) == message
    assert insert.row.body.encode()


def test_what_is_no_json_is_kept_as_text():
    """A source's mistake must not lose the message."""
    message = Message("m", b"\xff", START, "m", "somewhere")
    [insert] = message_letter("orders", message, "reason", START, dead_letter=False)
    assert letter_message(insert.row).body == r"b'\xff'"


def test_the_names_of_dead_letter_targets():
    """They cannot be mistaken for sinks: no legal name has a colon."""
    assert is_dead_letter(dead_letter_sink("orders"))
    assert not is_dead_letter("orders")


async def test_listing_and_showing(autojump_clock):
    """Newest first, by origin or all; a letter that is not there is named."""
    world = World()
    letter = await keep(world)
    letters = letters_of(world)
    assert await letters.list("orders", Page(10)) == ([letter], None)
    assert await letters.list("other", Page(10)) == ([], None)
    assert await letters.show(letter.id) == letter
    for attempt in (letters.show, letters.retry, letters.drop):
        with pytest.raises(ApiError, match="There is no letter 'nope'") as failure:
            await attempt("nope")
        assert failure.value.code == "LetterDoesNotExist"


async def test_dropping(autojump_clock):
    """It is gone, and so is what was on its way to a dead-letter target."""
    world = World()
    letter = await keep(world, dead_letter=True)
    await letters_of(world).drop(letter.id)
    assert not await world.letters()
    assert not await world.waiting(dead_letter_sink("orders"))


@pytest.mark.parametrize("way", ["drop", "retry"])
async def test_a_letter_that_goes_while_it_is_being_sent(way, autojump_clock):
    """What is dropped or retried while its dead-letter target is tried is not sent once more."""
    sink = FakeSink(lambda _: Unavailable("down"), seconds=5)
    world = World(route(sink, dead_letter_sink("orders"), when=frozenset()))
    async with world.running():
        letter = await keep(world, dead_letter=True)
        world.outbox.wake()
        await trio.sleep(1)
        await getattr(letters_of(world), way)(letter.id)
        await trio.sleep(3600)
    assert len(sink.sent) == 1
    assert await world.waiting(dead_letter_sink("orders")) == []
    assert await world.letters() == []


async def test_retrying_a_message(autojump_clock):
    """It goes through its trigger again; the letter goes when that has an outcome."""
    world, trigger = World(), Trigger()
    letter = await keep(world, dead_letter=True)
    await letters_of(world, trigger).retry(letter.id)
    assert trigger.taken == [MESSAGE]
    assert not await world.letters()
    assert not await world.waiting(dead_letter_sink("orders"))


async def test_a_message_that_is_refused_again_stays(autojump_clock):
    """The reason is told, and the letter is as it was."""
    world, trigger = World(), Trigger()
    trigger.refusal = ApiError("MessageRefused", "still no name")
    letter = await keep(world)
    with pytest.raises(ApiError, match="still no name"):
        await letters_of(world, trigger).retry(letter.id)
    assert await world.letters() == [letter]


async def test_retrying_a_notification_sends_it_late_under_its_id(autojump_clock):
    """It has the full time again, and the receiver is told that it is late."""
    answers = [Rejected("too long"), Unavailable("busy")]
    sink = FakeSink(lambda notification: answers.pop(0) if answers else None)
    async with World(route(sink)).running() as world:
        await world.tell(execution(1))
        await trio.sleep(100)
        [letter] = await world.letters()
        await letters_of(world).retry(letter.id)
        assert not await world.letters()
        [row] = await world.waiting()
        assert (row.id, row.late, row.attempts, row.created_at) == (letter.id, True, 0, now())
        await trio.sleep(10)
        [first, second, third] = [notification for _, notification in sink.sent]
        assert (first.late, second.late, third.late) == (False, True, True)
        assert first.id == second.id == third.id
        assert first.event == third.event
        assert not await world.waiting()


async def test_a_late_one_may_be_given_up_again(autojump_clock):
    """It becomes the same letter, with the new reason."""
    answers = [Rejected("too long"), Rejected("still too long")]
    sink = FakeSink(lambda notification: answers.pop(0))
    async with World(route(sink)).running() as world:
        await world.tell(execution(1))
        await trio.sleep(1)
        [letter] = await world.letters()
        await letters_of(world).retry(letter.id)
        await trio.sleep(1)
        [again] = await world.letters()
        assert (again.id, again.reason) == (letter.id, "still too long")
        assert json.loads(again.body)["late"] is True


async def test_without_its_sink_a_notification_cannot_be_retried(autojump_clock):
    """The remedy is told, and the letter stays."""
    sink = FakeSink(lambda notification: Rejected("too long"))
    async with World(route(sink)).running() as world:
        await world.tell(execution(1))
        await trio.sleep(1)
        [letter] = await world.letters()
        world.outbox.configure([])
        with pytest.raises(ApiError, match="is not configured: add it and reload"):
            await letters_of(world).retry(letter.id)
        assert await world.letters() == [letter]


async def test_one_sent_again_by_hand_opens_a_gone_sink(autojump_clock):
    """It is the person's way of asking whether the receiver is back."""
    answers = [Gone("answered 410"), Gone("answered 410"), None]
    sink = FakeSink(lambda notification: answers.pop(0) if answers else None)
    async with World(route(sink)).running() as world:
        await world.tell(execution(1))
        await trio.sleep(1)
        letters = letters_of(world)
        for state in ("gone", "running"):
            [letter] = await world.letters()
            await letters.retry(letter.id)
            await trio.sleep(1)
            assert (await world.outbox.status())["ops"]["state"] == state
        await world.tell(execution(2))
        await trio.sleep(1)
        assert sink.names == ["order-1 SUCCEEDED", "order-2 SUCCEEDED"]
