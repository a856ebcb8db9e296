"""Both stores, for the suite that each of them must pass."""

from __future__ import annotations

import pytest

from gateway.store.memory import open_memory
from gateway.store.sqlite import open_sqlite


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    """An empty store of each kind in turn."""
    opening = open_memory() if request.param == "memory" else open_sqlite(str(tmp_path / "s.db"))
    async with opening as opened:
        yield opened


@pytest.fixture
def path(tmp_path):
    """Where a database of this test may be."""
    return str(tmp_path / "stategate.db")
