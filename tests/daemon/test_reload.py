"""SIGHUP: a good file is taken without disturbing what stays, a bad one changes nothing."""

from __future__ import annotations

import signal

import httpx
import pytest

from tests.daemon.process import PASS, running, write_config

pytestmark = pytest.mark.slow

CONFIG = """
machines:
  echo: { definition: pass.asl.json }
activities: { pick: {}, pack: {} }
triggers:
  one: { source: { type: webhook, path: /one }, start: echo }
workers:
  same: { activity: pick, command: [sleep, "1000"] }
  changed: { activity: pack, command: [sleep, "1000"] }
"""


@pytest.fixture
def daemon(tmp_path):
    """Ready, with one webhook, one machine and two workers."""
    with running(write_config(tmp_path, CONFIG)) as daemon:
        daemon.ready()
        daemon.until(lambda: len(_pids(daemon)) == 2)
        yield daemon


def _pids(daemon):
    workers = daemon.health()["workers"].items()
    return {name: worker["processes"][0]["pid"] for name, worker in workers}


def _change(daemon, old, new):
    text = daemon.path.read_text()
    assert old in text
    daemon.path.write_text(text.replace(old, new))


def test_what_changed_is_swapped_and_the_rest_goes_on(daemon):
    """A new source serves, the changed worker is replaced, the unchanged one keeps its process."""
    before = _pids(daemon)
    _change(
        daemon,
        "workers:",
        "  two: { source: { type: webhook, path: /two }, start: echo }\nworkers:",
    )
    _change(daemon, 'activity: pack, command: [sleep, "1000"]', "activity: pack, command: [cat]")
    _change(daemon, "command: [cat]", 'command: [sleep, "2000"]')
    daemon.signal(signal.SIGHUP)
    changed = daemon.logged("reloaded")["changed"]
    assert changed == ["source two", "worker changed"]
    after = daemon.until(lambda: _pids(daemon)["changed"] and _pids(daemon))
    assert after["same"] == before["same"]
    assert after["changed"] != before["changed"]
    hooks = daemon.health()["webhooks"]
    daemon.until(lambda: httpx.post(f"{hooks}/two", json={}).status_code == 202)
    assert httpx.post(f"{hooks}/one", json={}).status_code == 202


def test_roles_are_taken(daemon):
    """As whom tasks call is what the file says from then on."""
    roles = 'roles: { "arn:aws:iam::*:role/*": { assume: false } }\nworkers:'
    _change(daemon, "workers:", roles)
    daemon.signal(signal.SIGHUP)
    assert daemon.logged("reloaded")["changed"] == ["roles"]


def test_one_reload_after_the_other(daemon):
    """Each is taken: a daemon is reloaded as often as its file changes."""
    for seconds in (2000, 3000):
        before = _pids(daemon)
        text = daemon.path.read_text()
        daemon.path.write_text(text.replace("changed: { ", f"changed: {{ restart: {seconds}s, "))
        daemon.signal(signal.SIGHUP)
        daemon.until(
            lambda before=before: _pids(daemon)["changed"] not in {before["changed"], None}
        )
        assert "problems" not in daemon.health()["reload"]
        daemon.path.write_text(text)


def test_a_bad_file_changes_nothing_and_says_why(daemon):
    """Every problem is logged and on /healthz; sources and workers go on as they were."""
    before = _pids(daemon)
    _change(daemon, "start: echo", "start: ecko")
    daemon.signal(signal.SIGHUP)
    [problem] = daemon.logged("reload refused, the old configuration stays")["problems"]
    assert "triggers.one.start" in problem
    health = daemon.health()
    assert health["ready"]
    assert health["reload"]["problems"] == [problem]
    assert _pids(daemon) == before
    assert httpx.post(f"{health['webhooks']}/one", json={}).status_code == 202


def test_what_only_a_restart_can_change_is_refused(daemon):
    """Another database or API address is a problem of the reload, by name."""
    _change(daemon, "path: stategate.db", "path: other.db")
    daemon.signal(signal.SIGHUP)
    [problem] = daemon.logged("reload refused, the old configuration stays")["problems"]
    assert "store.path" in problem
    assert "restart" in problem


def test_a_taken_port_refuses_the_reload(daemon):
    """The webhooks' listener is bound before anything else is changed."""
    port = daemon.url.rpartition(":")[2]
    _change(daemon, "hooks: { listen: 127.0.0.1:0 }", f"hooks: {{ listen: 127.0.0.1:{port} }}")
    _change(daemon, "path: /one", "path: /uno")
    daemon.signal(signal.SIGHUP)
    [problem] = daemon.logged("reload refused, the old configuration stays")["problems"]
    assert "hooks.listen" in problem
    hooks = daemon.health()["webhooks"]
    assert httpx.post(f"{hooks}/one", json={}).status_code == 202


def test_the_webhooks_move_to_another_address(daemon):
    """The new listener serves the routes that did not change."""
    old = daemon.health()["webhooks"]
    _change(daemon, "hooks: { listen: 127.0.0.1:0 }", "hooks: { listen: 127.0.0.2:0 }")
    assert daemon.own("Reload") == {"changed": []}
    new = daemon.health()["webhooks"]
    assert "127.0.0.2" in new
    assert httpx.post(f"{new}/one", json={}).status_code == 202
    with pytest.raises(httpx.ConnectError):
        httpx.post(f"{old}/one", json={})


def test_a_changed_definition_is_a_new_revision(daemon):
    """Running executions keep theirs; the next start has the new one."""
    (daemon.path.parent / "pass.asl.json").write_text(PASS.replace('"End"', '"Result": 7, "End"'))
    assert daemon.own("Reload") == {"changed": ["machine echo"]}
    hooks = daemon.health()["webhooks"]
    arn = httpx.post(f"{hooks}/one", json={}).json()["executionArn"]
    row = daemon.until(
        lambda: (
            (r := daemon.aws("DescribeExecution", executionArn=arn))["status"] != "RUNNING" and r
        )
    )
    assert row["output"] == "7"
