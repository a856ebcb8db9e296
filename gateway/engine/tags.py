"""The tags of state machines and activities, within AWS's limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from gateway.errors import ApiError
from gateway.store.changes import Change, DeleteTags, Upsert
from gateway.store.protocol import Store
from gateway.store.rows import TagsRow

if TYPE_CHECKING:
    from gateway.engine.catalog import Catalog

TAGS_MAX: Final = 50
"""Of one resource."""
RESERVED: Final = "aws:"


class Tags:
    """Tags by the ARN of what they are on; every change takes the catalog's lock."""

    def __init__(self, catalog: Catalog, store: Store) -> None:
        self._catalog = catalog
        self._store = store
        self._tags: dict[str, dict[str, str]] = {}

    async def load(self) -> None:
        """Read what the store has; once."""
        self._tags = {row.arn: orjson.loads(row.tags) for row in await self._store.tags()}

    def of(self, arn: str) -> list[dict[str, str]]:
        """The tags as the API lists them. Raises ApiError ResourceNotFound."""
        self._check_resource(arn)
        return [{"key": key, "value": value} for key, value in self._tags.get(arn, {}).items()]

    async def add(self, arn: str, tags: Iterable[Mapping[str, Any]]) -> None:
        """Tag the resource. Raises ApiError ResourceNotFound, TooManyTags, ValidationException."""
        async with self._catalog.changing:
            self._check_resource(arn)
            await self._put(arn, {**self._tags.get(arn, {}), **read_tags(tags)})

    async def remove(self, arn: str, keys: Iterable[str]) -> None:
        """Take these keys off the resource. Raises ApiError ResourceNotFound."""
        async with self._catalog.changing:
            self._check_resource(arn)
            gone = set(keys)
            left = {key: value for key, value in self._tags.get(arn, {}).items() if key not in gone}
            await self._put(arn, left)

    def changes(self, arn: str, tags: Mapping[str, str]) -> list[Change]:
        """What gives a new resource its tags. Raises ApiError TooManyTags."""
        _check_count(arn, tags)
        return [Upsert(TagsRow(arn, orjson.dumps(tags).decode()))] if tags else []

    def take(self, arn: str, tags: Mapping[str, str]) -> None:
        """These are stored now."""
        if tags:
            self._tags[arn] = dict(tags)
        else:
            self._tags.pop(arn, None)

    async def _put(self, arn: str, tags: Mapping[str, str]) -> None:
        await self._store.commit(self.changes(arn, tags) or [DeleteTags(arn)])
        self.take(arn, tags)

    def _check_resource(self, arn: str) -> None:
        if self._catalog.machine(arn) is None and self._catalog.activity(arn) is None:
            raise ApiError("ResourceNotFound", f"Resource not found: '{arn}'")


def read_tags(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Keys and values of the API's list; of a key that comes again, the last value. Raises ApiError
    ValidationException."""
    found: dict[str, str] = {}
    for place, tag in enumerate(tags, 1):
        key = tag.get("key")
        if key is None:
            message = (
                f"1 validation error detected: Value null at 'tags.{place}.member.key' failed to "
                "satisfy constraint: Member must not be null"
            )
            raise ApiError("ValidationException", message)
        if key.lower().startswith(RESERVED):
            message = f"Tag keys starting with '{RESERVED}' are reserved for system use"
            raise ApiError("ValidationException", message)
        found[key] = tag.get("value") or ""
    return found


def _check_count(arn: str, tags: Mapping[str, str]) -> None:
    if len(tags) > TAGS_MAX:
        raise ApiError("TooManyTags", f"Too many tags on '{arn}': at most {TAGS_MAX} are allowed")
