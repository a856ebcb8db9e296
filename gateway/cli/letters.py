"""``stategate letters``: what could not be taken or delivered, and what becomes of it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gateway.cli.client import Client
from gateway.cli.options import DEFAULT_ENDPOINT, AsJson, Endpoint
from gateway.cli.output import one_line, print_json, print_table, when

app = typer.Typer(help="What could not be taken or delivered.", no_args_is_help=True)

Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of letters.")]


@app.command("list")
def list_letters(
    origin: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this trigger's or sink's.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 100,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
    as_json: AsJson = False,
) -> None:
    """List letters, the newest first."""
    found = list(Client(endpoint).own_pages("ListLetters", "letters", limit, origin=origin))
    if as_json:
        print_json({"letters": found})
        return
    rows = (
        (
            each["id"],
            when(each["createdAt"]),
            each["kind"],
            each["origin"],
            one_line(each["reason"]),
        )
        for each in found
    )
    print_table(("ID", "SINCE (UTC)", "KIND", "OF", "REASON"), rows, empty="There is no letter.")


@app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="Id of the letter.")],
    endpoint: Endpoint = DEFAULT_ENDPOINT,
    as_json: AsJson = False,
) -> None:
    """Show a letter with the message or notification that it keeps."""
    found = Client(endpoint).own("DescribeLetter", id=letter)
    if as_json:
        print_json(found)
        return
    for name in ("id", "kind", "origin", "reason", "coordinates"):
        print(f"{name:12} {found[name]}")
    print(f"{'since':12} {when(found['createdAt'])} UTC")
    print(json.dumps(json.loads(found["body"]), indent=2, ensure_ascii=False))


@app.command()
def retry(letters: Ids, endpoint: Endpoint = DEFAULT_ENDPOINT) -> None:
    """Try letters again.

    A message goes through its trigger, a notification through its sink. One that succeeds is a
    letter no more; at the first that does not, the command ends.
    """
    client = Client(endpoint)
    for letter in letters:
        client.own("RetryLetter", id=letter)
        print(f"{letter} retried")


@app.command()
def drop(letters: Ids, endpoint: Endpoint = DEFAULT_ENDPOINT) -> None:
    """Throw letters away, with what they keep."""
    client = Client(endpoint)
    for letter in letters:
        client.own("DropLetter", id=letter)
        print(f"{letter} dropped")
