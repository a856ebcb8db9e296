"""When notifications are sent: back-off, order, probing, giving up."""

from random import Random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from outbox_rig import FINAL, START, FakeSink, World, execution, route

from gateway.engine.sink_pump import CONCURRENCY, PROBE_AFTER
from gateway.errors import Gone, Rejected, Unavailable
from gateway.sinks.protocol import Notification
from gateway.store import memory
from tests.properties import examples

ALL = FINAL | {"RUNNING"}
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


class Away:
    """An answer that is Unavailable while ``down``."""

    def __init__(self) -> None:
        self.down = True

    def __call__(self, notification: Notification) -> Exception | None:
        """What the sink raises."""
        return Unavailable("answered 503") if self.down else None


async def test_what_is_accepted_is_gone(autojump_clock):
    """It is sent at once, with its id, and its row is deleted."""
    sink = FakeSink()
    async with World(route(sink)).running() as world:
        await world.tell(execution(1))
        [row] = await world.waiting()
        await trio.sleep(0.001)
        [(at, notification)] = sink.sent
        assert at == 0
        assert notification.id == row.id == notification.event["id"]
        assert (notification.attempt, notification.late) == (1, False)
        assert not await world.waiting()


async def test_delays_grow_with_jitter(autojump_clock):
    """1 s, 2 s, 4 s … up to 5 min, each at most a fifth off; the attempts are counted."""
    sink = FakeSink(Away())
    async with World(route(sink)).running() as world:
        await world.tell(execution(1))
        await trio.sleep(2 * HOUR)
        delays = [after - before for before, after in zip(sink.times, sink.times[1:], strict=False)]
        expected = [min(2.0**step, 300) for step in range(len(delays))]
        assert len(delays) > PROBE_AFTER + 15
        ratios = [delay / wanted for delay, wanted in zip(delays, expected, strict=True)]
        assert all(0.79 <= ratio <= 1.21 for ratio in ratios), ratios
        assert [notification.attempt for _, notification in sink.sent[:3]] == [1, 2, 3]
        [row] = await world.waiting()
        assert (row.attempts, row.last_error) == (len(sink.sent), "answered 503")


async def test_retry_after_is_honoured(autojump_clock):
    """A longer Retry-After takes the place of the delay; a shorter one does not."""
    replies = iter([Unavailable("busy", 90.0), Unavailable("busy", 0.1), None])
    sink = FakeSink(lambda notification: next(replies))
    async with World(route(sink)).running() as world:
        await world.tell(execution(1))
        await trio.sleep(HOUR)
        assert sink.times[1] == pytest.approx(90, abs=0.01)
        assert 1.59 <= sink.times[2] - sink.times[1] <= 2.41
        assert len(sink.accepted) == 1


async def test_order_within_an_execution(autojump_clock):
    """The end is not told before the start was accepted; other executions do not wait for that."""

    def answer(notification: Notification) -> Exception | None:
        stuck = notification.event["detail"]["name"] == "order-1" and notification.attempt < 4
        return Unavailable("not yet") if stuck else None

    sink = FakeSink(answer)
    async with World(route(sink, when=ALL)).running() as world:
        await world.tell(execution(1, "RUNNING"), execution(2, "RUNNING"))
        await world.tell(execution(1), execution(2, "FAILED"))
        await trio.sleep(MINUTE)
        assert sink.names[:2] == ["order-2 RUNNING", "order-2 FAILED"]
        assert sink.names[2:] == ["order-1 RUNNING", "order-1 SUCCEEDED"]


async def test_many_executions_at_a_time_but_not_too_many(autojump_clock):
    """Executions are told of side by side, up to the limit, and all are told of."""
    sink = FakeSink(seconds=1)
    async with World(route(sink)).running() as world:
        await world.tell(*(execution(number) for number in range(1, 101)))
        await trio.sleep(4.5)
        assert sink.most_at_a_time == CONCURRENCY
        assert len(set(sink.names)) == len(sink.accepted) == 100


async def test_one_slow_notification_holds_up_no_other(autojump_clock):
    """While one hangs, new ones are sent as soon as they are committed."""
    sink = FakeSink()
    async with World(route(sink)).running() as world:
        sink.seconds = HOUR
        await world.tell(execution(1))
        await trio.sleep(1)
        sink.seconds = 0
        await world.tell(execution(2))
        await trio.sleep(1)
        assert sink.names == ["order-2 SUCCEEDED"]


async def test_nothing_is_polled(autojump_clock, monkeypatch):
    """With nothing due, the store is not asked; what is committed is sent at once."""
    sink = FakeSink()
    async with World(route(sink)).running() as world:
        asked = 0
        notifications = world.store.notifications

        async def counted(*arguments):
            nonlocal asked
            asked += 1
            return await notifications(*arguments)

        monkeypatch.setattr(world.store, "notifications", counted)
        await trio.sleep(DAY)
        assert asked <= 2
        await world.tell(execution(1))
        await trio.sleep(0.001)
        assert sink.times == [DAY]


async def test_a_sink_that_fails_ten_times_is_probed(autojump_clock):
    """Then it gets one notification at a time, ever more rarely; the others are not tried."""
    away = Away()
    sink = FakeSink(away, seconds=0.01)
    async with World(route(sink)).running() as world:
        await world.tell(*(execution(number) for number in range(1, 201)))
        await trio.sleep(1)
        assert (await world.outbox.status())["ops"]["state"] == "probing"
        burst = len(sink.sent)
        assert burst <= CONCURRENCY + 2
        sink.most_at_a_time = 0
        await trio.sleep(10 * MINUTE)
        assert sink.most_at_a_time == 1
        assert len(sink.sent) - burst <= 10
        away.down = False
        await trio.sleep(12 * MINUTE)
        status = (await world.outbox.status())["ops"]
        assert (status["state"], status["failures"], status["waiting"]) == ("running", 0, 0)
        assert len(sink.accepted) == 200
        assert len({notification.id for notification in sink.accepted}) == 200


async def test_a_hiccup_of_a_busy_sink_is_over_in_seconds(autojump_clock):
    """What fails side by side is one failure of the sink, not a row of thirty-two."""
    away = Away()
    sink = FakeSink(away, seconds=0.2)
    async with World(route(sink)).running() as world:
        await world.tell(*(execution(number) for number in range(1, 201)))
        await trio.sleep(0.5)
        assert (await world.outbox.status())["ops"]["failures"] == CONCURRENCY
        away.down = False
        await trio.sleep(10)
        assert len(sink.accepted) == 200


async def test_failures_of_one_do_not_slow_the_sink_while_others_are_accepted(autojump_clock):
    """Ten failures count only in a row."""

    def answer(notification: Notification) -> Exception | None:
        return Unavailable("odd") if int(notification.event["detail"]["name"][6:]) % 2 else None

    sink = FakeSink(answer, seconds=0.01)
    async with World(route(sink)).running() as world:
        for number in range(100):
            await world.tell(execution(number + 1))
            await trio.sleep(0.1)
        assert (await world.outbox.status())["ops"]["state"] == "running"
        assert len(sink.accepted) == 50


@pytest.mark.parametrize("latest", [10_000, 1])
@pytest.mark.parametrize("at", [START, START + 7_200_000], ids=["first by due", "last by due"])
async def test_what_a_sink_never_takes_does_not_hold_up_the_others(
    at, latest, autojump_clock, monkeypatch
):
    """It refuses some whenever they are sent, and what is sent are these, for ever tried again: a
    probe takes what was not tried yet, and does not go through all of them first. However few of
    the latest are looked at, the first by due are as well."""
    monkeypatch.setattr(memory, "LATEST_DUE", latest)

    def answer(notification: Notification) -> Exception | None:
        odd = int(notification.event["detail"]["name"][6:]) % 2
        return Unavailable("answered 400") if odd else None

    sink = FakeSink(answer)
    async with World(route(sink)).running() as world:
        await world.tell(*(execution(number) for number in range(1, 81, 2)))
        await trio.sleep(2 * HOUR)
        assert (await world.outbox.status())["ops"]["state"] == "probing"
        await world.tell(execution(100, stop_at=at))
        await trio.sleep(10 * MINUTE)
        assert sink.names == ["order-100 SUCCEEDED"]


async def test_given_up_after_its_time(autojump_clock):
    """At the deadline a letter says why, and the next status of the execution has its turn."""

    def answer(notification: Notification) -> Exception | None:
        running = notification.event["detail"]["status"] == "RUNNING"
        return Unavailable("answered 500") if running else None

    sink = FakeSink(answer)
    async with World(route(sink, when=ALL, give_up_after_seconds=HOUR)).running() as world:
        await world.tell(execution(1, "RUNNING"))
        [row] = await world.waiting()
        await world.tell(execution(1, stop_at=START + 600_000))
        await trio.sleep(HOUR - 1)
        assert not await world.letters()
        await trio.sleep(1.1)
        [letter] = await world.letters()
        assert (letter.id, letter.kind, letter.origin) == (row.id, "notification", "ops")
        assert letter.reason == "given up: answered 500"
        assert letter.coordinates == execution(1).arn
        await trio.sleep(6 * MINUTE)
        assert sink.names == ["order-1 SUCCEEDED"]
        assert not await world.waiting()


async def test_the_last_attempt_is_at_the_deadline(autojump_clock):
    """The delay before it is cut short; a Retry-After beyond it is not waited for."""
    sink = FakeSink(lambda notification: Unavailable("busy", DAY))
    async with World(route(sink, give_up_after_seconds=HOUR)).running() as world:
        await world.tell(execution(1))
        await trio.sleep(HOUR + 1)
        assert sink.times == [0, pytest.approx(HOUR, abs=0.01)]
        assert len(await world.letters()) == 1


async def test_what_a_probed_sink_never_got_is_given_up_too(autojump_clock):
    """Also notifications that were not tried once do not wait for ever."""
    sink = FakeSink(Away())
    async with World(route(sink, give_up_after_seconds=HOUR)).running() as world:
        await world.tell(*(execution(number) for number in range(1, 201)))
        await trio.sleep(HOUR + 10 * MINUTE)
        assert len(await world.letters()) == 200
        assert not await world.waiting()


async def test_what_was_due_while_the_daemon_was_down_is_tried_first(autojump_clock):
    """Its time may be over, but nobody has told the sink yet."""
    sink = FakeSink()
    world = World(route(sink, give_up_after_seconds=HOUR))
    await world.tell(execution(1))
    await trio.sleep(2 * HOUR)
    async with world.running():
        await trio.sleep(1)
        assert sink.names == ["order-1 SUCCEEDED"]
        assert not await world.letters()


@examples(25)
@given(seed=st.integers(0, 2**32), executions=st.integers(1, 60))
def test_every_notification_is_accepted_or_a_letter_and_in_order(seed, executions):
    """Whatever a sink answers: nothing is lost, nothing sent after its end, order is kept."""

    async def main() -> None:
        dice = Random(seed)

        def answer(notification: Notification) -> Exception | None:
            return dice.choices(
                [None, Unavailable("503"), Unavailable("429", 7.0), Rejected("no")], [4, 3, 1, 1]
            )[0]

        sink = FakeSink(answer, seconds=0.05)
        async with World(route(sink, when=ALL, give_up_after_seconds=HOUR)).running() as world:
            for number in range(1, executions + 1):
                await world.tell(execution(number, "RUNNING"))
                await trio.sleep(dice.choice([0, 0.1]))
                await world.tell(execution(number))
            await trio.sleep(DAY)
            letters = [letter.id for letter in await world.letters()]
            accepted = [notification.id for notification in sink.accepted]
            assert len(set(letters + accepted)) == len(letters + accepted) == 2 * executions
            assert not await world.waiting()
            for number in range(1, executions + 1):
                told = [
                    notification.event["detail"]["status"]
                    for _, notification in sink.sent
                    if notification.event["detail"]["name"] == f"order-{number}"
                ]
                assert told == sorted(told)  # RUNNING comes before SUCCEEDED

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_gone_parks_all_that_waits(autojump_clock):
    """410 makes letters of everything, at once and from then on, and the sink shows it."""
    sink = FakeSink(lambda notification: Gone("answered 410"))
    async with World(route(sink)).running() as world:
        await world.tell(*(execution(number) for number in range(1, 101)))
        await trio.sleep(1)
        assert len(await world.letters()) == 100
        assert {letter.reason for letter in await world.letters()} == {"answered 410"}
        tried = len(sink.sent)
        await world.tell(execution(101))
        await trio.sleep(1)
        assert len(await world.letters()) == 101
        assert len(sink.sent) == tried
        status = (await world.outbox.status())["ops"]
        assert (status["state"], status["last_error"]) == ("gone", "answered 410")


async def test_a_reload_opens_a_gone_sink(autojump_clock):
    """What comes after it is sent again."""
    replies = iter([Gone("answered 410")])
    sink = FakeSink(lambda notification: next(replies, None))
    async with World(route(sink)).running() as world:
        await world.tell(execution(1))
        await trio.sleep(1)
        world.outbox.configure([route(sink)])
        await world.tell(execution(2))
        await trio.sleep(1)
        assert sink.names == ["order-2 SUCCEEDED"]
