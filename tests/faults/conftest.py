"""The shim, built once for the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.shim import build


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``shim.c`` as a library that can be loaded into a process."""
    return build(tmp_path_factory.mktemp("shim"))
