"""The status-change event: AWS's shape, and what is left out of large ones."""

import pytest
from outbox_rig import START, execution

from gateway.engine.status_change import status_change_event

KB = 1024


def test_the_end_of_an_execution():
    """Every member, with AWS's names and forms."""
    row = execution(1, stop_at=START + 1_999, input='{"id":1}', output='"done"')
    assert status_change_event(row, "id-1") == {
        "version": "0",
        "id": "id-1",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2023-11-14T22:13:21Z",
        "region": "us-east-1",
        "resources": ["arn:aws:states:us-east-1:123456789012:execution:fulfil:order-1"],
        "detail": {
            "executionArn": "arn:aws:states:us-east-1:123456789012:execution:fulfil:order-1",
            "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:fulfil",
            "stateMachineVersionArn": None,
            "stateMachineAliasArn": None,
            "name": "order-1",
            "status": "SUCCEEDED",
            "startDate": START,
            "stopDate": START + 1_999,
            "input": '{"id":1}',
            "inputDetails": {"included": True},
            "output": '"done"',
            "outputDetails": {"included": True},
            "redriveCount": 0,
            "redriveDate": None,
        },
    }


def test_what_an_execution_was_started_through_is_told():
    """The version and the alias have their ARNs; the machine's own stays as it is."""
    detail = status_change_event(execution(1, version=3, alias="live"), "id-1")["detail"]
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:fulfil"
    assert detail["stateMachineArn"] == machine
    assert detail["stateMachineVersionArn"] == f"{machine}:3"
    assert detail["stateMachineAliasArn"] == f"{machine}:live"


def test_the_start_of_an_execution():
    """It has neither end nor output, and happened when it started."""
    event = status_change_event(execution(1, "RUNNING"), "id-1")
    assert event["time"] == "2023-11-14T22:13:20Z"
    assert event["detail"]["stopDate"] is None
    assert event["detail"]["output"] is None
    assert "error" not in event["detail"]


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_an_execution_that_did_not_succeed_says_why(status):
    """Error and cause are there, null where nothing was said, for templates to refer to."""
    said = status_change_event(execution(1, status, error="E", cause="because"), "id-1")
    assert (said["detail"]["error"], said["detail"]["cause"]) == ("E", "because")
    silent = status_change_event(execution(1, status), "id-1")
    assert (silent["detail"]["error"], silent["detail"]["cause"]) == (None, None)


@pytest.mark.parametrize(
    ("input_bytes", "output_bytes", "included"),
    [
        (124 * KB - 2, 124 * KB - 2, (True, True)),
        (124 * KB - 1, 124 * KB - 2, (False, True)),
        (10, 248 * KB - 2, (False, True)),
        (248 * KB - 2, 248 * KB - 1, (True, False)),
        (248 * KB - 1, 248 * KB - 1, (False, False)),
    ],
)
def test_what_is_over_248_kb_is_left_out(input_bytes, output_bytes, included):
    """Sizes are those inside the event, quotes included; an input yields to the output."""
    row = execution(1, input="1" * input_bytes, output="2" * output_bytes)
    detail = status_change_event(row, "id-1")["detail"]
    assert (detail["inputDetails"]["included"], detail["outputDetails"]["included"]) == included
    assert (detail["input"] is not None, detail["output"] is not None) == included


def test_sizes_count_escapes():
    """A quote inside a document takes two bytes in the event."""
    row = execution(1, output='"' * 126 * KB)
    assert not status_change_event(row, "id-1")["detail"]["outputDetails"]["included"]
