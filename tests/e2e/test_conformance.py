"""The real daemon, through boto3, against what AWS itself answered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.process import DaemonProcess, free_port

PACK = Path(__file__).parents[2].parent / "shared" / "conformance"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PACK.is_dir(), reason="the conformance pack is not beside the project"),
]
TOOLS = Path(sys.executable).parent
NEEDS = {"activity", "lambda", "s3"}
"""What the cases that are played use beside the interpreter; the rest belongs to the services."""
OTHER_TEXT = {
    "scenarios/map_item_reader_csv_first_row_extra_fields": "Java's order of the columns",
    "scenarios/map_item_reader_csv_headers_first_row_typed_headers": "Java's order of the columns",
    "scenarios/parallel_state_nested": "the spaces that the caller wrote into the input",
}
"""Cases that pass but for the text of a document: what AWS has in it and we have not."""


def test_the_recorded_cases_pass(tmp_path):
    """Every case that needs no other service passes to the letter, but for those named above; the
    table is printed."""
    port, functions, aws = free_port(), free_port(), free_port()
    config = tmp_path / "conformance.yaml"
    config.write_text(f'store: {{ path: c.db }}\napi: {{ listen: "127.0.0.1:{port}" }}\n')
    environment = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws}",
        "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{functions}",
    }
    report = tmp_path / "report.json"
    with DaemonProcess(config, port, environment) as daemon:
        # Its exit code counts what is excused, too; the verdicts are read one by one.
        done = subprocess.run(
            [
                *(sys.executable, str(PACK / "run.py"), "--endpoint", daemon.url),
                *("--lambda-port", str(functions)),
                *("--aws-endpoint", environment["AWS_ENDPOINT_URL"]),
                *("--needs", ",".join(sorted(NEEDS)), "--json", str(report)),
            ],
            # The runner starts moto's server, which is installed beside this interpreter.
            env={**os.environ, **environment, "PATH": f"{TOOLS}:{os.environ['PATH']}"},
            capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
    assert report.exists(), done.stderr
    sys.stdout.write(done.stdout[-4000:])
    cases = json.loads(report.read_text())["cases"]
    assert [each["id"] for each in cases if each["default"] != "pass"] == []
    assert {each["id"] for each in cases if each["strict"] != "pass"} == OTHER_TEXT.keys()
    assert len(cases) > 700
