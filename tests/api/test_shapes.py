"""The description of Step Functions reads as botocore itself reads it."""

from __future__ import annotations

import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel

from gateway.api.model import Model, step_functions_model
from gateway.api.operations.stategate_model import STATEGATE
from gateway.api.shapes import step_functions_description

LIMITS = ("min", "max", "pattern", "enum", "sensitive")


def same(ours, theirs) -> int:
    """Compare two shapes and all below them; how many there are."""
    if theirs is None:
        assert ours is None
        return 0
    assert ours.type_name == theirs.type_name
    for limit in LIMITS:
        assert ours.metadata.get(limit) == theirs.metadata.get(limit)
    match theirs.type_name:
        case "structure":
            assert list(ours.members) == list(theirs.members)
            assert ours.required_members == set(theirs.required_members)
            return 1 + sum(same(ours.members[name], theirs.members[name]) for name in ours.members)
        case "list":
            return 1 + same(ours.member, theirs.member)
        case "map":
            return 1 + same(ours.value, theirs.value)
        case _:
            return 1


@pytest.mark.parametrize(
    ("ours", "description", "least"),
    [
        (
            Model(step_functions_description()),
            create_loader().load_service_model("stepfunctions", "service-2"),
            300,
        ),
        (Model(STATEGATE), STATEGATE, 30),
    ],
    ids=["AWS", "Stategate"],
)
def test_every_shape_is_as_botocore_reads_it(ours, description, least):
    """All operations, what they take and give, with every limit."""
    theirs = ServiceModel(description)
    assert ours.operation_names == set(theirs.operation_names)
    assert ours.target_prefix == theirs.metadata["targetPrefix"]
    shapes = 0
    for name in sorted(ours.operation_names):
        mine, original = ours.operation(name), theirs.operation_model(name)
        shapes += same(mine.input_shape, original.input_shape)
        shapes += same(mine.output_shape, original.output_shape)
    assert shapes > least


def test_one_member_is_added():
    """What a raw request may have beyond AWS's model, and nothing else."""
    ours = step_functions_model().operation("ListExecutions").input_shape
    theirs = Model(step_functions_description()).operation("ListExecutions").input_shape
    assert ours.members.keys() - theirs.members.keys() == {"namePrefix"}
