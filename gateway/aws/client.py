"""Signed calls to AWS services: credentials, regions and endpoints as AWS's tools find them.

botocore says where a service is and who we are (environment, profile, instance role); the call
itself goes over trio, which costs a fraction of a boto3 call and no thread.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import trio

from gateway.aws.caller import Caller
from gateway.aws.roles import Identity, RoleSettings, identity_of
from gateway.http.sizes import MOST_BYTES

if TYPE_CHECKING:
    from gateway.aws.catalogue import Catalogue
    from gateway.aws.connections import Connections, Reply, Transport
    from gateway.aws.operations import AwsClient

OWN_SERVICE: Final = "stepfunctions"
_ELSEWHERE: Final = "AWS_ENDPOINT_URL_SFN"


class _Place(NamedTuple):
    """A service, by botocore's name for it, and where to find it."""

    service: str
    region: str | None
    endpoint_url: str | None
    identity: Identity


class Aws:
    """Signs and sends."""

    def __init__(self, in_thread: Callable[..., Awaitable[Any]], fallback_region: str) -> None:
        """``fallback_region`` counts where neither the call nor the environment names one."""
        self._in_thread = in_thread
        self._fallback_region = fallback_region
        self._callers: dict[Identity, Caller] = {}
        self._roles: Mapping[str, RoleSettings] = {}
        self._clients: dict[_Place, AwsClient] = {}
        self._loading = trio.Lock()
        self._connections: Connections | None = None
        self._catalogue: Catalogue | None = None
        self._own: Transport | None = None

    def configure(self, roles: Mapping[str, RoleSettings]) -> None:
        """What the roles are that tasks name, from now on."""
        self._roles = roles

    def answer_own(self, transport: Transport) -> None:
        """Calls of Step Functions go there, unless the environment has an endpoint for it."""
        if _ELSEWHERE not in os.environ:
            self._own = transport

    async def client(
        self,
        service: str,
        region: str | None = None,
        endpoint_url: str | None = None,
        role: str | None = None,
    ) -> AwsClient:
        """What calls any operation of a service, as the role that a task names. Raises NoAws."""
        place = _Place(service, region, endpoint_url, identity_of(role, self._roles))
        known = self._clients.get(place)
        if known is None:
            async with self._loading:
                known = self._clients.get(place)
                if known is None:
                    known = await self._in_thread(self._load, place)
                    self._clients[place] = known
        return known

    async def catalogue(self) -> Catalogue:
        """What services there are."""
        if self._catalogue is None:
            from gateway.aws.catalogue import read_catalogue

            self._catalogue = await self._in_thread(read_catalogue)
        return self._catalogue

    async def post(
        self,
        service: str,
        region: str | None,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        endpoint_url: str | None = None,
        most_bytes: int = MOST_BYTES,
        role: str | None = None,
    ) -> Reply:
        """One signed POST; whatever status was answered. Raises NoAws and what
        ``Connections.request`` does."""
        client = await self.client(service, region, endpoint_url, role)
        return await client.post(path, headers, body, most_bytes)

    async def errors(self, service: str, region: str | None, operation: str) -> frozenset[str]:
        """The names of the errors that the service's model knows for the operation."""
        client = await self.client(service, region)
        return frozenset(e.name for e in client.model.operation_model(operation).error_shapes)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._connections is not None:
            await self._connections.aclose()

    def _load(self, place: _Place) -> AwsClient:
        """Blocks: a good part of a second, the first time."""
        import httpx

        from gateway.aws.connections import Connections
        from gateway.aws.operations import AwsClient

        caller = self._callers.setdefault(
            place.identity, Caller(self._in_thread, self._fallback_region, place.identity)
        )
        if place.service == OWN_SERVICE and self._own is not None:
            return AwsClient(caller.unsigned_client(place.service), self._own, None)
        if self._connections is None:
            self._connections = Connections(httpx.create_ssl_context())
        built = caller.client(place.service, place.region, place.endpoint_url)
        return AwsClient(built, self._connections, caller)
