"""As whom an AWS service is called: credentials and settings as AWS's tools find them, and what is
built of them. The methods that are not coroutines block."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import trio

from gateway.aws.failures import NoAws, NotAssumed
from gateway.aws.roles import OWN, Identity

_NOBODY: Final = {"aws_access_key_id": "anybody", "aws_secret_access_key": "nothing"}
"""To sign with what nobody verifies."""
_ASSUMING: Final = {"connect_timeout": 5, "read_timeout": 10, "retries": {"total_max_attempts": 2}}
"""Config for asking STS: those who wait for a role hold a thread."""


class Caller:
    """A session of botocore, opened with its first client."""

    def __init__(
        self,
        in_thread: Callable[..., Awaitable[Any]],
        fallback_region: str,
        identity: Identity = OWN,
    ) -> None:
        """``fallback_region`` counts where neither the call nor the environment names one."""
        self._in_thread = in_thread
        self._fallback_region = fallback_region
        self._identity = identity
        self._refreshing = trio.Lock()
        self._session: Any = None
        self._credentials: Any = None

    def client(self, service: str, region: str | None, endpoint_url: str | None) -> Any:
        """botocore's client, for this caller. Raises NoAws."""
        self._open()
        built = self._build(service, region, endpoint_url)
        if service == "s3" and "amazonaws.com" not in built.meta.endpoint_url:
            # A stand-in has no host name for each bucket.
            built = self._build(service, region, endpoint_url, s3={"addressing_style": "path"})
        return built

    def unsigned_client(self, service: str) -> Any:
        """One whose signatures nobody looks at; it needs no credentials."""
        self._open()
        return self._build(service, None, None, keys=_NOBODY)

    async def ready(self) -> None:
        """Have credentials that are fresh: to sign with them then blocks nobody. Raises NoAws."""
        if self._credentials is None:
            raise NoAws("Unable to locate credentials")
        refresh = getattr(self._credentials, "refresh_needed", None)
        if refresh is not None and refresh():
            async with self._refreshing:
                if refresh():
                    # Asks the instance, or AWS.
                    await self._in_thread(self._refreshed)

    def keys(self) -> Any:
        """The credentials, after ``ready``."""
        return self._credentials.get_frozen_credentials()

    def _open(self) -> None:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        if self._session is not None:
            return
        try:
            session = Session(profile=self._identity.profile)
            if self._identity.role is not None and session.get_credentials() is not None:
                assumed = self._assuming(session)
                session = Session(profile=self._identity.profile)
                session.register_component("credential_provider", _Provider(assumed))
            self._credentials = session.get_credentials()
        except BotoCoreError as failure:
            raise NoAws(str(failure)) from None
        self._session = session

    def _assuming(self, session: Any) -> Any:
        """The credentials of the role, which are asked for when they are needed, and again before
        they expire."""
        from botocore.config import Config
        from botocore.credentials import (
            AssumeRoleCredentialFetcher,
            DeferredRefreshableCredentials,
        )

        more = self._identity.external_id
        asked = {"RoleSessionName": "stategate"} | ({"ExternalId": more} if more else {})
        region = session.get_config_variable("region") or self._fallback_region
        create = partial(session.create_client, region_name=region, config=Config(**_ASSUMING))
        fetcher = AssumeRoleCredentialFetcher(
            create, session.get_credentials(), self._identity.role, extra_args=asked, cache={}
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    def _build(
        self,
        service: str,
        region: str | None,
        endpoint_url: str | None,
        keys: dict[str, str] | None = None,
        **more: Any,
    ) -> Any:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        usual = self._session.get_config_variable("region") or self._fallback_region
        # What is missing is for the service to say, and how often to ask is for us.
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, **more)
        try:
            return self._session.create_client(
                service,
                region_name=region or usual,
                endpoint_url=endpoint_url,
                config=config,
                **(keys or {}),
            )
        except (BotoCoreError, ValueError) as failure:
            # A ValueError where the environment's endpoint is no URL.
            raise NoAws(str(failure)) from None

    def _refreshed(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._credentials.get_frozen_credentials()
        except ClientError as failure:
            raise NotAssumed(str(failure)) from None
        except BotoCoreError as failure:
            raise NoAws(str(failure)) from None


class _Provider:
    """Gives a session its credentials."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        """As botocore's own providers do."""
        return self._credentials
