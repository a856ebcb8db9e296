"""The operations, grouped by resource; an operation's code holds only what it does."""

from __future__ import annotations

from gateway.api.model import step_functions_model
from gateway.api.operations.activities import Activities
from gateway.api.operations.aliases import Aliases
from gateway.api.operations.executions import Executions
from gateway.api.operations.machines import Machines
from gateway.api.operations.map_runs import MapRunOperations
from gateway.api.operations.operation import Service
from gateway.api.operations.tagging import Tagging
from gateway.api.operations.tasks import Tasks
from gateway.api.operations.test_state import StateTests
from gateway.api.operations.versions import Versions
from gateway.engine.engine import Engine


def step_functions(engine: Engine) -> Service:
    """AWS Step Functions, as far as it is served."""
    groups = (
        Machines(engine.catalog),
        Versions(engine.catalog),
        Aliases(engine.catalog),
        Tagging(engine.catalog),
        Executions(engine),
        MapRunOperations(engine),
        Activities(engine.catalog),
        Tasks(engine),
        StateTests(engine),
    )
    table = {name: each for group in groups for name, each in group.table().items()}
    return Service(step_functions_model(), table)
