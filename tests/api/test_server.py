"""The listener: health, metrics, limits, a port in use, and a graceful end."""

from __future__ import annotations

import json

import httpx
import pytest
import trio
import trio.testing
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from gateway.api.bounded import Bounded
from gateway.api.health import Health
from gateway.api.server import listen
from gateway.errors import ConfigError
from gateway.store.failures import StoreClosed


async def get(api, path):
    """The answer to GET."""
    async with httpx.AsyncClient() as http:
        return await http.get(f"{api.url}{path}")


async def test_health(api):
    """200 once the daemon is ready, 503 while it is not, with the details."""
    api.health = Health(ready=True, details={"sources": {}})
    answer = await get(api, "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "sources": {}})
    api.health = Health(ready=False, details={})
    assert (await get(api, "/healthz")).status_code == 503


async def test_metrics(api):
    """Prometheus text: what was counted, and the ages and backlogs of the store."""
    activity = (await api.call("create_activity", name="a"))["activityArn"]
    state = {"Type": "Task", "Resource": activity, "End": True}
    arn = await api.machine("t", json.dumps({"StartAt": "A", "States": {"A": state}}))
    await api.call("start_execution", stateMachineArn=arn)
    done = await api.call("start_execution", stateMachineArn=await api.machine("p"))
    await api.until_ended(done["executionArn"])
    text = (await get(api, "/metrics")).text
    assert 'stategate_executions_started_total{trigger="api"} 2.0' in text
    assert 'stategate_executions_ended_total{status="SUCCEEDED"} 1.0' in text
    assert "stategate_executions_running 1.0" in text
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert float(samples["stategate_activity_task_age_seconds"]) > 0
    assert float(samples["stategate_task_token_age_seconds"]) == 0
    assert "stategate_commit_seconds_count" in samples


async def test_a_page_of_a_disk_that_has_failed(api, monkeypatch):
    """503 with the reason, not a defect: the daemon is at its end."""

    async def failed():
        raise StoreClosed("the database cannot be read any more")

    monkeypatch.setattr(api.store, "stats", failed)
    answer = await get(api, "/metrics")
    assert (answer.status_code, answer.text) == (503, "the database cannot be read any more")


@pytest.mark.parametrize(("path", "method", "status"), [("/", "GET", 405), ("/x", "POST", 404)])
async def test_nothing_else_is_served(api, path, method, status):
    """Other paths and methods are refused."""
    async with httpx.AsyncClient() as http:
        assert (await http.request(method, f"{api.url}{path}")).status_code == status


async def test_a_request_that_is_too_large_is_refused(api):
    """413, whatever its path, and the server goes on."""
    for path in ("/", "/nowhere"):
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{api.url}{path}", content=b"x" * 2_000_000)
        assert answer.status_code == 413
        assert answer.json()["__type"] == "RequestEntityTooLargeException"
    assert (await get(api, "/healthz")).status_code == 200


async def test_a_header_that_is_too_large_is_refused(api):
    """It costs a bounded buffer."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{api.url}/healthz", headers={"x": "y" * 100_000})
    assert answer.status_code == 431


async def test_a_header_that_never_ends_is_cut_off(api):
    """A client that sends half a request line holds a connection for a bounded time only."""
    connection = await trio.open_tcp_stream("127.0.0.1", int(api.url.rpartition(":")[2]))
    await connection.send_all(b"POST / HT")
    with trio.fail_after(5):
        assert b"".join([data async for data in connection]) == b""
    await connection.aclose()


async def test_work_in_progress_ends_before_the_server_does(api):
    """Stopping closes the listener and idle connections, and returns."""
    async with httpx.AsyncClient() as http:
        await http.get(f"{api.url}/healthz")
        api.stopping.set()
        with trio.fail_after(4):
            await api.stopped.wait()
        with pytest.raises(httpx.ConnectError):
            await http.get(f"{api.url}/healthz")


async def test_a_port_in_use_is_a_problem_of_the_configuration(api):
    """It says which address, and what to do."""
    address = api.url.removeprefix("http://")
    with pytest.raises(ConfigError) as refused:
        listen(address)
    assert str(refused.value) == (
        f"api.listen: cannot listen on {address}: Address already in use; end what listens there, "
        "perhaps a Stategate that runs already, or choose another address"
    )


async def echo(scope, receive, send):
    """An application that answers with the body."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


SCOPE = {"type": "http", "headers": []}


class Trickle:
    """A client that sends a piece every ``seconds`` and never ends."""

    def __init__(self, seconds, piece=b"x"):
        self.seconds = seconds
        self.piece = piece
        self.answer = []
        self.answered = trio.Event()

    async def receive(self):
        """The next piece; once there is an answer, the end of the connection."""
        with trio.move_on_after(self.seconds):
            await self.answered.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self.piece, "more_body": True}

    async def send(self, message):
        """Take the answer."""
        self.answer.append(message)
        if message["type"] == "http.response.body":
            self.answered.set()


@pytest.mark.parametrize(("piece", "status"), [(b"x", 408), (b"x" * 60, 413)])
async def test_a_body_that_never_ends_is_given_up(autojump_clock, piece, status):
    """After its time, with what is wrong: too slow, or too large as well."""
    client = Trickle(1.0, piece)
    await Bounded(echo, bytes_max=100, seconds_max=5)(SCOPE, client.receive, client.send)
    assert client.answer[0]["status"] == status
    assert trio.current_time() == pytest.approx(autojump_clock.current_time())
    assert (b"connection", b"close") in client.answer[0]["headers"]


async def test_a_caller_that_goes_while_it_sends_is_forgotten():
    """Nobody is asked and nothing is answered."""

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError(message)

    await Bounded(echo)(SCOPE, receive, send)


class Pieces:
    """A client whose body of 60 bytes comes in two pieces."""

    def __init__(self):
        self.scope = {"type": "http", "headers": [(b"content-length", b"60")]}
        self.read = 0

    async def receive(self):
        """The next piece."""
        await trio.lowlevel.checkpoint()
        self.read += 1
        return {"type": "http.request", "body": b"x" * 30, "more_body": self.read < 2}

    async def send(self, message):
        """Nobody answers."""
        raise AssertionError(message)


async def test_large_bodies_wait_for_room(autojump_clock):
    """What does not fit beside those that are in work is read when one of them has been answered;
    one that is small and whole goes by."""
    entered, leave = [], [trio.Event() for _ in range(3)]

    async def app(scope, receive, send):
        entered.append(len((await receive())["body"]))
        await leave[len(entered) - 1].wait()

    async def small():
        return {"type": "http.request", "body": b"small"}

    bounded = Bounded(app, bytes_max=100, room_bytes=100)
    first, second = Pieces(), Pieces()
    async with trio.open_nursery() as nursery:
        for client in (first, second):
            nursery.start_soon(bounded, client.scope, client.receive, client.send)
            await trio.testing.wait_all_tasks_blocked()
        assert ([first.read, second.read], entered) == ([2, 1], [60])
        nursery.start_soon(bounded, SCOPE, small, first.send)
        await trio.testing.wait_all_tasks_blocked()
        assert entered == [60, 5]
        leave[0].set()
        await trio.testing.wait_all_tasks_blocked()
        assert (second.read, entered) == (2, [60, 5, 60])
        for event in leave:
            event.set()
