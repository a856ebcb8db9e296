"""Which services and operations there are, under the names that Resources give them.

botocore has a file for each service, several of them large; only their first lines are read until a
service is called.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.aws.java_names import action_name, service_name

_SERVICE_ID: Final = re.compile(r'"serviceId"\s*:\s*"([^"]+)"')
_METADATA_CHARACTERS: Final = 4096
"""In which the id stands, near the beginning."""


class Entry(NamedTuple):
    """A service."""

    botocore: str
    """botocore's name for it: stepfunctions."""
    java: str
    """The SDK for Java's: Sfn, which in lower case is the Resource's."""


Catalogue = dict[str, Entry]
"""By the name in Resources: sfn."""


@cache
def read_catalogue() -> Catalogue:
    """All services. Blocks for about a tenth of a second, the first time."""
    import botocore

    found: Catalogue = {}
    for folder in sorted((Path(botocore.__file__).parent / "data").iterdir()):
        model = max(folder.glob("*/service-2.json*"), default=None) if folder.is_dir() else None
        named = _SERVICE_ID.search(_beginning(model)) if model is not None else None
        if named is not None:
            java = service_name(named[1])
            found.setdefault(java.lower(), Entry(folder.name, java))
    return found


def _beginning(model: Path) -> str:
    reader: Any = gzip.open if model.suffix == ".gz" else open
    with reader(model, "rt", encoding="utf-8") as file:
        text: str = file.read(_METADATA_CHARACTERS)
    return text


@cache
def read_actions(botocore_name: str) -> dict[str, str]:
    """The operations of a service, by the name in Resources: putItem. Blocks."""
    from botocore.session import Session

    return actions(Session().get_service_model(botocore_name))


def near(wanted: str, there: Iterable[str]) -> str:
    """``; did you mean "x"?`` where something is near."""
    found = get_close_matches(wanted, list(there), n=1)
    return f'; did you mean "{found[0]}"?' if found else ""


def service_near(wanted: str, catalogue: Catalogue) -> str:
    """The same for a service, which may have been called by botocore's name."""
    same = [name for name, entry in catalogue.items() if entry.botocore.replace("-", "") == wanted]
    return near(wanted, catalogue) if not same else f'; did you mean "{same[0]}"?'


def actions(model: Any) -> dict[str, str]:
    """The operations of botocore's model of a service, by the name in Resources."""
    return {action_name(operation): operation for operation in model.operation_names}
