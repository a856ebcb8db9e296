"""The durable store over SQLite: one writer thread that commits in groups, a few readers."""

from gateway.store.sqlite.database import open_sqlite
from gateway.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "open_sqlite"]
