"""The functions of the configuration by name, which a reload may change at any time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import trio
from pydantic import Field

from gateway.tasks.functions.aws_lambda import AwsFunction
from gateway.tasks.functions.command import CommandFunction
from gateway.tasks.functions.endpoint import HttpFunction
from gateway.tasks.functions.function import Kit, function_name
from gateway.tasks.functions.local import Local
from gateway.tasks.functions.python import PythonFunction

LocalFunction: TypeAlias = PythonFunction | CommandFunction | HttpFunction
AnyFunction: TypeAlias = Annotated[LocalFunction | AwsFunction, Field(discriminator="type")]
"""What an entry of ``functions:`` may say; a new kind adds its name here."""


class Entry:
    """A function as it is configured just now."""

    def __init__(self, name: str, settings: LocalFunction | AwsFunction, kit: Kit) -> None:
        self.settings = settings
        self.local: Local | None = None
        """None: it is AWS's, by the name in ``elsewhere`` or by the one that the task gives."""
        self.elsewhere: str | None = None
        self.limiter = trio.CapacityLimiter(settings.concurrency)
        match settings:
            case AwsFunction():
                self.elsewhere = settings.function
            case _:
                self.local = Local(settings.open(name, kit), kit.log.bind(function=name))

    def retire(self) -> None:
        """It is called no more."""
        if self.local is not None:
            self.local.function.retire()


class Functions:
    """Finds them."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._entries: dict[str, Entry] = {}

    def configure(self, wanted: Mapping[str, LocalFunction | AwsFunction]) -> list[str]:
        """These there are from now on; returns the names of those that are new, changed or gone.
        Calls under way end as they began."""
        had = {name: entry.settings for name, entry in self._entries.items()}
        changed = sorted(n for n in had.keys() | wanted.keys() if had.get(n) != wanted.get(n))
        for name in changed:
            if (entry := self._entries.pop(name, None)) is not None:
                entry.retire()
            if name in wanted:
                self._entries[name] = Entry(name, wanted[name], self._kit)
        return changed

    def find(self, function: str) -> Entry | None:
        """The function that a task names by its ARN, a part of it, or its name; None where the
        configuration says nothing of it."""
        return self._entries.get(function_name(function))
