"""Commands about the database: backup and verify. They read it while a daemon may be running."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from gateway.cli.client import Client
from gateway.cli.options import DEFAULT_ENDPOINT, AsJson, Endpoint
from gateway.cli.output import fail, print_json

_SQLITE = b"SQLite format 3\x00"


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the copy.")],
    database: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The database; default: the running daemon's."),
    ] = None,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """Copy the database while the daemon runs.

    The copy is consistent; FILE is replaced when it is complete.
    """
    source = database or Path(Client(endpoint).own("Status")["database"])
    _copy(source, file)
    print(f"{source} copied to {file} ({file.stat().st_size:,} bytes)")


def verify(
    path: Annotated[
        Path, typer.Argument(metavar="CONFIG|DATABASE", help="A configuration, or a database file.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check a database, and executions by their histories.

    What each running execution waits for is compared with what its history asks for, on a copy:
    a daemon may be running. Exit code 1 if there is a difference.
    """
    import trio

    from gateway.store.failures import StoreClosed
    from gateway.store.sqlite.upkeep import damage

    source = path if _is_database(path) else _configured(path)
    with TemporaryDirectory(prefix="stategate-verify-") as directory:
        copy = Path(directory) / "copy.db"
        _copy(source, copy)
        try:
            # What a damaged file says of executions says nothing.
            differences = damage(str(copy)) or trio.run(_differences, copy, source)
        except StoreClosed as error:
            fail(str(error.__cause__ or error))
    if as_json:
        print_json({"differences": differences})
    else:
        for difference in differences:
            print(difference)
        if not differences:
            print(f"{source}: every running execution is as its history says")
    if differences:
        raise typer.Exit(1)


async def _differences(database: Path, source: Path) -> list[str]:
    from gateway.daemon.clock import now
    from gateway.engine.catalog import Catalog
    from gateway.engine.door import Door
    from gateway.engine.verify import verify as differences
    from gateway.store.failures import StoreUnusable
    from gateway.store.sqlite import open_sqlite

    try:
        async with open_sqlite(str(database)) as store:
            catalog = Catalog(store, now, region="us-east-1", account="123456789012")
            await catalog.load()
            door = Door(store, catalog, now, committed=lambda *_: None, announce=lambda _: [])
            return [difference async for difference in differences(store, door)]
    except StoreUnusable as error:
        # It speaks of the copy, which nobody knows and which is gone in a moment.
        fail(str(error).replace(str(database), str(source)))


def _copy(source: Path, target: Path) -> None:
    from gateway.errors import Rejected
    from gateway.store.failures import StoreUnusable
    from gateway.store.sqlite.upkeep import copy_database
    from gateway.store.sqlite.wal import refuse_foreign_wal

    if not source.is_file():
        fail(f"there is no database {source}: a daemon makes it when it first starts")
    try:
        refuse_foreign_wal(str(source))
        copy_database(str(source.absolute()), str(target))
    except (OSError, Rejected, StoreUnusable) as error:
        fail(str(error))
    except sqlite3.Error as error:
        fail(f"{source} cannot be copied: {error}")


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}")


def _configured(path: Path) -> Path:
    from gateway.cli.configuration import load

    return load(path).settings.store.path
