"""Commands that ask a running daemon, as processes against a real one."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

from tests.daemon.process import running, write_config

pytestmark = pytest.mark.slow

CONFIG = """
machines:
  echo: { definition: pass.asl.json }
  pick: { definition: pick.asl.json }
activities: { pick: {} }
triggers:
  orders:
    source: { type: webhook, path: /orders }
    start: echo
    name: States.Format('order-{}', $.body.id)
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """One for all tests of this file."""
    with running(write_config(tmp_path_factory.mktemp("cli"), CONFIG)) as daemon:
        yield daemon.ready()


@pytest.fixture
def stategate(daemon):
    """Runs a command against the daemon; returns exit code and what it printed."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *map(str, arguments)],
            env={"STATEGATE_ENDPOINT": daemon.url, "COLUMNS": "80"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_an_execution_from_start_to_history(stategate):
    """Started by the machine's name and waited for; listed; its events told."""
    code, said = stategate("start", "echo", "--name", "one", "--input", '{"n": 1}', "--wait")
    assert code == 0
    assert "SUCCEEDED" in said
    assert '{"n":1}' in said.replace(" ", "")
    code, said = stategate("executions", "--prefix", "on", "--status", "SUCCEEDED")
    assert code == 0
    assert "one" in said.splitlines()[1]
    code, said = stategate("history", "one")
    assert [line.split()[2] for line in said.splitlines()[2:]] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]


def test_a_running_one_is_stopped(stategate, daemon):
    """ABORTED, with error and cause; waiting for it ends with 1."""
    assert stategate("start", "pick", "--name", "stuck")[0] == 0
    code, _ = stategate("stop", "stuck", "--error", "Enough", "--cause", "by hand")
    assert code == 0
    code, said = stategate("executions", "--status", "ABORTED", "--json")
    [row] = json.loads(said)["executions"]
    assert row["name"] == "stuck"
    row = daemon.aws("DescribeExecution", executionArn=row["executionArn"])
    assert (row["error"], row["cause"]) == ("Enough", "by hand")


def test_one_that_has_ended_is_not_stopped(stategate):
    """How it ended, and exit code 1, where nothing was stopped."""
    assert stategate("start", "echo", "--name", "over", "--wait")[0] == 0
    code, said = stategate("stop", "over")
    assert code == 1
    assert said.startswith("stategate: over had ended before, ")
    assert said.endswith(" UTC: SUCCEEDED\n")


def test_what_is_not_there_is_told(stategate):
    """Machines, executions and letters that do not exist: a sentence, exit code 1."""
    code, said = stategate("start", "nope")
    assert (code, "there are echo, pick" in said) == (1, True)
    code, said = stategate("history", "nobody")
    assert (code, "there is no execution 'nobody'" in said) == (1, True)
    code, said = stategate("letters", "show", "x")
    assert (code, "LetterDoesNotExist" in said) == (1, True)


def test_the_webhooks_address_is_not_the_apis(stategate, daemon):
    """The two are easily mistaken for each other: what was meant is told."""
    hooks = daemon.health()["webhooks"]
    code, said = stategate("executions", "--endpoint", hooks)
    assert code == 1
    assert f"{hooks} is not Stategate's API: it answered 404" in said
    assert "api.listen" in said


def test_letters_are_listed_shown_retried_and_dropped(stategate, daemon):
    """A message without the id that its name needs becomes one."""
    hooks = daemon.health()["webhooks"]
    assert httpx.post(f"{hooks}/orders", json={"total": 3}).status_code == 422
    code, said = stategate("letters", "list", "--origin", "orders", "--json")
    [letter] = json.loads(said)["letters"]
    identity = letter["id"]
    _, said = stategate("letters", "list")
    assert identity in said
    assert max(map(len, said.splitlines())) < 250  # the reason has the whole message in it
    code, said = stategate("letters", "show", identity)
    assert code == 0
    assert '"total": 3' in said
    code, said = stategate("letters", "retry", identity)
    assert (code, "It still cannot be taken" in said) == (1, True)
    assert stategate("letters", "drop", identity)[0] == 0
    assert "There is no letter." in stategate("letters", "list")[1]


def test_a_position_that_nobody_reads_from_is_refused(stategate):
    """It would be stored, and nothing would ever come of it."""
    code, said = stategate("positions", "set", "group", "shop.orders", "0", "42")
    assert code == 1
    assert "No trigger reads the topic 'shop.orders' in the group 'group'" in said
    assert "There is no position." in stategate("positions")[1]


def test_a_backup_is_whole_and_verifies(stategate, daemon, tmp_path):
    """While the daemon runs; so does verify, over the file, the copy and the configuration."""
    assert stategate("start", "pick", "--name", "open")[0] == 0
    copy = tmp_path / "copy.db"
    code, said = stategate("backup", copy)
    assert code == 0, said
    for what in (copy, daemon.path):
        code, said = stategate("verify", what)
        assert code == 0, said
        assert "as its history says" in said


def test_verify_tells_of_a_difference(stategate, daemon, tmp_path):
    """A task that is gone from its rows is a difference: exit code 1."""
    import sqlite3

    assert stategate("start", "pick", "--name", "broken")[0] == 0
    copy = tmp_path / "copy.db"
    assert stategate("backup", copy)[0] == 0
    connection = sqlite3.connect(copy)
    connection.execute("DELETE FROM tasks")
    connection.commit()
    connection.close()
    code, said = stategate("verify", copy, "--json")
    assert code == 1
    assert any("broken" in line for line in json.loads(said)["differences"])


def test_verify_tells_of_a_damaged_file(stategate, daemon, tmp_path):
    """An index that has lost its rows is said, though the histories fit; a history that cannot be
    read is said with its execution's name."""
    import sqlite3

    assert stategate("start", "pick", "--name", "unreadable")[0] == 0
    copy = tmp_path / "copy.db"
    assert stategate("backup", copy)[0] == 0
    connection = sqlite3.connect(copy)
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'execution_running'"
    ).fetchone()
    connection.execute(
        "UPDATE history SET records = x'00' WHERE execution ="
        " (SELECT id FROM executions WHERE name = 'unreadable')"
    )
    connection.commit()
    connection.close()
    code, said = stategate("verify", copy)
    assert code == 1
    assert "unreadable: its history cannot be read" in " ".join(said.split())
    with copy.open("r+b") as file:
        # An index page without cells.
        file.seek((root - 1) * 4096 + 3)
        file.write(b"\0\0")
    code, said = stategate("verify", copy, "--json")
    assert code == 1
    assert all("the file is damaged" in line for line in json.loads(said)["differences"])


def test_a_backup_that_meets_a_wal_is_not_looked_at(stategate, tmp_path):
    """Neither verified nor copied: what would be read are the pages of two databases."""
    copy = tmp_path / "copy.db"
    assert stategate("backup", copy)[0] == 0
    (tmp_path / "copy.db-wal").write_bytes(b"left by a daemon that was killed")
    for command in (("verify", copy), ("backup", tmp_path / "second.db", "--database", copy)):
        code, said = stategate(*command)
        assert code == 1
        assert "move it away" in " ".join(said.split())
