"""What AWS itself answered, played in memory: status, output and history of executions.

The pack lies beside the project; without it these tests are skipped. The real daemon is held
against the same cases through boto3 by ``make test``.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from tests.asl.driver import Driver

PACK = Path(__file__).parents[2].parent / "shared" / "conformance"
NOT_YET = ("DISTRIBUTED",)
"""Children of a Distributed Map are executions of their own, which need an engine."""


def runner():
    """The pack's own comparison."""
    spec = importlib.util.spec_from_file_location("conformance_run", PACK / "run.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def cases():
    """Executions that need nothing but the interpreter."""
    found = []
    for path in sorted((PACK / "cases").rglob("*.json")):
        case = json.loads(path.read_text())
        needs = case["kind"] != "execution" or case.get("needs") or case.get("setup")
        text = json.dumps(case.get("definition"))
        if needs or "history" not in case["expect"] or any(word in text for word in NOT_YET):
            continue
        if case.get("type") != "EXPRESS":
            found.append(pytest.param(case, id=case["id"]))
    return found


@pytest.mark.skipif(not PACK.is_dir(), reason="the conformance pack is not beside the project")
@pytest.mark.parametrize("case", cases())
def test_the_history_is_what_aws_recorded(case):
    """The execution ends as AWS's did, and its history agrees event by event."""
    run = runner()
    driver = Driver(case["definition"], case.get("input"), case.get("input_text"))
    execution = driver.run()
    expected = case["expect"]
    compare = run.Comparer(bindings=dict(case.get("bind") or {}))
    assert execution.status == expected.get("status", execution.status), execution.cause
    if "output" in expected:
        compare.compare(expected["output"], json.dumps(execution.output), ("output",))
    run.compare_history(
        compare, expected["history"], driver.events(), expected.get("unordered", False)
    )
    assert driver.folded().dump() == execution.dump()
