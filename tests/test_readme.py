"""The README is true: what is made from the code is current, and every example works."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from gateway.asl.validation import accepted
from gateway.callbacks.question import UNASKED, find_question
from gateway.cli.app import app
from gateway.config.load import load_config
from gateway.config.schema import json_schema
from tests.readme import PARTS, README, all_commands, rendered

TEXT = README.read_text(encoding="utf-8")
ROOT = README.parent
PASS = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'


def blocks(language: str) -> list[str]:
    """The fenced blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_made_from_the_code():
    """The parts that are made from the code are as the code has it now, all of them in place."""
    assert rendered(TEXT) == TEXT, "run: python -m tests.readme"
    assert set(re.findall(r"<!-- made from the code: (\w+) -->", TEXT)) == PARTS.keys()


@pytest.mark.parametrize("example", blocks("yaml"), ids=lambda text: text[:24])
def test_yaml_examples_are_fine(example, tmp_path):
    """Each YAML example loads without a word, its definitions, handlers and variables
    being there."""
    for name in re.findall(r"definition: ([\w./-]+)", example):
        (tmp_path / name).write_text(PASS)
    for module, name in re.findall(r'handler: "(\w+):(\w+)"', example):
        (tmp_path / f"{module}.py").write_text(f"def {name}(event, context): ...")
    environment = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example), "")
    values = {
        "ORDERS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/orders",
        "ORDERS_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:orders",
        "GITHUB_SECRET": "a secret",
        "SHOP_PASSWORD": "a password",
        "STOCK_KEY": "a-key",
        "BANK_SECRET": "a secret",
        "OPS_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
    (tmp_path / "example.yaml").write_text(example)
    found = load_config(tmp_path / "example.yaml", environment | values)
    assert [w for w in found.warnings if "substitutions" not in w.path] == []


@pytest.mark.parametrize("example", blocks("json state"))
def test_states_are_accepted(example):
    """Each state shown is one that a machine may have, and what it asks of a person is well
    formed."""
    state = json.loads(example)
    accepted(json.dumps({"StartAt": "A", "States": {"A": state}}))
    assert find_question(state["Parameters"]) != UNASKED


def typed_commands() -> Iterator[str]:
    """Every ``stategate`` command line in a shell block."""
    for block in blocks("sh"):
        joined = block.replace("\\\n", " ").replace("|\n", "| ")
        for line in joined.splitlines():
            command = line.rpartition("| ")[2].strip()
            if command.startswith("stategate "):
                yield command


@pytest.mark.parametrize("line", sorted(set(typed_commands())))
def test_commands_exist(line):
    """Each command in a shell block is one, with the arguments and options that it takes."""
    _, *words = shlex.split(line)
    command, path = typer.main.get_command(app), "stategate"
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            break
        path = f"{path} {words[0]}"
        command = command.commands[words.pop(0)]
    command.make_context(path, words)


def test_every_command_is_explained():
    """Each command and group of commands of the command line has its place in the README."""
    assert [path for path, _ in all_commands() if f"`{path}" not in TEXT] == []


def test_every_setting_is_explained():
    """Each settings class has a table with each of its keys."""
    schema = json_schema()
    for model in (schema, *schema["$defs"].values()):
        for key in model.get("properties", {}):
            assert f"| `{key}` |" in TEXT, f"{model['title']}.{key}"


def block_after(command: str) -> str:
    """The first text block after a command."""
    return TEXT[TEXT.index(command) :].split("```text\n", 1)[1].split("```", 1)[0]


def test_a_rehearsal_prints_what_is_shown(monkeypatch):
    """`stategate test`, typed as it stands there, prints what stands below it; the mocks shown are
    those of the file that it names."""
    monkeypatch.chdir(ROOT)
    [line] = [line for line in typed_commands() if line.startswith("stategate test ")]
    _, *words = shlex.split(line)
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stderr) == (0, "")
    shown = "\n".join(each.rstrip() for each in done.stdout.splitlines())
    assert shown == block_after("stategate test config/").rstrip()
    mocks = (ROOT / words[words.index("--mocks") + 1]).read_text()
    [shown_mocks] = blocks("yaml mocks")
    assert yaml.safe_load(shown_mocks) == yaml.safe_load(mocks)


def test_the_unit_test_is_one(monkeypatch):
    """The example of a test of a definition in Python passes."""
    monkeypatch.chdir(ROOT)
    [example] = [block for block in blocks("python") if "gateway.testing" in block]
    names: dict[str, object] = {}
    exec(example, names)
    test = names["test_an_order_that_cannot_be_filled"]
    assert callable(test)
    test()


def targets() -> list[str]:
    """What the README's links lead to."""
    return sorted(set(re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT)))


@pytest.mark.parametrize("target", targets())
def test_links_lead_somewhere(target):
    """Each link inside the project leads to a file or a heading that is there."""
    path, _, anchor = target.partition("#")
    assert not path or (ROOT / path).exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert anchor in slugs


def test_make_targets_exist():
    """Each make command that it speaks of is in the Makefile."""
    makefile = Path(ROOT / "Makefile").read_text()
    for name in set(re.findall(r"`make (\w+)", TEXT)):
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name
