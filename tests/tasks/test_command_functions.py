"""Programs as functions: JSON in, JSON out, and what each end of one becomes."""

from __future__ import annotations

import json
import sys

import pytest
import structlog.testing
import trio

from tests.tasks.functions_rig import calling, function
from tests.workers.test_group import alive, until

pytestmark = pytest.mark.slow


def program(code, tmp_path, **more):
    """The settings of a function that runs this Python code."""
    command = [sys.executable, "-c", code]
    return function(type="command", command=command, directory=str(tmp_path), **more)


async def test_json_in_json_out(tmp_path):
    """The payload is its standard input, the output its result; it is told its name and the id of
    the request."""
    code = (
        "import json, os, sys; e = os.environ; print(json.dumps([json.load(sys.stdin),"
        " e['STATEGATE_FUNCTION'], len(e['STATEGATE_REQUEST_ID']), os.getcwd()]))"
    )
    async with calling(program(code, tmp_path)) as rig:
        assert await rig.output('{"a": "ü"}') == [{"a": "ü"}, "f", 36, str(tmp_path)]


async def test_a_program_by_its_path(tmp_path):
    """A relative one is the directory's; one that says nothing returns null, and it need not read
    what it does not want."""
    (tmp_path / "quiet.sh").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "quiet.sh").chmod(0o755)
    settings = function(type="command", command=["./quiet.sh"], directory=str(tmp_path))
    async with calling(settings) as rig:
        assert await rig.output(json.dumps("x" * 200_000)) is None


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("import sys; print('no paper', file=sys.stderr); sys.exit(3)", "Command.ExitCode.3",
         "no paper"),
        ("import os; os.kill(os.getpid(), 9)", "Command.Signal.SIGKILL", ""),
        ("import sys; print('{\"errorType\": \"Jam\", \"errorMessage\": \"tray 2\"}'); sys.exit(1)",
         "Jam", "tray 2"),
        ("import time; time.sleep(60)", "Sandbox.Timedout", "Task timed out after 1.50 seconds"),
    ],
)  # fmt: skip
async def test_how_it_fails(tmp_path, code, error, message):
    """Exit code, signal, an error of its own and the time: each has a name that Retry can match."""
    async with calling(program(code, tmp_path, timeout="1500ms")) as rig:
        found, cause = await rig.failure()
    assert found == cause["errorType"] == error
    assert message in cause["errorMessage"]


async def test_a_program_that_is_gone(tmp_path):
    """Since `check` there is none of that name."""
    settings = function(type="command", command=["./gone"], directory=str(tmp_path))
    async with calling(settings) as rig:
        assert (await rig.failure())[0] == "Runtime.InvalidEntrypoint"


async def test_what_is_no_json(tmp_path):
    """It cannot be the result of a state: Lambda.Unknown, with the reason."""
    async with calling(program("print('hello')", tmp_path)) as rig:
        row = await rig.call()
    assert row.error == "Lambda.Unknown"
    assert "no JSON" in row.cause


async def test_an_endless_output_is_cut(tmp_path):
    """The program is killed, and nothing more of it is kept."""
    code = (
        "import os, pathlib; pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "while True: print('x' * 1000)"
    )
    async with calling(program(code, tmp_path)) as rig:
        assert (await rig.call()).error == "States.DataLimitExceeded"
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_a_child_that_holds_the_output_holds_up_nothing(tmp_path):
    """The result is there when the program itself has ended; the child is killed."""
    code = (
        "import subprocess; c = subprocess.Popen(['sleep', '60']);"
        "import sys; print(c.pid); sys.exit(0)"
    )
    async with calling(program(code, tmp_path)) as rig:
        child = await rig.output()
        await until(lambda: not alive(child))


async def test_standard_error_is_logged_and_the_environment_its_own(tmp_path, monkeypatch):
    """Lines of standard error go into the log; no variable of the daemon's that is not harmless."""
    monkeypatch.setenv("SECRET", "of others")
    code = "import os, sys; print('note', file=sys.stderr); print(int('SECRET' in os.environ))"
    with structlog.testing.capture_logs() as logs:
        async with calling(program(code, tmp_path)) as rig:
            assert await rig.output() == 0
    assert [entry["event"] for entry in logs if entry.get("function") == "f"] == ["note"]


async def test_no_more_of_them_than_allowed(tmp_path):
    """Of six calls two run at a time."""
    code = "import time; b = time.time(); time.sleep(0.1); print([b, time.time()])"
    calls = []
    async with calling(program(code, tmp_path, concurrency=2)) as rig:

        async def one():
            calls.append(await rig.output())

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(one)
    for at, _ in calls:
        assert sum(began <= at < ended for began, ended in calls) <= 2


@pytest.mark.parametrize(
    "more",
    [{}, {"Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}}],
)
async def test_what_waits_for_its_function_has_not_started(tmp_path, more):
    """Whichever way it is named: the clocks of a task beyond the bound do not run, and another
    function is called meanwhile."""
    code = (
        "import pathlib, time\npathlib.Path('begun').touch()\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.01)"
    )
    settings = program(code, tmp_path, concurrency=1)
    settings["functions"]["g"] = {"type": "command", "command": ["true"]}
    async with calling(settings) as rig:
        arns = [await rig.start(**more) for _ in range(3)]
        await until((tmp_path / "begun").exists)
        assert await rig.output(function="g") is None
        last = [(await rig.engine.history(arn))[-1]["type"] for arn in arns]
        assert [kind.endswith("Started") for kind in last] == [True, False, False]
        (tmp_path / "go").touch()
        for arn in arns:
            assert (await rig.end(arn)).status == "SUCCEEDED"


async def test_a_stop_of_the_execution_kills_it(tmp_path):
    """StopExecution ends the program, not only the wait for it."""
    code = (
        "import os, pathlib, time; pathlib.Path('pid.new').write_text(str(os.getpid()));"
        "os.rename('pid.new', 'pid'); time.sleep(60)"
    )
    async with calling(program(code, tmp_path)) as rig:
        arn = await rig.start()
        await until((tmp_path / "pid").exists)
        pid = int((tmp_path / "pid").read_text())
        assert alive(pid)
        await rig.engine.stop_execution(arn, None, None)
        await until(lambda: not alive(pid))
