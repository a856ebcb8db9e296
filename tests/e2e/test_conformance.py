"""The real daemon, through boto3, against what AWS itself answered."""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.e2e.process import DaemonProcess, free_port

PACK = Path(__file__).parents[2].parent / "shared" / "conformance"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PACK.is_dir(), reason="the conformance pack is not beside the project"),
]
WHOLE_AREAS = (
    *("base/*", "choice_operators/*", "activities/*", "api_activities/*"),
    *("api_aliasing/*", "api_versioning/*", "api_tagging/*", "api_logs/*"),
)
JSONPATH_OF = ("scenarios/*", "intrinsic_functions/*", "context_object/*")
NOT_YET = ("JSONata", "DISTRIBUTED", '"Assign"')


def promised(case: dict) -> bool:
    """Whether the case belongs to what is built: every one of these has to pass."""
    if any(fnmatch(case["id"], area) for area in WHOLE_AREAS):
        return True
    mine = any(fnmatch(case["id"], area) for area in JSONPATH_OF)
    text = json.dumps(case.get("definition"))
    return mine and not case.get("needs") and not any(word in text for word in NOT_YET)


def test_the_promised_cases_pass(tmp_path):
    """Every case of the areas that are built passes at the default level; the table is printed."""
    port = free_port()
    config = tmp_path / "conformance.yaml"
    config.write_text(f'store: {{ path: c.db }}\napi: {{ listen: "127.0.0.1:{port}" }}\n')
    report = tmp_path / "report.json"
    with DaemonProcess(config, port) as daemon:
        command = [sys.executable, str(PACK / "run.py"), "--endpoint", daemon.url]
        # Its exit code counts the areas of other issues, too; the verdicts are read one by one.
        done = subprocess.run(
            [*command, "--needs", "local", "--json", str(report)],
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
    assert report.exists(), done.stderr
    sys.stdout.write(done.stdout[-4000:])
    verdicts = {each["id"]: each for each in json.loads(report.read_text())["cases"]}
    wanted = [
        case["id"]
        for path in sorted((PACK / "cases").rglob("*.json"))
        if promised(case := json.loads(path.read_text())) and case["id"] in verdicts
    ]
    assert [name for name in wanted if verdicts[name]["default"] != "pass"] == []
    assert len(wanted) > 400
