"""The parts of README.md that are made from the code; ``python -m tests.readme`` writes them.

A part stands between ``<!-- made from the code: NAME -->`` and ``<!-- end -->``; what is between is
never written by hand. ``tests/test_readme.py`` fails where it differs from what the code says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, get_args

import typer

from gateway.api.exposition import families
from gateway.api.operations import step_functions
from gateway.cli.app import app
from gateway.config.adapters import (
    ConnectionSettings,
    DeadLetterTarget,
    FunctionSettings,
    SinkTarget,
    SourceSettings,
)
from gateway.config.schema import reference_table
from gateway.engine.metrics import Metrics
from gateway.sources.verify import Verify
from gateway.store.protocol import Stats
from gateway.tasks.optimised import SERVICES as OPTIMISED

README: Final = Path(__file__).parents[1] / "README.md"
_PART = re.compile(
    r"(?P<head><!-- made from the code: (?P<name>\w+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)
_EVERYWHERE: Final = {"--endpoint", "--json", "--help"}
"""Options that the text before the commands explains once."""


def rendered(text: str) -> str:
    """The text with each part as the code has it now. KeyError: nobody makes such a part."""

    def replace(found: re.Match[str]) -> str:
        return f"{found['head']}\n{PARTS[found['name']]().strip()}\n\n{found['end']}"

    return _PART.sub(replace, text)


# ------------------------------------------------------------------------------- tasks


def services() -> str:
    """The optimised integrations of AWS services."""
    rows = (
        (", ".join(f"`{name}:{action}`" for action in one.actions), f"`{one.name}.…`")
        for name, one in OPTIMISED.items()
    )
    return _table(("`arn:aws:states:::…`", "errors"), rows)


# ------------------------------------------------------------------------------- adapters


def adapters() -> str:
    """Everything of several kinds that a configuration may name."""
    kinds = {
        "`source:` of a trigger": SourceSettings,
        "`verify:` of a webhook": Verify,
        "`to:` of a sink": SinkTarget,
        "`dead_letter:` of a trigger": DeadLetterTarget,
        "entry of `functions:`": FunctionSettings,
        "entry of `connections:`": ConnectionSettings,
    }
    places: dict[tuple[str, str], list[str]] = {}
    for place, union in kinds.items():
        for name, model in adapter_types(union):
            said = _first_sentence(inspect.getdoc(model) or "")
            places.setdefault((name, said), []).append(place)
    rows = ((", ".join(where), f"`{name}`", said) for (name, said), where in places.items())
    return _table(("where", "`type`", "what it does"), rows)


def adapter_types(union: Any) -> Iterator[tuple[str, type]]:
    """Name and settings class of each member of a union of adapters."""
    members = get_args(get_args(union)[0])
    for model in members:
        yield get_args(model.model_fields["type"].annotation)[0], model


# ------------------------------------------------------------------------------- commands


def commands() -> str:
    """Every command, with what its ``--help`` says."""
    return "\n".join(
        _command(path, command) for path, command in all_commands() if _says_something(command)
    )


def all_commands() -> Iterator[tuple[str, Any]]:
    """Every command and group of commands, as it is typed, in the order of ``--help``."""
    yield from _below("stategate", typer.main.get_command(app))


def _below(path: str, group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if hasattr(command, "commands"):
            yield from _below(f"{path} {name}", command)


def _says_something(command: Any) -> bool:
    """Whether it does anything by itself: a mere group does not."""
    return not hasattr(command, "commands") or command.invoke_without_command


def _command(path: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    written = [path, *(p.metavar or p.name.upper() for p in arguments)]
    # A group's own text stands in its callback; its help is that of the group.
    said = inspect.cleandoc(inspect.getdoc(command.callback) or command.help)
    lines = [f"#### `{' '.join(written)}`", "", said, ""]
    lines += [f"- `{p.metavar}`: {_flat(p.help)}" for p in arguments]
    lines += [_option(p) for p in options if not _EVERYWHERE & set(p.opts)]
    return "\n".join([*lines, ""])


def _option(option: Any) -> str:
    flag = " ".join([option.opts[0], *([option.metavar] if option.metavar else [])])
    required = " (required)" if option.required else ""
    shown = option.default is not None and option.default is not False
    default = f" Default: `{option.default}`." if shown else ""
    return f"- `{flag}`{required}: {_flat(option.help)}{default}"


# --------------------------------------------------------------------- operations, metrics


def operations() -> str:
    """The operations of AWS Step Functions that the API serves."""
    # The operations are named before there is an engine; nothing is asked of it here.
    catalog = SimpleNamespace(publications=None, tags=None)
    service = step_functions(SimpleNamespace(catalog=catalog, store=None))  # type: ignore[arg-type]
    return ", ".join(f"`{name}`" for name in sorted(service.table)) + "."


def metrics() -> str:
    """Every metric with its labels, as /metrics shows them."""
    rows = []
    for family in families(Metrics(), Stats(), 0):
        name = family.name + ("_total" if family.type == "counter" else "")
        names = getattr(family, "_labelnames", ())
        rows.append((f"`{name}`", ", ".join(names), family.documentation))
    return _table(("metric", "label", ""), sorted(rows))


# ------------------------------------------------------------------------------- settings


def settings() -> str:
    """Every key of a configuration file, a level below the chapter in which it stands."""
    return re.sub(r"^###", "####", reference_table(), flags=re.MULTILINE)


# ---------------------------------------------------------------------------------- words


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_flat, line))} |" for line in lines)


def _flat(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", _flat(text), maxsplit=1)[0]


PARTS: Final[dict[str, Callable[[], str]]] = {
    "adapters": adapters,
    "commands": commands,
    "metrics": metrics,
    "operations": operations,
    "services": services,
    "settings": settings,
}


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
