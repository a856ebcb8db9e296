"""The style of the project as rules that run, besides those of ruff, mypy and import-linter."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from statistics import median

import pytest
from pydantic import BaseModel

from gateway.config.adapters import (
    ConnectionSettings,
    DeadLetterTarget,
    FunctionSettings,
    SinkTarget,
    SourceSettings,
)
from gateway.sources.verify import Verify
from tests.readme import README, adapter_types

ROOT = Path(__file__).parents[1]
GATEWAY = sorted((ROOT / "gateway").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
EXAMPLES = sorted((ROOT / "config").rglob("*.py"))
THIS = Path(__file__)

FILE_LINES = 400
FUNCTION_LINES = 50
MEDIAN_LINES = 10
LONGER = {"gateway/store/protocol.py": 500}
"""The store's seam is one page to be read whole: the rows, the changes, the protocol."""

UNIONS = (
    SourceSettings,
    SinkTarget,
    DeadLetterTarget,
    FunctionSettings,
    ConnectionSettings,
    Verify,
)
VENDORS = {"aiokafka", "boto3", "botocore", "confluent_kafka", "httpx", "moto"}


@cache
def parsed(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of the file."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def named(path: Path) -> str:
    """The file as the project calls it."""
    return str(path.relative_to(ROOT))


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How long the function is, its docstring included."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_files_stay_small():
    """A file has one subject, and one subject has room in 400 lines."""
    long = {named(path): len(path.read_text().splitlines()) for path in GATEWAY}
    assert {n: c for n, c in long.items() if c > LONGER.get(n, FILE_LINES)} == {}


def test_functions_stay_small():
    """A function fits on a screen, and most are far shorter."""
    found = {f"{named(p)}:{f.name}": lines_of(f) for p in GATEWAY for f in functions(p)}
    assert {name: lines for name, lines in found.items() if lines > FUNCTION_LINES} == {}
    assert median(found.values()) <= MEDIAN_LINES


def test_every_test_says_what_must_hold():
    """Each test has a docstring."""
    silent = [
        f"{named(path)}:{function.name}"
        for path in TESTS
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


def test_test_files_have_names_of_their_own():
    """No two test files have one name, so that a name says which one is meant."""
    names = Counter(path.name for path in TESTS if path.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


def test_asyncio_lives_on_its_island():
    """Only the Kafka loop imports asyncio."""
    found = {
        named(path)
        for path in GATEWAY
        for node in ast.walk(parsed(path))
        if "asyncio" in _imported(node)
    }
    assert found == {"gateway/sources/kafka_loop.py"}


def _imported(node: ast.AST) -> set[str]:
    """The top-level packages that a statement imports."""
    match node:
        case ast.Import(names=names):
            return {alias.name.partition(".")[0] for alias in names}
        case ast.ImportFrom(module=str(module)):
            return {module.partition(".")[0]}
        case _:
            return set()


def test_nothing_is_put_off():
    """What is not done is an issue, never a note in the code."""
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    noted = [
        f"{named(path)}:{number}"
        for path in [*GATEWAY, *TESTS, *EXAMPLES, *(ROOT / "config").rglob("*.yaml"), README]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if any(mark in line for mark in marks)
    ]
    assert noted == []


@pytest.mark.parametrize("command", [["--help"], ["check", "config/fulfilment.yaml"]])
def test_looking_is_light(command):
    """Neither the help nor `check` loads a vendor's library."""
    program = (
        "import sys\n"
        "from gateway.__main__ import main\n"
        f"sys.argv = ['stategate', *{command!r}]\n"
        "try:\n    main()\n"
        "finally:\n    print({name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = ast.literal_eval(done.stderr.splitlines()[-1])
    assert loaded & VENDORS == set()


def settings_classes(package: str) -> set[type]:
    """Every settings class of an adapter that a package defines: it has a `type`."""
    found = set()
    for path in (ROOT / package.replace(".", "/")).rglob("*.py"):
        module = import_module(
            named(path.with_suffix("")).replace("/", ".").removesuffix(".__init__")
        )
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseModel):
                found |= {value} if "type" in value.model_fields else set()
    return found


def test_every_adapter_is_registered():
    """A settings class that no configuration can name would be dead."""
    registered = {model for union in UNIONS for _, model in adapter_types(union)}
    packages = ("gateway.sources", "gateway.sinks", "gateway.tasks")
    assert set().union(*map(settings_classes, packages)) == registered


@pytest.mark.parametrize("union", UNIONS)
def test_every_adapter_has_its_place(union):
    """Each adapter is in the README and is tried by a test."""
    text = README.read_text(encoding="utf-8")
    tests = "\n".join(path.read_text(encoding="utf-8") for path in TESTS if path != THIS)
    for name, model in adapter_types(union):
        assert f"| `{name}` |" in text
        assert any(word in tests for word in (model.__name__, f'"{name}"', f"type: {name}")), model
