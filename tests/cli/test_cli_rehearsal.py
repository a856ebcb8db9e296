"""``stategate test``, through typer's runner."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app

DEFINITION = {
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:us-east-1:123456789012:activity:ask",
            "TimeoutSeconds": 60,
            "Next": "Rest",
        },
        "Rest": {"Type": "Wait", "Seconds": 86_400, "End": True},
    },
}


@pytest.fixture
def rehearse(tmp_path, monkeypatch):
    """Runs ``stategate test`` on the definition; returns exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.asl.json").write_text(json.dumps(DEFINITION))
    (tmp_path / "good.yaml").write_text("Ask: { return: { a: 1 } }")
    (tmp_path / "bad.json").write_text('{"Ask": {"throw": {"Error": "Odd", "Cause": "so"}}}')
    (tmp_path / "wrong.yaml").write_text("Aks: { return: 1 }")
    (tmp_path / "tab.yaml").write_text("Ask:\n\treturn: 1\n")
    (tmp_path / "twice.yaml").write_text("Ask: { return: 1 }\nAsk: { return: 2 }\n")
    (tmp_path / "input.json").write_text('{"x": 1}')

    def run(*arguments, given=None):
        done = CliRunner().invoke(app, ["test", *arguments], input=given)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run


def test_the_path_is_printed(rehearse):
    """Each state with what happened in it, the end, and exit code 0."""
    code, said, _ = rehearse("d.asl.json", "--mocks", "good.yaml")
    lines = [line.split() for line in said.splitlines()[1:]]
    assert code == 0
    assert lines[:3] == [
        ["+0", "s", "Ask", "Task", "asks", "activity:ask"],
        ["returned", '{"a":', "1}"],
        ["->", "Rest"],
    ]
    assert said.endswith('SUCCEEDED after 24 h 00 min of virtual time\n{"a": 1}\n')


def test_a_failure_is_exit_code_1(rehearse):
    """With the error and its cause as the last line."""
    code, said, _ = rehearse("d.asl.json", "--mocks", "bad.json")
    assert code == 1
    assert said.endswith("Odd: so\n")


@pytest.mark.parametrize(
    ("mocks", "expected", "code"),
    [
        ("good.yaml", ("--expect-output", '{"a":1.0}'), 0),
        ("good.yaml", ("--expect-output", '{"a":2}'), 3),
        ("bad.json", ("--expect-status", "FAILED"), 0),
        ("bad.json", ("--expect-status", "FAILED", "--expect-error", "Odd"), 0),
        ("bad.json", ("--expect-error", "Even"), 3),
        ("good.yaml", ("--expect-status", "TIMED_OUT"), 3),
    ],
)
def test_what_was_expected_decides(rehearse, mocks, expected, code):
    """With --expect-… the exit code is 0 where it ended so, else 3 and what differs."""
    found, _, said = rehearse("d.asl.json", "--mocks", mocks, *expected)
    assert found == code
    assert ("expected" in said) is (code == 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("d.asl.json",), "'Ask' asks for a task and has no mock"),
        (("d.asl.json", "--mocks", "wrong.yaml"), "no state 'Aks'; did you mean \"Ask\"?"),
        (("d.asl.json", "--mocks", "none.yaml"), "none.yaml cannot be read"),
        (("d.asl.json", "--mocks", "d.asl.json"), "StartAt: an answer is"),
        (("d.asl.json", "--mocks", "tab.yaml"), "tab.yaml:2: no valid YAML: a tab cannot indent"),
        (("d.asl.json", "--mocks", "twice.yaml"), "twice.yaml:2: Ask: is written twice"),
        (("d.asl.json", "--case", "x"), "test case 'x'"),
        (("input.json",), "input.json:1"),
        (("d.asl.json", "--input", "{"), "the input is no JSON"),
        (("none.json",), "none.json cannot be read"),
    ],
)
def test_problems_are_exit_code_2(rehearse, arguments, said):
    """No definition, no mocks, no answer: a sentence each."""
    code, out, err = rehearse(*arguments)
    assert code == 2
    assert said in out + err


@pytest.mark.parametrize(
    ("mocks", "output"),
    [
        ('{\n\t"Ask": {"return": 1}\n}', 1),
        ("Ask: { return: { date: 2026-01-31, ok: no } }", {"date": "2026-01-31", "ok": "no"}),
    ],
)
def test_mocks_are_json_whatever_they_look_like(rehearse, tmp_path, mocks, output):
    """JSON may be indented by tabs, and what a person takes for a text is one."""
    (tmp_path / "own").write_text(mocks)
    code, out, _ = rehearse("d.asl.json", "--mocks", "own", "--json")
    assert code == 0
    assert json.loads(out)["output"] == output


def test_the_input_from_a_file_or_standard_input(rehearse):
    """``@FILE`` and ``-``."""
    for arguments, given in ((("@input.json",), None), (("-",), '{"x": 1}')):
        command = ("d.asl.json", "--mocks", "good.yaml", "--json", "--input", *arguments)
        code, said, _ = rehearse(*command, given=given)
        assert code == 0
        document = json.loads(said)
        assert document["visits"][0]["input"] == {"x": 1}
        assert (document["status"], document["path"]) == ("SUCCEEDED", ["Ask", "Rest"])
        assert document["events"][0]["type"] == "ExecutionStarted"
