"""The real daemon as AWS's own clients see it: boto3, the AWS CLI, a health check, a scraper."""

from __future__ import annotations

import json
from itertools import chain

import httpx
import pytest
from botocore.exceptions import ClientError
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.clients import ARN, ROLE, aws_cli, ended, machine, pages, step_functions, work
from tests.e2e.process import DaemonProcess, free_port, until
from tests.e2e.receiver import Receiver

pytestmark = pytest.mark.slow

PASS = machine(Hello={"Type": "Pass", "Result": "hello", "End": True})
CONFIG = """
store: {{ path: clients.db }}
api: {{ listen: "127.0.0.1:{api}" }}
hooks: {{ listen: "127.0.0.1:{hooks}" }}
activities: {{ review: {{}} }}
machines: {{ review: {{ definition: review.asl.json }} }}
triggers:
  orders:
    source: {{ type: webhook, path: /orders }}
    filter: {{ body: {{ wanted: [true] }} }}
    start: review
    name: $.body.id
    input: {{ order.$: $.body.id }}
sinks:
  ended:
    to: {{ type: webhook, url: "{receiver}", allow_private: true }}
    retry: {{ first: 1d, max: 1d }}
  other:
    to: {{ type: webhook, url: "{receiver}", allow_private: true }}
    machines: [review]
    when: [RUNNING]
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """A daemon with an activity, a machine, a webhook and a sink that is always refused."""
    directory = tmp_path_factory.mktemp("clients")
    (directory / "review.asl.json").write_text(machine(Review=work("review")))
    config = directory / "clients.yaml"
    api, hooks = free_port(), free_port()
    with Receiver(refuse=lambda _count: 503) as receiver:
        config.write_text(CONFIG.format(api=api, hooks=hooks, receiver=receiver.url))
        with DaemonProcess(config, api) as running:
            running.hooks = f"http://127.0.0.1:{hooks}"
            yield running
            assert running.stop() == 0


@pytest.fixture(scope="module", params=[True, False], ids=["signed", "unsigned"])
def client(request, daemon):
    """boto3 with credentials that nobody knows, and without any."""
    with step_functions(daemon.url, signed=request.param) as found:
        yield found


@pytest.fixture
def pass_machine(client):
    """A machine that says hello; gone after the test."""
    arn = client.create_state_machine(name="hello", definition=PASS, roleArn=ROLE)[
        "stateMachineArn"
    ]
    yield arn
    client.delete_state_machine(stateMachineArn=arn)


def refused(call, **arguments) -> str:
    """The code with which a call is refused."""
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    return refusal.value.response["Error"]["Code"]


def test_machines_are_made_changed_listed_and_gone(client):
    """The whole life of a state machine, with AWS's answers to what is not there."""
    made = client.create_state_machine(name="life", definition=PASS, roleArn=ROLE)
    arn = made["stateMachineArn"]
    assert arn == f"{ARN}:stateMachine:life"
    described = client.describe_state_machine(stateMachineArn=arn)
    assert (described["definition"], described["status"]) == (PASS, "ACTIVE")
    assert described["creationDate"] == made["creationDate"]
    other = PASS.replace("hello", "bye")
    changed = client.update_state_machine(stateMachineArn=arn, definition=other)
    described = client.describe_state_machine(stateMachineArn=arn)
    assert described["definition"] == other
    assert described["revisionId"] == changed["revisionId"]
    bad = refused(client.update_state_machine, stateMachineArn=arn, definition="{}")
    assert bad == "InvalidDefinition"
    client.delete_state_machine(stateMachineArn=arn)
    gone = refused(client.describe_state_machine, stateMachineArn=arn)
    assert gone == "StateMachineDoesNotExist"
    assert refused(client.start_execution, stateMachineArn=arn) == "StateMachineDoesNotExist"


def test_an_execution_is_started_and_described(client, pass_machine, request):
    """Status, dates, input and output; the same name again is refused once it has ended."""
    named = {"stateMachineArn": pass_machine, "name": request.node.callspec.id}
    started = client.start_execution(**named, input='{"a":1}')
    row = ended(client, started["executionArn"])
    assert (row["status"], row["input"], row["output"]) == ("SUCCEEDED", '{"a":1}', '"hello"')
    assert row["startDate"] == started["startDate"] <= row["stopDate"]
    again = refused(client.start_execution, **named, input='{"a":1}')
    assert again == "ExecutionAlreadyExists"
    wrong = refused(client.start_execution, stateMachineArn=pass_machine, input="{")
    assert wrong == "InvalidExecutionInput"


def test_an_execution_is_stopped(client):
    """StopExecution while a task waits: ABORTED with error and cause, and the task is gone."""
    review = f"{ARN}:stateMachine:review"
    arn = client.start_execution(stateMachineArn=review)["executionArn"]
    stopped = client.stop_execution(executionArn=arn, error="Why", cause="because")
    row = ended(client, arn)
    assert row["status"] == "ABORTED"
    assert (row["error"], row["cause"]) == ("Why", "because")
    assert row["stopDate"] == stopped["stopDate"]
    last = client.get_execution_history(executionArn=arn, reverseOrder=True)["events"][0]
    assert last["type"] == "ExecutionAborted"
    assert last["executionAbortedEventDetails"] == {"error": "Why", "cause": "because"}


def test_a_running_execution_keeps_the_machine_that_it_began_with(client, request):
    """DescribeStateMachineForExecution gives the revision of the start, not the newest."""
    name = f"kept-{request.node.callspec.id}"
    first = machine(Review=work("review"))
    arn = client.create_state_machine(name=name, definition=first, roleArn=ROLE)["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    client.update_state_machine(stateMachineArn=arn, definition=PASS)
    described = client.describe_state_machine_for_execution(executionArn=execution)
    assert described["definition"] == first
    assert described["stateMachineArn"] == arn
    client.stop_execution(executionArn=execution)
    client.delete_state_machine(stateMachineArn=arn)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_history_pages_both_ways(client, pass_machine, newest_first):
    """Pages of two events make up the whole, with AWS's ids, in the order that was asked for."""
    arn = client.start_execution(stateMachineArn=pass_machine)["executionArn"]
    ended(client, arn)
    found = pages(
        client.get_execution_history, "events",
        executionArn=arn, maxResults=2, reverseOrder=newest_first,
    )  # fmt: skip
    assert [len(page) for page in found] == [2, 2]
    types = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    ids = [1, 2, 3, 4]
    events = list(chain.from_iterable(found))
    step = -1 if newest_first else 1
    assert [event["type"] for event in events] == types[::step]
    assert [event["id"] for event in events] == ids[::step]


def test_every_list_pages(client, request):
    """Machines, executions and activities come in pages of the size asked for, each once."""
    kind = request.node.callspec.id
    machines = [f"page-{kind}-{n}" for n in range(5)]
    for name in machines:
        client.create_state_machine(name=name, definition=PASS, roleArn=ROLE)
        client.create_activity(name=name)
    arn = f"{ARN}:stateMachine:{machines[0]}"
    for name in machines:
        client.start_execution(stateMachineArn=arn, name=name)
    lists = (
        (client.list_state_machines, "stateMachines", {}),
        (client.list_activities, "activities", {}),
        (client.list_executions, "executions", {"stateMachineArn": arn}),
    )
    for call, member, arguments in lists:
        found = pages(call, member, maxResults=2, **arguments)
        assert {len(page) for page in found[:-1]} == {2}
        names = [row["name"] for page in found for row in page if row["name"].startswith("page-")]
        assert sorted(names) == machines
        token = refused(call, nextToken="made-up", **arguments)
        assert token == "InvalidToken"
    executions = client.list_executions(stateMachineArn=arn)["executions"]
    assert [row["name"] for row in executions] == machines[::-1]
    running = client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")
    assert running["executions"] == []
    for name in machines:
        client.delete_state_machine(stateMachineArn=f"{ARN}:stateMachine:{name}")
        client.delete_activity(activityArn=f"{ARN}:activity:{name}")


def test_activities_live_and_die(client):
    """Made twice is made once; described; gone, a poll for it is refused."""
    made = client.create_activity(name="short")
    assert client.create_activity(name="short") == {**made, "ResponseMetadata": any_value}
    arn = made["activityArn"]
    described = client.describe_activity(activityArn=arn)
    assert (described["name"], described["creationDate"]) == ("short", made["creationDate"])
    client.delete_activity(activityArn=arn)
    assert refused(client.describe_activity, activityArn=arn) == "ActivityDoesNotExist"
    assert refused(client.get_activity_task, activityArn=arn) == "ActivityDoesNotExist"


class _Any:
    """Equal to all."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return True


any_value = _Any()


@pytest.fixture
def activity(client):
    """An activity of its own, and a machine that waits for it with a heartbeat of a second."""
    made = client.create_activity(name="own")["activityArn"]
    definition = machine(Work=work("own", HeartbeatSeconds=1))
    client.create_state_machine(name="own", definition=definition, roleArn=ROLE)
    yield made
    client.delete_state_machine(stateMachineArn=f"{ARN}:stateMachine:own")
    client.delete_activity(activityArn=made)


def start_own(client) -> str:
    """Start the machine of ``activity``."""
    own = f"{ARN}:stateMachine:own"
    return client.start_execution(stateMachineArn=own, input='{"n":7}')["executionArn"]


def test_a_worker_succeeds_and_fails(client, activity):
    """Input arrives, output becomes the execution's, error and cause do; a token counts once."""
    good, bad = start_own(client), start_own(client)
    task = client.get_activity_task(activityArn=activity, workerName="w")
    assert json.loads(task["input"]) == {"n": 7}
    client.send_task_success(taskToken=task["taskToken"], output='{"done":true}')
    assert ended(client, good)["output"] == '{"done":true}'
    late = refused(client.send_task_success, taskToken=task["taskToken"], output="1")
    assert late == "TaskTimedOut"
    task = client.get_activity_task(activityArn=activity)
    client.send_task_failure(taskToken=task["taskToken"], error="NoStock", cause="sold out")
    row = ended(client, bad)
    assert (row["status"], row["error"], row["cause"]) == ("FAILED", "NoStock", "sold out")
    assert refused(client.send_task_heartbeat, taskToken="made-up") == "InvalidToken"


def test_heartbeats_keep_a_task_and_silence_loses_it(client, activity):
    """Of two tasks the one that nobody beats for times out; the other one outlives it."""
    beaten, silent = start_own(client), start_own(client)
    token = client.get_activity_task(activityArn=activity)["taskToken"]
    client.get_activity_task(activityArn=activity)

    def silent_ended() -> bool:
        client.send_task_heartbeat(taskToken=token)
        return client.describe_execution(executionArn=silent)["status"] != "RUNNING"

    until(silent_ended, 10, "the silent task times out")
    row = client.describe_execution(executionArn=silent)
    assert (row["status"], row["error"]) == ("FAILED", "States.Timeout")
    client.send_task_success(taskToken=token, output="1")
    assert ended(client, beaten)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("signed", [True, False], ids=["dummy credentials", "no-sign-request"])
def test_the_aws_cli_works(daemon, signed):
    """Machines, executions and tasks on the command line, with its own paging and exit codes."""

    def aws(*arguments: str) -> dict:
        return json.loads(aws_cli(daemon.url, *arguments, signed=signed).stdout or "{}")

    name = f"cli-{signed}"
    definition = machine(Work=work(name))
    activity = aws("create-activity", "--name", name)["activityArn"]
    arn = aws("create-state-machine", "--name", name, "--definition", definition,
              "--role-arn", ROLE)["stateMachineArn"]  # fmt: skip
    execution = aws("start-execution", "--state-machine-arn", arn, "--name", "one",
                    "--input", '{"a": "ä"}')["executionArn"]  # fmt: skip
    task = aws("get-activity-task", "--activity-arn", activity)
    assert json.loads(task["input"]) == {"a": "ä"}
    aws("send-task-success", "--task-token", task["taskToken"], "--task-output", '"ok"')
    assert aws("describe-execution", "--execution-arn", execution)["output"] == '"ok"'
    history = aws("get-execution-history", "--execution-arn", execution, "--page-size", "2")
    assert len(history["events"]) == 7
    aws("start-execution", "--state-machine-arn", arn, "--name", "two")
    listed = aws("list-executions", "--state-machine-arn", arn, "--page-size", "1")
    assert [row["name"] for row in listed["executions"]] == ["two", "one"]
    two = execution.replace(":one", ":two")
    aws("stop-execution", "--execution-arn", two, "--cause", "enough")
    assert aws("describe-execution", "--execution-arn", two)["status"] == "ABORTED"


def test_the_aws_cli_says_what_is_wrong(daemon):
    """An error of ours reaches the terminal in AWS's words, with its exit code."""
    arn = f"{ARN}:execution:none:none"
    done = aws_cli(daemon.url, "describe-execution", "--execution-arn", arn, check=False)
    assert done.returncode == 255
    wanted = f"(ExecutionDoesNotExist) when calling the DescribeExecution operation: Execution Does Not Exist: '{arn}'"  # noqa: E501
    assert wanted in done.stderr


def test_health_says_what_each_part_is_doing(daemon):
    """200, no signature needed; sources, sinks and workers each with a state."""
    answer = httpx.get(f"{daemon.url}/healthz")
    assert answer.status_code == 200
    said = answer.json()
    assert said["ready"] is True
    assert said["disk_full"] is False
    assert said["sources"]["orders"]["state"] == "running"
    assert said["sources"]["orders"]["path"] == "/orders"
    assert said["sinks"].keys() == {"ended", "other"}
    assert {"state", "failures", "last_error", "waiting"} <= said["sinks"]["ended"].keys()
    assert said["workers"] == {}


def metrics(daemon) -> dict[str, dict[str, float]]:
    """Value by name, and by its label where it has one."""
    text = httpx.get(f"{daemon.url}/metrics").text
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = ",".join(sample.labels.values())
            found.setdefault(sample.name, {})[label] = sample.value
    return found


def test_metrics_count_what_happens(daemon):
    """Started, ended by status, filtered, duplicates, ages and commit time move as told."""
    before = metrics(daemon)

    def moved(name: str, label: str) -> float:
        return metrics(daemon)[name].get(label, 0) - before.get(name, {}).get(label, 0)

    for body in ({"id": "m1", "wanted": True}, {"id": "m1", "wanted": True}, {"id": "m2"}):
        assert httpx.post(f"{daemon.hooks}/orders", json=body).status_code == 202
    assert httpx.post(f"{daemon.hooks}/orders", json={"wanted": True}).status_code == 422
    assert moved("stategate_executions_started_total", "orders") == 1
    assert moved("stategate_messages_duplicate_total", "orders") == 1
    assert moved("stategate_messages_filtered_total", "orders") == 1
    assert moved("stategate_letters_written_total", "orders") == 1
    assert metrics(daemon)["stategate_letters"]["orders"] == 1
    assert metrics(daemon)["stategate_trigger_executions_running"]["orders"] == 1
    assert metrics(daemon)["stategate_activity_task_age_seconds"][""] > 0
    with step_functions(daemon.url) as client:
        task = client.get_activity_task(activityArn=f"{ARN}:activity:review")
        assert metrics(daemon)["stategate_activity_task_age_seconds"][""] == 0
        assert metrics(daemon)["stategate_task_token_age_seconds"][""] > 0
        client.send_task_success(taskToken=task["taskToken"], output="1")
    after = metrics(daemon)
    assert after["stategate_task_token_age_seconds"][""] == 0
    assert moved("stategate_executions_ended_total", "SUCCEEDED") == 1
    assert after["stategate_notification_age_seconds"][""] > 0
    assert after["stategate_notifications_waiting"]["ended"] > 0
    assert moved("stategate_commit_seconds_count", "") > 0
    assert after["stategate_commit_seconds_sum"][""] > 0
