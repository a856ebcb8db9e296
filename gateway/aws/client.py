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


class Aws:
    """Signs and sends."""

    def __init__(self, in_thread: Callable[..., Awaitable[Any]], fallback_region: str) -> None:
        """``fallback_region`` counts where neither the call nor the environment names one."""
        self._in_thread = in_thread
        self._caller = Caller(in_thread, fallback_region)
        self._clients: dict[_Place, AwsClient] = {}
        self._loading = trio.Lock()
        self._connections: Connections | None = None
        self._catalogue: Catalogue | None = None
        self._own: Transport | None = None

    def answer_own(self, transport: Transport) -> None:
        """Calls of Step Functions go there, unless the environment has an endpoint for it."""
        if _ELSEWHERE not in os.environ:
            self._own = transport

    async def client(
        self, service: str, region: str | None = None, endpoint_url: str | None = None
    ) -> AwsClient:
        """What calls any operation of a service. Raises NoAws."""
        place = _Place(service, region, endpoint_url)
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
    ) -> Reply:
        """One signed POST; whatever status was answered. Raises NoAws and what
        ``Connections.request`` does."""
        client = await self.client(service, region, endpoint_url)
        url = client.url + path
        signed = await self._signed(client, service, url, headers, body)
        assert self._connections is not None, "opened with the first client"
        return await self._connections.request("POST", url, signed, body, most_bytes)

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

        if place.service == OWN_SERVICE and self._own is not None:
            return AwsClient(self._caller.unsigned_client(place.service), self._own, _ready)
        if self._connections is None:
            self._connections = Connections(httpx.create_ssl_context())
        return AwsClient(self._caller.client(*place), self._connections, self._caller.ready)

    async def _signed(
        self, client: AwsClient, service: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> list[tuple[str, str]]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest("POST", url, headers=dict(headers), data=body)
        await self._caller.ready()
        SigV4Auth(self._caller.keys(), service, client.region).add_auth(request)
        return [("Host", url.split("/", 3)[2]), *request.headers.items()]


async def _ready() -> None:
    """Nobody looks at the credentials."""
