"""The grace of what is in work, and what must not hold up an end."""

from __future__ import annotations

import trio

from gateway.sources.sqs_flow import open_graceful_nursery


async def test_an_end_that_comes_before_the_beginning_is_an_end(autojump_clock):
    """A source that is stopped in the moment it is started ends, and does not wait for ever."""
    with trio.fail_after(60):
        with trio.CancelScope() as scope:
            scope.cancel()
            async with open_graceful_nursery(5):
                await trio.sleep_forever()
        assert scope.cancelled_caught


async def test_what_is_in_work_gets_its_grace_and_no_more(autojump_clock):
    """Work of three seconds ends after a stop; work of an hour is cut short after five."""
    ended = []

    async def work(seconds):
        await trio.sleep(seconds)
        ended.append(seconds)

    with trio.move_on_after(1):
        async with open_graceful_nursery(5) as nursery:
            nursery.start_soon(work, 3)
            nursery.start_soon(work, 3600)
            await trio.sleep_forever()
    assert ended == [3]
    assert trio.current_time() == 1 + 5
