"""Lambda handlers in Python, in real processes: what they see, what they return, how they fail."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
import structlog.testing
import trio

from tests.tasks.functions_rig import calling, function
from tests.workers.test_group import alive, until

pytestmark = pytest.mark.slow

CATCH = {"Catch": [{"ErrorEquals": ["Oh"], "Next": "P"}], "Retry": [
    {"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 2}]}  # fmt: skip


@pytest.fixture
def python(tmp_path):
    """Makes the settings of a function of this code."""

    def make(code, **more):
        (tmp_path / "shop.py").write_text(textwrap.dedent(code))
        given = {"type": "python", "handler": "shop:handler", "directory": str(tmp_path), **more}
        return function(**given)

    return make


async def until_gone(pid):
    """Waits for the end of a process."""
    await until(lambda: not alive(pid))


async def test_a_handler_has_event_and_context(python):
    """It is called as Lambda calls it, and what it returns is the state's output."""
    settings = python(
        """
        from decimal import Decimal
        import os

        def handler(event, context):
            assert context.get_remaining_time_in_millis() <= 9000
            context.log("hello")
            return [event, context.function_name, context.function_version, context.log_group_name,
                context.memory_limit_in_mb, context.invoked_function_arn,
                len(context.aws_request_id), context.identity.cognito_identity_id,
                context.client_context, os.environ["AWS_REGION"], Decimal("1.5")]
        """,
        timeout="9s",
    )
    async with calling(settings) as rig:
        assert await rig.output('{"a": "ü"}') == [
            {"a": "ü"}, "f", "$LATEST", "/aws/lambda/f", "1024",
            "arn:aws:lambda:us-east-1:123456789012:function:f", 36, None, None, "us-east-1", 1.5,
        ]  # fmt: skip


async def test_an_exception_is_lambdas_error(python):
    """errorType is the error; the cause has message, type, request id and the handler's own lines,
    in Lambda's order."""
    settings = python(
        """
        class Oh(Exception): pass

        def handler(event, context):
            raise Oh("no " + event["what"])
        """
    )
    async with calling(settings) as rig:
        row = await rig.call('{"what": "way"}')
        error, cause = await rig.failure('{"what": "way"}')
    assert (row.error, error) == ("Oh", "Oh")
    assert row.cause.startswith('{"errorMessage": "no way", "errorType": "Oh", "requestId": "')
    assert list(cause) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    (line,) = cause["stackTrace"]
    assert line.startswith('  File "')
    assert line.endswith('shop.py", line 5, in handler\n    raise Oh("no " + event["what"])\n')


async def test_retry_and_catch_go_by_the_exception(python, tmp_path):
    """One exception is tried again, the other one is caught."""
    settings = python(
        """
        import pathlib

        class Again(Exception): pass
        class Oh(Exception): pass

        def handler(event, context):
            tries = pathlib.Path("tries")
            tries.write_text((tries.read_text() if tries.exists() else "") + ".")
            raise Again() if tries.read_text() == "." else Oh("twice")
        """
    )
    async with calling(settings) as rig:
        caught = await rig.output(**CATCH)
    assert caught["Error"] == "Oh"
    assert (tmp_path / "tries").read_text() == ".."


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("import nowhere", "Runtime.ImportModuleError",
         "Unable to import module 'shop': No module named 'nowhere'"),
        ("def other(event, context): pass", "Runtime.HandlerNotFound",
         "Handler 'handler' missing on module 'shop'"),
        ("def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'shop': "),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("import sys; sys.exit(3)", "Runtime.ExitError",
         "RequestId:  Error: Runtime exited with error: exit status 3"),
        ("def handler(event, context): return {1, 2}", "Runtime.MarshalError",
         "Unable to marshal response: Object of type set is not JSON serializable"),
        ("def handler(event, context): return '\\ud800'", "Runtime.MarshalError",
         "Unable to marshal response: "),
        ("def handler(event, context): exit()", "Runtime.ExitError",
         " Error: Runtime exited without providing a reason"),
        ("import os\ndef handler(event, context): os.kill(os.getpid(), 9)", "Runtime.ExitError",
         " Error: Runtime exited with error: signal: killed"),
        ("def handler(event, context): return 'x' * 2**27 * 4", "MemoryError", ""),
    ],
)  # fmt: skip
async def test_what_cannot_be_called_or_told(python, code, kind, message):
    """It has Lambda's error, and no later call suffers from it."""
    async with calling(python(code, memory=256)) as rig:
        for _ in range(2):
            error, cause = await rig.failure()
            assert (error, cause["errorType"]) == (kind, kind)
            assert message in cause["errorMessage"]


async def test_no_interpreter(python, tmp_path):
    """One that is gone since `check` fails the task."""
    settings = python("def handler(event, context): pass", venv=str(tmp_path / "gone"))
    async with calling(settings) as rig:
        error, cause = await rig.failure()
    assert error == "Runtime.InvalidEntrypoint"
    assert "gone/bin/python" in cause["errorMessage"]


async def test_a_timeout_kills_the_process(python, tmp_path):
    """Sandbox.Timedout, as Lambda says it; neither it nor its children go on."""
    settings = python(
        """
        import os, pathlib, subprocess, time

        def handler(event, context):
            child = subprocess.Popen(["sleep", "60"])
            pathlib.Path("pids").write_text(f"{os.getpid()} {child.pid}")
            while True: time.sleep(1)
        """,
        timeout="500ms",
    )
    async with calling(settings) as rig:
        error, cause = await rig.failure()
        assert error == "Sandbox.Timedout"
        assert cause["errorMessage"].endswith("Error: Task timed out after 0.50 seconds")
        for pid in (tmp_path / "pids").read_text().split():
            await until_gone(int(pid))


async def test_timeout_seconds_kill_the_process(python, tmp_path):
    """A state whose time is up cuts the call, and the place is free for the next one."""
    settings = python(
        """
        import os, pathlib, time

        def handler(event, context):
            if event == "quick": return os.getpid()
            pathlib.Path("pid").write_text(str(os.getpid()))
            time.sleep(60)
        """,
        concurrency=1,
    )
    async with calling(settings) as rig:
        row = await rig.call(TimeoutSeconds=2)
        assert row.error == "States.Timeout"
        pid = int((tmp_path / "pid").read_text())
        await until_gone(pid)
        assert await rig.output('"quick"') != pid


async def test_processes_are_as_many_as_allowed_and_kept(python):
    """Of six calls two run at a time, in two processes."""
    settings = python(
        """
        import os, time
        def handler(event, context):
            began = time.time()
            time.sleep(0.05)
            return os.getpid(), began, time.time()
        """,
        concurrency=2,
    )
    calls = []
    async with calling(settings) as rig:

        async def one():
            calls.append(await rig.output())

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(one)
    assert len({pid for pid, _, _ in calls}) == 2
    for _, at, _ in calls:
        assert sum(began <= at < ended for _, began, ended in calls) <= 2


async def test_the_environment_is_its_own(python, monkeypatch):
    """Of the daemon's variables it sees what is harmless and what it may inherit; no open file of
    the daemon's; no standard input."""
    settings = python(
        """
        import os, sys
        def handler(event, context):
            names = [n for n in os.environ if n.startswith(("SECRET", "SHOP", "PATH"))]
            return sorted(names), os.environ["SHOP_URL"], sys.stdin.read(), os.getcwd()
        """,
        env={"SHOP_URL": "here"},
        inherit=["SHOP_*"],
    )
    monkeypatch.setenv("SECRET", "of others")
    monkeypatch.setenv("SHOP_KEY", "its own")
    monkeypatch.setenv("SHOP_URL", "there")
    async with calling(settings) as rig:
        names, url, typed, folder = await rig.output()
    assert (names, url, typed) == (["PATH", "SHOP_KEY", "SHOP_URL"], "here", "")
    assert folder == settings["functions"]["f"]["directory"]


async def test_what_it_prints_is_logged(python):
    """Standard output, standard error and Lambda's root logger, line by line with its name."""
    settings = python(
        """
        import logging, sys
        def handler(event, context):
            print("one")
            print("two", file=sys.stderr)
            logging.getLogger().setLevel(logging.INFO)
            logging.getLogger("any").info("three")
        """
    )
    with structlog.testing.capture_logs() as logs:
        async with calling(settings) as rig:
            assert await rig.output() is None
    said = {entry["event"] for entry in logs if entry.get("function") == "f"}
    assert said == {"one", "two", "[INFO] three"}


@pytest.fixture
def venv(tmp_path):
    """A virtual environment."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


async def test_a_virtual_environment_of_its_own(python, venv):
    """It imports what is installed there, and Lambda's way of naming a handler will do."""
    (packages,) = venv.glob("lib/python3*/site-packages")
    (packages / "wares.py").write_text("price = 7")
    settings = python(
        "import sys, wares\ndef handler(event, context): return wares.price, sys.prefix",
        venv=str(venv),
        handler="shop.handler",
    )
    async with calling(settings) as rig:
        assert await rig.output() == [7, str(venv)]


async def test_lambda_invoke_shows_it_as_lambdas_answer(python):
    """By name, with a version, by ARN: Payload and the service's metadata. DryRun does nothing,
    Event tells nothing."""
    settings = python("def handler(event, context): return event")
    resource = "arn:aws:states:::lambda:invoke"
    async with calling(settings) as rig:
        for name in (
            "f",
            "f:7",
            "123456789012:function:f",
            "arn:aws:lambda:eu-west-1:1:function:f:live",
        ):
            given = {"FunctionName": name, "Payload": {"a": 1}}
            told = await rig.output(Resource=resource, Parameters=given)
            assert told["Payload"] == {"a": 1}
            assert (told["StatusCode"], told["ExecutedVersion"]) == (200, "$LATEST")
            assert set(told) == {
                "ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"
            }  # fmt: skip
        for kind, status in (("Event", 202), ("DryRun", 204)):
            given = {"FunctionName": "f", "InvocationType": kind}
            told = await rig.output(Resource=resource, Parameters=given)
            assert told["StatusCode"] == status
            assert "Payload" not in told


async def test_too_large_a_result(python):
    """It is not read to its end: States.DataLimitExceeded, and the next call is served."""
    settings = python("def handler(event, context): return 'x' * event")
    async with calling(settings) as rig:
        assert (await rig.call("5000000")).error == "States.DataLimitExceeded"
        assert await rig.output("3") == "xxx"


async def test_a_reload_changes_it(python, tmp_path):
    """The call under way ends as it began, the next one is the new function's, and the processes
    of the old one are gone."""
    settings = python(
        """
        import os, pathlib, time
        def handler(event, context):
            pathlib.Path("begun").write_text(str(os.getpid()))
            while not pathlib.Path("go").exists(): time.sleep(0.01)
            return os.environ["NOW"]
        """,
        env={"NOW": "old"},
    )
    async with calling(settings) as rig:
        had = rig.functions.find("f").settings
        arn = await rig.start()
        await until(lambda: (tmp_path / "begun").exists() and (tmp_path / "begun").read_text())
        old = int((tmp_path / "begun").read_text())
        changed = had.model_copy(update={"env": {"NOW": "new"}})
        assert rig.functions.configure({"f": had}) == []
        assert rig.functions.configure({"f": changed, "g": changed}) == ["f", "g"]
        (tmp_path / "go").touch()
        assert (await rig.end(arn)).output == '"old"'
        await until_gone(old)
        assert await rig.output() == "new"
        assert await rig.output(function="g") == "new"
        assert rig.functions.configure({}) == ["f", "g"]
        assert rig.functions.find("f") is None


async def test_a_process_that_died_while_it_waited(python):
    """The next call has another one."""
    settings = python("import os\ndef handler(event, context): return os.getpid()")
    async with calling(settings) as rig:
        first = await rig.output()
        os.kill(first, 9)
        await until_gone(first)
        await trio.testing.wait_all_tasks_blocked()
        assert await rig.output() != first
