"""The callbacks page of a whole daemon: where it listens, that it is durable, what history says."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import httpx
import pytest

from tests.daemon.process import running, write_config

pytestmark = pytest.mark.slow

PICK = "arn:aws:states:us-east-1:123456789012:activity:pick"
ASK = "machines: { pick: { definition: pick.asl.json } }\nactivities: { pick: {} }\n"
CALLBACK = {
    "question": "Renew?",
    "answers": [{"label": "Yes", "output": {"days": 14}}, {"label": "Lost", "error": "Lost"}],
}


def asked(daemon, name, given):
    """Starts an execution whose task is handed out; its ARN and its link."""
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:pick"
    started = daemon.aws(
        "StartExecution", stateMachineArn=machine, name=name, input=json.dumps(given)
    )
    task = daemon.aws("GetActivityTask", activityArn=PICK)
    return started["executionArn"], f"{daemon.health()['webhooks']}/callbacks/{task['taskToken']}"


def history(daemon, *arguments):
    """What `stategate history` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "history", *arguments, "--endpoint", daemon.url],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_an_answer_that_was_shown_as_recorded_survives_a_kill(tmp_path):
    """SIGKILL right after the page said thank you: the next daemon has the output and who answered,
    the link is over; one that was not answered is open as before. No webhook is needed for it."""
    path = write_config(tmp_path, ASK)
    with running(path) as daemon:
        daemon.ready()
        arn, link = asked(daemon, "one", {"callback": CALLBACK})
        other, open_link = asked(daemon, "two", {"callback": CALLBACK})
        assert httpx.post(link, data={"answer": "0"}).status_code == 200
        daemon.signal(signal.SIGKILL)
        daemon.end()
    with running(path) as daemon:
        daemon.ready()
        described = daemon.aws("DescribeExecution", executionArn=arn)
        assert (described["status"], json.loads(described["output"])) == ("SUCCEEDED", {"days": 14})
        [answer] = daemon.own("ListAnswers", executionArn=arn)["answers"]
        assert (answer["label"], answer["address"]) == ("Yes", "127.0.0.1")
        base = daemon.health()["webhooks"]
        path_of = re.compile(r"/callbacks/.+")
        again = base + path_of.search(link)[0]
        assert httpx.get(again).status_code == 410
        assert httpx.post(base + path_of.search(open_link)[0], data={"answer": "1"}).is_success
        described = daemon.aws("DescribeExecution", executionArn=other)
        assert (described["status"], described["error"]) == ("FAILED", "Lost")


def test_history_shows_who_answered(tmp_path):
    """Below the event that ended the task stands the button, the address and the time, and --json
    has the same beside AWS's events; a label cannot speak to the terminal."""
    label = "Yes\x1b[31m"
    callback = {"question": "Renew?", "answers": [{"label": label, "output": 1}]}
    with running(write_config(tmp_path, ASK)) as daemon:
        daemon.ready()
        arn, link = asked(daemon, "one", {"callback": callback})
        assert httpx.post(link, data={"answer": "0"}).status_code == 200
        said = history(daemon, "one")
        [line] = re.findall(r"ActivitySucceeded.*\n(.*)\n", said)
        assert re.fullmatch(
            r"\s+\(answered by link\)\s+'Yes\\x1b\[31m' from 127\.0\.0\.1, "
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\s*",
            line,
        )
        whole = json.loads(history(daemon, arn, "--json"))
        assert [each["label"] for each in whole["answers"]] == [label]
        aws = daemon.aws("GetExecutionHistory", executionArn=arn)["events"]
        assert whole["events"] == aws


def test_the_page_stays_over_a_reload(tmp_path):
    """While sources come and go, a link is answered; without `hooks:` and webhooks nobody
    listens."""
    path = write_config(tmp_path, ASK)
    webhook = "triggers: { t: { start: pick, source: { type: webhook, path: /in } } }\n"
    with running(path) as daemon:
        daemon.ready()
        _, link = asked(daemon, "one", {"callback": CALLBACK})
        path.write_text(path.read_text() + webhook)
        assert daemon.own("Reload")["changed"] == ["source t"]
        assert httpx.get(link).status_code == 200
        text = path.read_text().replace(webhook, "")
        path.write_text(text)
        assert daemon.own("Reload")["changed"] == ["source t"]
        assert httpx.get(link).status_code == 200
        path.write_text(text.replace("hooks: { listen: 127.0.0.1:0 }\n", ""))
        daemon.own("Reload")
        assert daemon.health()["webhooks"] is None
        with pytest.raises(httpx.ConnectError):
            httpx.get(link)
