"""Commands about files, through typer's runner: no daemon, no process."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
import trio
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.cli.output import one_line, print_table
from gateway.config.load import load_config
from gateway.daemon.clock import now
from gateway.daemon.declare import declare
from gateway.engine.catalog import Catalog
from gateway.store.sqlite import open_sqlite
from tests.daemon.process import write_config

CONFIG = """
machines: { echo: { definition: pass.asl.json } }
triggers:
  orders:
    source: { type: webhook, path: /orders }
    start: echo
    filter: { body: { total: [{ numeric: [">", 0] }] } }
    name: States.Format('order-{}', $.body.id)
    input: { order.$: $.body, via.$: $.headers.via }
  plain: { source: { type: webhook, path: /plain }, start: echo }
"""


@pytest.fixture
def config(tmp_path):
    """A good configuration."""
    return write_config(tmp_path, CONFIG)


@pytest.fixture
def stategate():
    """Runs a command; returns exit code, standard output and standard error."""

    def run(*arguments, given=None):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run


def test_a_good_file_is_fine(stategate, config):
    """Exit code 0 and what it holds."""
    code, said, _ = stategate("check", config)
    assert code == 0
    assert "fine (machines: 1, activities: 0, triggers: 2, sinks: 0, workers: 0)" in said


def test_what_few_files_have_is_counted_where_it_is(stategate, config):
    """Functions, connections and roles, beside what every file is told of."""
    config.write_text(
        config.read_text()
        + "functions: { f: { type: command, command: [cat] } }\n"
        + "roles: { 'arn:aws:iam::123456789012:role/*': { profile: p } }\n"
    )
    code, said, _ = stategate("check", config)
    assert code == 0, said
    assert "workers: 0, functions: 1, roles: 1)" in said


def test_every_problem_is_shown(stategate, config):
    """Each with file, line and path; exit code 2."""
    config.write_text(config.read_text() + "grase: 1\nsinks: { a: { to: { type: pigeon } } }\n")
    code, said, _ = stategate("check", config)
    assert code == 2
    assert f"{config}:14: grase: unknown key" in said
    assert f"{config}:15: sinks.a.to" in said


def test_problems_as_json(stategate, config):
    """The same for programs."""
    config.write_text(config.read_text() + "grase: 1\n")
    code, said, _ = stategate("check", config, "--json")
    assert code == 2
    [problem] = json.loads(said)["problems"]
    assert (problem["path"], problem["line"], problem["warning"]) == ("grase", 14, False)


def test_a_missing_file_is_a_problem(stategate, tmp_path):
    """Not a trace."""
    code, said, _ = stategate("check", tmp_path / "none.yaml")
    assert code == 2
    assert "cannot be read" in said


def test_drift_is_shown(stategate, config):
    """A machine that was updated through the API since it was loaded is a warning."""

    async def load_and_update():
        async with open_sqlite(str(config.parent / "stategate.db")) as store:
            catalog = Catalog(store, now, region="us-east-1", account="123456789012")
            await catalog.load()
            await declare(load_config(config), catalog, None)
            updated = catalog.current(catalog.machine_arn("echo")).definition.replace('"A"', '"B"')
            await catalog.update_machine(catalog.machine_arn("echo"), updated)

    trio.run(load_and_update)
    code, said, _ = stategate("check", config)
    assert code == 0
    assert "machines.echo: warning: was updated through the API" in said


def test_the_schema_is_json(stategate):
    """An editor can use it."""
    code, said, _ = stategate("schema")
    assert code == 0
    assert "triggers" in json.loads(said)["properties"]


def test_try_shows_name_and_input(stategate, config, tmp_path):
    """What the message would start; nothing is."""
    message = tmp_path / "message.json"
    message.write_text('{"body": {"id": 7, "total": 3}, "headers": {"via": "test"}}')
    code, said, _ = stategate("try", config, "orders", "--message", message, "--json")
    assert code == 0
    assert json.loads(said) == {
        "verdict": "start",
        "machine": "echo",
        "name": "order-7",
        "input": {"order": {"id": 7, "total": 3}, "via": "test"},
    }


def test_try_takes_a_bare_body_from_standard_input(stategate, config):
    """Whatever is no message is the body of one."""
    code, said, _ = stategate("try", config, "plain", "--message", "-", given='{"a": 1}')
    assert code == 0
    assert '{"a": 1}' in said


def test_try_shows_what_the_filter_rejects(stategate, config):
    """Filtered is no failure."""
    given = '{"body": {"id": 7, "total": 0}}'
    code, said, _ = stategate("try", config, "orders", "--message", "-", given=given)
    assert code == 0
    assert "filtered" in said


def test_try_shows_what_would_be_a_letter(stategate, config):
    """With the reason, and exit code 1."""
    given = '{"body": {"total": 3}}'
    code, said, _ = stategate("try", config, "orders", "--message", "-", given=given)
    assert code == 1
    assert "letter" in said
    assert "$.body.id" in said


def test_try_names_the_triggers_there_are(stategate, config):
    """A wrong name is told with the right ones."""
    code, _, said = stategate("try", config, "order", "--message", "-", given="{}")
    assert code == 1
    assert "orders, plain" in said


def test_try_reads_numbers_as_sources_do(stategate, config):
    """One beyond 64 bits starts what it would start."""
    given = '{"id": 36893488147419103232}'
    code, said, _ = stategate("try", config, "plain", "--message", "-", "--json", given=given)
    assert (code, json.loads(said)["input"]) == (0, {"id": 3.6893488147419103e19})


NO_JSON = ["{", '{"n": NaN}', r'"\ud800"', "[" * 2_000 + "]" * 2_000]
"""Python's own parser would read some of it."""


@pytest.mark.parametrize("bad", [*NO_JSON, None])
def test_try_tells_of_a_message_that_cannot_be_read(stategate, config, tmp_path, bad):
    """No JSON, nested too deep, no file: a sentence each."""
    message = tmp_path / "message.json"
    if bad is not None:
        message.write_text(bad)
    code, _, said = stategate("try", config, "orders", "--message", message)
    assert code == 1
    assert str(message) in said


def test_run_ends_with_2_for_problems(stategate, config):
    """Before anything is started."""
    config.write_text(config.read_text() + "grase: 1\n")
    code, _, said = stategate("run", config)
    assert code == 2
    assert "grase" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("executions",),
        ("start", "echo"),
        ("stop", "one"),
        ("history", "one"),
        ("letters", "list"),
        ("letters", "show", "x"),
        ("positions",),
        ("backup", "copy.db"),
    ],
)
def test_a_daemon_that_is_not_there_is_told_with_the_remedy(stategate, arguments):
    """Where it was looked for, how to start one, how to name another."""
    code, _, said = stategate(*arguments, "--endpoint", "http://127.0.0.1:9")
    assert code == 1
    assert "no daemon answers at http://127.0.0.1:9" in said
    assert "stategate run CONFIG" in said
    assert "STATEGATE_ENDPOINT" in said


def test_an_endpoint_that_is_no_url_is_told(stategate):
    """127.0.0.1:8083 lacks its scheme."""
    code, _, said = stategate("executions", "--endpoint", "127.0.0.1:8083")
    assert code == 1
    assert "http://HOST:PORT" in said


def test_the_endpoint_comes_from_the_environment(stategate, monkeypatch):
    """STATEGATE_ENDPOINT stands in for --endpoint."""
    monkeypatch.setenv("STATEGATE_ENDPOINT", "http://127.0.0.1:10")
    _, _, said = stategate("executions")
    assert "http://127.0.0.1:10" in said


def test_input_that_is_no_json_is_told_before_anything_is_asked(stategate):
    """The mistake is the caller's, wherever the daemon is."""
    code, _, said = stategate("start", "arn:aws:states:x", "--input", "{")
    assert code == 1
    assert "no JSON" in said


def test_a_backup_of_nothing_is_told(stategate, tmp_path):
    """A database that is not there."""
    code, _, said = stategate("backup", tmp_path / "b.db", "--database", tmp_path / "none.db")
    assert code == 1
    assert "there is no database" in said


def test_a_backup_of_no_database_names_it(stategate, tmp_path):
    """A file of another kind."""
    (tmp_path / "notes.txt").write_text("These are no tables." * 99)
    code, _, said = stategate("backup", tmp_path / "b.db", "--database", tmp_path / "notes.txt")
    assert code == 1
    assert f"{tmp_path / 'notes.txt'} cannot be copied: file is not a database" in said


def test_verify_of_somebody_elses_database_names_it(stategate, tmp_path):
    """A sentence with the file's own name, where a copy of it was looked at."""
    file = tmp_path / "theirs.db"
    with closing(sqlite3.connect(file)) as theirs:
        theirs.execute("CREATE TABLE t (x)")
    code, _, said = stategate("verify", file)
    assert code == 1
    assert said == f"stategate: {file} is a SQLite database, but not one of Stategate\n"


def test_a_table_has_no_blanks_at_the_ends_of_its_lines(capsys):
    """Where it is no terminal, a line is as long as what it says."""
    print_table(("ID", "EVENT"), [("1", "x" * 300), ("2", "")], empty="")
    assert capsys.readouterr().out == f"ID  EVENT\n1   {'x' * 300}\n2\n"


def test_a_line_of_a_table_says_what_it_is_and_does_nothing():
    """A text of somebody else's neither colours a terminal nor fills it."""
    assert one_line("red: \x1b[31m\nnext") == "red: \\x1b[31m next"
    assert len(one_line("x" * 10_000)) == 160


def test_help_is_light():
    """What daemons and triggers need is not imported to print the help."""
    heavy = "{'boto3', 'trio', 'pydantic', 'httptools', 'httpx', 'starlette'}"
    code = f"import sys, gateway.cli.app; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_command_has_help(stategate):
    """A first line that says what it does, short enough for a terminal."""
    code, said, _ = stategate("--help")
    assert code == 0
    assert "..." not in said.partition("Commands:")[2]
    for command in ("check", "run", "schema", "try", "start", "stop", "executions", "history"):
        assert command in said
        assert stategate(command, "--help")[0] == 0


def test_a_definition_alone_is_checked(stategate, tmp_path):
    """Every problem and every warning, each with line, pointer and remedy; exit code 2."""
    file = tmp_path / "d.asl.json"
    file.write_text(
        '{\n"StartAt": "Frist",\n"States": {\n"First": {\n"Type": "Pass",\n"Commnt": "a",\n'
        '"Next": "Gone"\n}\n}\n}\n'
    )
    code, said, _ = stategate("check", file)
    assert code == 2
    assert f"{file}:2: /StartAt: Missing 'StartAt' target: Frist" in said
    assert '(MISSING_TRANSITION_TARGET); did you mean "First"?' in said
    assert f"{file}:7: /States/First/Next: Missing 'Next' target: Gone" in said
    assert f"{file}:6: /States/First/Commnt: warning:" in said
    lines = [int(line.split(":")[1]) for line in said.splitlines()]
    assert lines == sorted(lines)


def test_a_definition_with_warnings_is_fine(stategate, tmp_path):
    """Exit code 0: a warning refuses nothing; `--json` has them as well."""
    file = tmp_path / "d.asl.json"
    file.write_text('{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, "Ned": 1}}}')
    code, said, _ = stategate("check", file)
    assert (code, "warning" in said, said.endswith("fine\n")) == (0, True, True)
    code, said, _ = stategate("check", file, "--json")
    [problem] = json.loads(said)["problems"]
    assert (code, problem["warning"], problem["path"]) == (0, True, "/States/A/Ned")
