"""The commands by name; what they do is in the other files of this package."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli import configuration, database, executions, letters, positions, rehearsal
from gateway.cli.demo import command as demonstration

app = typer.Typer(
    name="stategate",
    help="Events in, durable executions of Amazon States Language machines, completions out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"stategate {version('stategate')}")
        raise typer.Exit


@app.callback()
def _main(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Events in, durable executions of Amazon States Language machines, completions out."""


app.command()(configuration.check)
app.command()(configuration.run)
app.command()(demonstration.demo)
app.command()(configuration.schema)
app.command("try")(configuration.try_trigger)
app.command("test")(rehearsal.rehearse)
app.command()(executions.start)
app.command()(executions.stop)
app.command("executions")(executions.list_executions)
app.command()(executions.history)
app.add_typer(letters.app, name="letters")
app.add_typer(positions.app, name="positions")
app.command()(database.backup)
app.command()(database.verify)
