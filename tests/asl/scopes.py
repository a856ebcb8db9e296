"""Scopes and recorded cases for the tests of expressions."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import strategies as st

from gateway.asl.scope import Json, Scope

CASES = Path(__file__).parents[3] / "shared" / "conformance" / "cases"
"""What AWS itself answered; the folder lies beside the project and may be absent."""

DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "c d", "e-f"]), inner, max_size=4)
    ),
    max_leaves=12,
)
"""JSON documents whose members have few names, so that paths hit and miss them."""


def scope_of(data: Json, context: Json | None = None) -> Scope:
    """A scope with fixed dice."""
    return Scope(data, lambda: context or {}, lambda: Random(1))


def recorded(folder: str) -> list[object]:
    """The cases below a folder of the conformance suite; skipped where that is absent."""
    if not CASES.is_dir():
        reason = f"the conformance cases are not at {CASES}"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    found = sorted((CASES / folder).rglob("*.json"))
    return [pytest.param(json.loads(path.read_text()), id=path.stem) for path in found]
