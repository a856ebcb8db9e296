"""What keeps the daemon from starting: the message, the exit code, and that nothing was touched."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.e2e.disks import small_disk

pytestmark = pytest.mark.slow

PASS = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
STORE = "store: { path: faults.db }\n"
WRONG = {
    "wrong YAML": (
        STORE + "api: { listen: 127.0.0.1:0\nmachines: {}\n",
        ["config.yaml:3: no valid YAML: expected ',' or '}', but got ':' "
         "while parsing a flow mapping"],
    ),
    "a tab": (
        "store:\n\tpath: faults.db\n",
        ["config.yaml:2: no valid YAML: a tab cannot indent; use spaces"],
    ),
    "unknown keys": (
        STORE + "api: { listn: 127.0.0.1:0 }\nmachine: {}\n",
        ['config.yaml:2: api.listn: unknown key; did you mean "listen"?',
         'config.yaml:3: machine: unknown key; did you mean "machines"?'],
    ),
    "definitions that do not parse": (
        STORE + "machines:\n  a: { definition: comma.json }\n  b: { definition: nowhere.json }\n",
        ["comma.json:3: no valid JSON: Expecting property name enclosed in double quotes",
         "nowhere.json:3: /States/A/Next: Missing 'Next' target: Nowhere "
         "(MISSING_TRANSITION_TARGET); there are A"],
    ),
    "a missing file": (
        STORE + "machines:\n  a: { definition: absent.json }\n",
        ["config.yaml:3: machines.a.definition: absent.json cannot be read: "
         "No such file or directory"],
    ),
    "an unset variable": (
        STORE + "machines: { a: { definition: pass.json } }\ntriggers:\n  q:\n    start: a\n"
        '    source: { type: sqs, queue_url: "${NO_SUCH_VARIABLE}" }\n',
        ["config.yaml:6: triggers.q.source.queue_url: the variable NO_SUCH_VARIABLE is not set; "
         "set it, or give it a default: ${NO_SUCH_VARIABLE:-default}"],
    ),
    "all at once": (
        STORE + 'region: "${NO_SUCH_REGION}"\nmachines: { a: { definition: absent.json } }\n'
        "triggers: { t: { start: b, source: { type: webhok } } }\n",
        ["config.yaml:2: region: the variable NO_SUCH_REGION is not set; "
         "set it, or give it a default: ${NO_SUCH_REGION:-default}",
         "config.yaml:3: machines.a.definition: absent.json cannot be read: "
         "No such file or directory",
         "config.yaml:4: triggers.t.source: unknown type 'webhok'; did you mean \"webhook\"?"],
    ),
}  # fmt: skip


def stategate(*arguments: str, directory) -> subprocess.CompletedProcess[str]:
    """The command as a process, with the directory as its own."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=directory, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def last_words(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The reasons that the daemon logged for not going on."""
    entries = [json.loads(line) for line in done.stderr.splitlines()]
    return [entry["reason"] for entry in entries if entry["event"] == "cannot go on"]


@pytest.fixture
def directory(tmp_path):
    """Definitions: one good, one that is no JSON, one that leads nowhere."""
    (tmp_path / "pass.json").write_text(PASS)
    (tmp_path / "comma.json").write_text(
        '{"StartAt": "A",\n "States": {"A": {"Type": "Pass",\n},}}'
    )
    nowhere = '{"StartAt": "A",\n "States": {"A": {"Type": "Pass",\n "Next": "Nowhere"}}}'
    (tmp_path / "nowhere.json").write_text(nowhere)
    return tmp_path


@pytest.mark.parametrize(("text", "lines"), WRONG.values(), ids=WRONG.keys())
def test_a_configuration_with_problems_ends_before_anything_is_touched(directory, text, lines):
    """``run`` and ``check``: exit code 2, file, line, place and remedy; no database is made."""
    (directory / "config.yaml").write_text(text)
    before = sorted(directory.iterdir())
    ran = stategate("run", "config.yaml", directory=directory)
    assert (ran.returncode, ran.stderr.splitlines()) == (2, lines)
    checked = stategate("check", "config.yaml", directory=directory)
    assert (checked.returncode, checked.stdout.splitlines()) == (2, lines)
    assert sorted(directory.iterdir()) == before


def test_no_configuration_at_all(directory):
    """A file that is not there: exit code 2 and its name."""
    done = stategate("run", "other.yaml", directory=directory)
    said = "other.yaml: cannot be read: No such file or directory\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_a_directory_that_cannot_be_written(directory):
    """Exit code 1, what is wrong and what must be so; no trace of a database."""
    (directory / "config.yaml").write_text("store: { path: disk/faults.db }\n")
    with small_disk(directory / "disk") as disk:
        disk.write_protect()
        done = stategate("run", "config.yaml", directory=directory)
        assert list(disk.root.iterdir()) == []
    assert done.returncode == 1
    assert last_words(done) == [
        f"the database {directory}/disk/faults.db cannot be used: Read-only file system; "
        "its directory must exist, and this user must be able to write there"
    ]


def test_a_disk_that_is_full_from_the_start(directory):
    """Exit code 1 and the remedy; with room, the same command starts."""
    (directory / "config.yaml").write_text("store: { path: disk/faults.db }\n")
    with small_disk(directory / "disk") as disk:
        disk.fill()
        done = stategate("run", "config.yaml", directory=directory)
    assert done.returncode == 1
    [reason] = last_words(done)
    assert reason.startswith(f"the database {directory}/disk/faults.db cannot be used: ")
    assert reason.endswith("; make room on its disk, then start again")


def test_a_file_that_is_no_database(directory):
    """Exit code 1; the file is left as it was."""
    (directory / "config.yaml").write_text(STORE)
    (directory / "faults.db").write_text("my only notes\n" * 100)
    done = stategate("run", "config.yaml", directory=directory)
    assert done.returncode == 1
    assert last_words(done) == [
        f"the database {directory}/faults.db cannot be used: file is not a database; "
        "restore a backup, or name another file as store.path"
    ]
    assert (directory / "faults.db").read_text() == "my only notes\n" * 100
