"""Activities and their tasks through plain boto3, and what happens to a poll whose caller goes."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
import trio
from botocore.exceptions import ClientError
from starlette.responses import Response

from gateway.api.operations.operation import HandOut
from gateway.api.polls import Caller, Parked
from gateway.http.peer import ClientGone

HTTP = {"type": "http"}


async def waiting_task(api, activity):
    """Start an execution whose one task waits for a worker of the activity."""
    state = {"Type": "Task", "Resource": activity, "End": True}
    definition = json.dumps({"StartAt": "A", "States": {"A": state}})
    arn = await api.machine("tasks", definition)
    return await api.call("start_execution", stateMachineArn=arn, input='{"n": 1}')


async def activity_of(api, name="a"):
    """The ARN of a new activity."""
    return (await api.call("create_activity", name=name))["activityArn"]


def poll_request(arn):
    """GetActivityTask as bytes."""
    body = json.dumps({"activityArn": arn}).encode()
    head = (
        "POST / HTTP/1.1\r\nhost: api\r\nx-amz-target: AWSStepFunctions.GetActivityTask\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def connect(api):
    """A connection of one's own to the API."""
    port = int(api.url.rpartition(":")[2])
    return await trio.open_tcp_stream("127.0.0.1", port)


async def test_activities_live_and_die(api):
    """Created once, described, listed by pages, deleted."""
    arn = await activity_of(api)
    assert await activity_of(api) == arn
    described = await api.call("describe_activity", activityArn=arn)
    assert described.pop("creationDate")
    assert described == {
        "activityArn": arn,
        "name": "a",
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
    }
    await activity_of(api, "b")
    page = await api.call("list_activities", maxResults=1)
    rest = await api.call("list_activities", nextToken=page["nextToken"])
    assert [row["name"] for row in page["activities"] + rest["activities"]] == ["a", "b"]
    await api.call("delete_activity", activityArn=arn)
    for operation in ("describe_activity", "get_activity_task"):
        with pytest.raises(ClientError, match="ActivityDoesNotExist"):
            await api.call(operation, activityArn=arn)


async def test_a_worker_takes_a_task_and_answers(api):
    """The poll gives token and input; after heartbeat and answer the execution has its output."""
    activity = await activity_of(api)
    started = await waiting_task(api, activity)
    task = await api.call("get_activity_task", activityArn=activity, workerName="w")
    assert json.loads(task["input"]) == {"n": 1}
    token = {"taskToken": task["taskToken"]}
    assert await api.call("send_task_heartbeat", **token) == {}
    assert await api.call("send_task_success", **token, output='"done"') == {}
    described = await api.until_ended(started["executionArn"])
    assert described["output"] == '"done"'
    with pytest.raises(ClientError, match="TaskTimedOut"):
        await api.call("send_task_heartbeat", **token)


async def test_a_worker_fails_a_task(api):
    """Error and cause are the execution's."""
    activity = await activity_of(api)
    started = await waiting_task(api, activity)
    task = await api.call("get_activity_task", activityArn=activity)
    await api.call("send_task_failure", taskToken=task["taskToken"], error="E", cause="C")
    described = await api.until_ended(started["executionArn"])
    assert (described["status"], described["error"], described["cause"]) == ("FAILED", "E", "C")


async def test_wrong_answers_are_refused(api):
    """A token that never was, and an output that is no JSON."""
    with pytest.raises(ClientError, match="InvalidToken"):
        await api.call("send_task_heartbeat", taskToken="nonsense")
    activity = await activity_of(api)
    await waiting_task(api, activity)
    task = await api.call("get_activity_task", activityArn=activity)
    with pytest.raises(ClientError, match=r"InvalidOutput.*Unrecognized token"):
        await api.call("send_task_success", taskToken=task["taskToken"], output="no JSON")


async def test_a_parked_poll_gets_the_task_that_comes(api, nursery):
    """The poll waits, and is answered when there is something to do."""
    activity = await activity_of(api)
    answers = []

    async def poll():
        answers.append(await api.call("get_activity_task", activityArn=activity))

    nursery.start_soon(poll)
    await api.until(lambda: api.engine._queues.polls() == 1)
    await waiting_task(api, activity)
    await api.until(lambda: bool(answers))
    assert json.loads(answers[0]["input"]) == {"n": 1}


async def test_a_poll_ends_when_its_caller_goes(api):
    """A closed connection parks nothing, and the task goes to the next one who asks."""
    activity = await activity_of(api)
    connection = await connect(api)
    await connection.send_all(poll_request(activity))
    await api.until(lambda: api.engine._queues.polls() == 1)
    await connection.aclose()
    await api.until(lambda: api.engine._queues.polls() == 0)
    await waiting_task(api, activity)
    assert (await api.call("get_activity_task", activityArn=activity))["taskToken"]


async def test_a_poll_whose_caller_goes_during_the_hand_out_returns_the_task(api):
    """The task waits already and is handed out at once; a caller that has gone when that is on disk
    gets nothing, and the next one who asks gets the task."""
    activity = await activity_of(api)
    await waiting_task(api, activity)
    connection = await connect(api)
    await connection.send_all(poll_request(activity))
    await connection.aclose()
    returned = []
    return_task = api.engine.return_task

    async def returning(token):
        await return_task(token)
        returned.append(token)

    api.engine.return_task = returning
    await api.until(lambda: bool(returned))
    task = await api.call("get_activity_task", activityArn=activity)
    assert task["taskToken"] not in returned
    await api.call("send_task_success", taskToken=task["taskToken"], output="1")


async def test_parked_polls_are_answered_empty_at_the_end(api):
    """A server that stops does not let its pollers hang, nor wait for them."""
    activity = await activity_of(api)
    connections = [await connect(api) for _ in range(50)]
    for connection in connections:
        await connection.send_all(poll_request(activity))
    await api.until(lambda: api.engine._queues.polls() == 50)
    api.stopping.set()
    with trio.fail_after(5):
        for connection in connections:
            answer = b"".join([data async for data in connection])
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(b"\r\n\r\n{}")
            await connection.aclose()
        await api.stopped.wait()


class Wire:
    """An ASGI connection whose caller goes when the test says so."""

    def __init__(self, gone_at=None):
        self.gone_at = gone_at
        self.gone = trio.Event()
        self.sent = []

    async def receive(self):
        """Nothing comes but the end; one that is there is told even to the cancelled."""
        if not self.gone.is_set():
            await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        """Take the message, unless ``gone_at`` says that the caller goes before it."""
        if self.gone_at == message["type"]:
            raise ClientGone
        self.sent.append(message)


async def test_what_was_handed_to_nobody_goes_back():
    """Where the caller goes before the answer was written, give_back is called; else it is not,
    lest a worker that closes its connection with the task in hand is refused its result."""
    given_back = []

    async def answered(wire):
        given_back.clear()

        async def give_back():
            given_back.append(True)

        handed = HandOut({}, give_back)
        await Caller(HTTP, wire.receive, wire.send).answer(Response(b"{}"), handed)

    gone = Wire()
    gone.gone.set()
    await answered(gone)
    assert given_back
    assert not gone.sent
    with pytest.raises(ClientGone):
        await answered(Wire("http.response.body"))
    assert given_back
    await answered(stays := Wire())
    assert not given_back
    assert stays.sent[-1]["body"] == b"{}"


async def test_a_cancelled_answer_gives_back():
    """A server that is cut off between hand-out and answer loses no task."""
    given_back = []

    async def give_back():
        await trio.lowlevel.checkpoint()
        given_back.append(True)

    with trio.CancelScope() as scope:
        scope.cancel()
        wire = Wire()
        await Caller(HTTP, wire.receive, wire.send).answer(Response(b"{}"), HandOut({}, give_back))
    assert given_back == [True]


async def test_a_poll_that_comes_after_the_end_does_not_park():
    """Closing holds for those that come later, too."""
    parked = Parked()
    parked.close()
    with parked.poll() as scope:
        await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_token_cannot_be_forged(api):
    """Its numbers are no secret, and are not enough: with any other bit it answers no task."""
    activity = await activity_of(api)
    execution = (await waiting_task(api, activity))["executionArn"]
    task = await api.call("get_activity_task", activityArn=activity)
    data = urlsafe_b64decode(task["taskToken"] + "==")
    for place in range(0, len(data) * 8, 7):
        forged = bytearray(data)
        forged[place // 8] ^= 1 << place % 8
        token = urlsafe_b64encode(bytes(forged)).decode()
        for method, more in (
            ("send_task_success", {"output": "1"}),
            ("send_task_failure", {}),
            ("send_task_heartbeat", {}),
        ):
            with pytest.raises(ClientError, match=r"InvalidToken|TaskTimedOut"):
                await api.call(method, taskToken=token, **more)
    await api.call("send_task_success", taskToken=task["taskToken"], output='"mine"')
    assert (await api.until_ended(execution))["output"] == '"mine"'
