"""``stategate positions``: how far the partitions of Kafka topics have been read."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.client import Client
from gateway.cli.options import DEFAULT_ENDPOINT, AsJson, Endpoint
from gateway.cli.output import print_json, print_table

app = typer.Typer(help="How far Kafka topics have been read.")


@app.callback(invoke_without_command=True)
def list_positions(
    context: typer.Context,
    group: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this consumer group's.")
    ] = None,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
    as_json: AsJson = False,
) -> None:
    """List positions; everything below the offset has its outcome on disk."""
    if context.invoked_subcommand is not None:
        return
    found = Client(endpoint).own("ListPositions", source=group)
    if as_json:
        print_json(found)
        return
    rows = (
        (each["source"], each["topic"], str(each["partition"]), str(each["offset"]))
        for each in found["positions"]
    )
    columns = ("GROUP", "TOPIC", "PARTITION", "OFFSET")
    print_table(columns, rows, empty="There is no position.")


@app.command("set")
def set_position(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="The consumer group.")],
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic.")],
    partition: Annotated[
        int, typer.Argument(metavar="PARTITION", min=0, help="Number of the partition.")
    ],
    offset: Annotated[
        int, typer.Argument(metavar="OFFSET", min=0, help="The next offset to be read.")
    ],
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """Set a position, forwards or back.

    The sources of the group are started anew around it. Messages that are read again start nothing
    twice while their executions are kept.
    """
    client = Client(endpoint)
    client.own("SetPosition", source=group, topic=topic, partition=partition, offset=offset)
    print(f"{group} {topic} {partition}: next is {offset}")
