"""Durable rows: the protocol, SQLite, and an in-memory twin that passes the same suite."""
