"""Where there is no memory to parse JSON in, nobody takes it for something else."""

from __future__ import annotations

import subprocess
import sys

import pytest

STARVED = """
import resource
from pathlib import Path

from gateway.api.wire import read_body
from gateway.asl.documents import read_document
from gateway.json_text import loads
from gateway.sources.bodies import json_or_text

text = b'{"kind":"' + b"x" * 240_000 + b'"}'
taken = {READER}
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 1_000_000,) * 2)
try:
    print("taken for", type(taken()).__name__)
except MemoryError:
    print("no room")
except Exception as error:
    print("refused as", type(error).__name__)
"""


@pytest.mark.parametrize(
    "reader",
    [
        "lambda: loads(text)",
        "lambda: read_body(text)",
        "lambda: read_document(text)",
        "lambda: json_or_text(text)",
    ],
)
def test_a_text_that_there_is_no_room_for_is_not_said_to_be_no_json(reader):
    """MemoryError, which is nobody's fault: not another value, nor the sender's mistake."""
    code = STARVED.replace("{READER}", reader)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "no room"
