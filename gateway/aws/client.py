"""Signed calls to AWS services: credentials, regions and endpoints as AWS's tools find them.

botocore says where a service is and who we are (environment, profile, instance role); the call
itself goes over trio, which costs a fraction of a boto3 call and no thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import trio

if TYPE_CHECKING:
    from gateway.aws.connections import Connections, Reply

MOST_BYTES: Final = 2 * 1024 * 1024
"""Of an answer. A result of 256 KiB, each character of it escaped, has less."""


class NoAws(Exception):
    """There are no credentials, or no such region; the message is botocore's."""


class _Service(NamedTuple):
    """A service in a region."""

    url: str
    model: Any
    region: str


class Aws:
    """Signs and posts."""

    def __init__(self, in_thread: Callable[..., Awaitable[Any]], fallback_region: str) -> None:
        """``fallback_region`` counts where neither the call nor the environment names one."""
        self._in_thread = in_thread
        self._fallback_region = fallback_region
        self._services: dict[tuple[str, str | None, str | None], _Service] = {}
        self._loading = trio.Lock()
        self._session: Any = None
        self._credentials: Any = None
        self._connections: Connections | None = None

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
        ``Connections.post`` does."""
        at = await self._service(service, region, endpoint_url)
        signed = await self._signed(at, service, at.url + path, headers, body)
        assert self._connections is not None, "opened with the first service"
        return await self._connections.post(at.url + path, signed, body, most_bytes)

    async def errors(self, service: str, region: str | None, operation: str) -> frozenset[str]:
        """The names of the errors that the service's model knows for the operation."""
        at = await self._service(service, region)
        return frozenset(e.name for e in at.model.operation_model(operation).error_shapes)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._connections is not None:
            await self._connections.aclose()

    async def _service(
        self, service: str, region: str | None, endpoint_url: str | None = None
    ) -> _Service:
        place = (service, region, endpoint_url)
        known = self._services.get(place)
        if known is None:
            async with self._loading:
                known = self._services.get(place)
                if known is None:
                    known = await self._in_thread(self._load, *place)
                    self._services[place] = known
        return known

    def _load(self, service: str, region: str | None, endpoint_url: str | None) -> _Service:
        """Blocks: a good part of a second, the first time."""
        import httpx
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        from gateway.aws.connections import Connections

        try:
            if self._session is None:
                self._session = Session()
                self._credentials = self._session.get_credentials()
            if self._connections is None:
                self._connections = Connections(httpx.create_ssl_context())
            usual = self._session.get_config_variable("region") or self._fallback_region
            client = self._session.create_client(
                service, region_name=region or usual, endpoint_url=endpoint_url
            )
        except BotoCoreError as failure:
            raise NoAws(str(failure)) from None
        meta = client.meta
        return _Service(meta.endpoint_url.rstrip("/"), meta.service_model, meta.region_name)

    async def _signed(
        self, at: _Service, service: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> list[tuple[str, str]]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest("POST", url, headers=dict(headers), data=body)
        SigV4Auth(await self._keys(), service, at.region).add_auth(request)
        return [("Host", url.split("/", 3)[2]), *request.headers.items()]

    async def _keys(self) -> Any:
        if self._credentials is None:
            raise NoAws("Unable to locate credentials")
        refresh = getattr(self._credentials, "refresh_needed", None)
        if refresh is not None and refresh():
            # Asks the instance, or AWS.
            return await self._in_thread(self._frozen)
        return self._credentials.get_frozen_credentials()

    def _frozen(self) -> Any:
        from botocore.exceptions import BotoCoreError

        try:
            return self._credentials.get_frozen_credentials()
        except BotoCoreError as failure:
            raise NoAws(str(failure)) from None
