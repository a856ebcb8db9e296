"""The operations, grouped by resource; an operation's code holds only what it does."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from gateway.api.model import Request, Response, step_functions_model
from gateway.api.operations.activities import Activities
from gateway.api.operations.aliases import Aliases
from gateway.api.operations.executions import Executions
from gateway.api.operations.machines import Machines
from gateway.api.operations.map_runs import MapRunOperations
from gateway.api.operations.operation import Service, Table
from gateway.api.operations.tagging import Tagging
from gateway.api.operations.tasks import Tasks
from gateway.api.operations.versions import Versions
from gateway.engine.engine import Engine

if TYPE_CHECKING:
    from gateway.api.operations.test_state import StateTests


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
    )
    tables = [*(group.table() for group in groups), _late_state_tests(engine)]
    served = {name: each for table in tables for name, each in table.items()}
    return Service(step_functions_model(), served)


def _late_state_tests(engine: Engine) -> Table:
    """What tries states alone is loaded when somebody asks for it: few daemons are ever asked."""

    @cache
    def tests() -> StateTests:
        from gateway.api.operations.test_state import StateTests

        return StateTests(engine)

    async def test(request: Request) -> Response:
        return await tests().test(request)

    return {"TestState": test}
