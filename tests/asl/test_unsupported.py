"""What this version of the language does not have is refused, never passed over."""

from __future__ import annotations

import json

import pytest

from gateway.asl.definition import parse_definition
from gateway.asl.errors import DefinitionError

PASS = {"Type": "Pass", "End": True}
INSIDE = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    "StartAt": "B",
    "States": {"B": PASS},
}
REFUSED = {
    "/States/A/ItemReader": {
        "Type": "Map", "ItemReader": {}, "ItemProcessor": INSIDE, "End": True,
    },
    "/States/A/ResultWriter": {
        "Type": "Map", "ResultWriter": {}, "ItemProcessor": INSIDE, "End": True,
    },
}  # fmt: skip


@pytest.mark.parametrize("location", REFUSED)
def test_refused(location):
    """The diagnostic says where it is, and that it is this version that does not have it."""
    definition = {"StartAt": "A", "States": {"A": REFUSED[location]}}
    with pytest.raises(DefinitionError) as refused:
        parse_definition(json.dumps(definition))
    diagnostic = refused.value.diagnostics[0]
    assert diagnostic.location == location
    assert "this version of Stategate" in diagnostic.message
