"""What the API serves for this daemon: AWS's operations, ours, and those that only it can do."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from gateway.api.credentials import Guard
from gateway.api.health import HealthPage
from gateway.api.metrics import MetricsPage
from gateway.api.model import Request, Response
from gateway.api.operations import step_functions
from gateway.api.operations.executions import Executions
from gateway.api.operations.stategate import stategate
from gateway.api.protocol import Protocol
from gateway.api.server import Server
from gateway.daemon.clock import now
from gateway.daemon.reload import Reloader
from gateway.daemon.state import State
from gateway.daemon.system import Core, Edge
from gateway.errors import ApiError
from gateway.sources.kafka import KafkaSource
from gateway.store.changes import MovePosition
from gateway.store.rows import PositionRow


def api_server(core: Core, edge: Edge, state: State, reloader: Reloader) -> Server:
    """The server, not serving yet."""
    own = _Own(core, edge, state, reloader)
    plugged = {"Reload": own.reload, "SetPosition": own.set_position}
    executions = Executions(core.engine)
    services = (
        step_functions(core.engine),
        stategate(core.store, executions, edge.letters(), state.health, plugged),
    )
    guard = Guard(lambda: state.config.settings.api.credentials, now, core.metrics)
    return Server(
        Protocol(services, structlog.get_logger("api"), guard),
        HealthPage(state.health),
        MetricsPage(core.metrics, core.store, now),
    )


class _Own:
    """Operations that need more than the store."""

    def __init__(self, core: Core, edge: Edge, state: State, reloader: Reloader) -> None:
        self._core = core
        self._edge = edge
        self._state = state
        self._reloader = reloader

    async def reload(self, _: Request) -> Response:
        """As SIGHUP does; the answer says what was changed, an error every problem."""
        return {"changed": await self._reloader.reload()}

    async def set_position(self, request: Request) -> Response:
        """Move a position while nobody reads there: its source is stopped and started around it.

        The broker is told first, since the larger of its offset and ours counts. Raises ApiError
        SourceDoesNotExist, and Unavailable where the broker does not take it.
        """
        row = PositionRow(
            request["source"], request["topic"], request["partition"], request["offset"]
        )
        readers = self._readers(row.source)
        source = next((each for each in readers.values() if row.topic in each.topics), None)
        if source is None:
            message = f"No trigger reads the topic {row.topic!r} in the group {row.source!r}"
            raise ApiError("SourceDoesNotExist", message)
        async with self._edge.sources.paused(readers):
            await source.place(row)
            await self._core.store.commit([MovePosition(row, force=True)])
        return {}

    def _readers(self, group: str) -> Mapping[str, KafkaSource]:
        return {
            name: trigger.source
            for name, trigger in self._state.config.settings.triggers.items()
            if isinstance(trigger.source, KafkaSource) and trigger.source.group == group
        }
