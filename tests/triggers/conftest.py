"""The world that the tests of triggers share."""

from __future__ import annotations

import pytest

from tests.triggers.world import world


@pytest.fixture
async def gate():
    """The world of one test."""
    async with world() as made:
        yield made
