"""What a store raises."""

from __future__ import annotations


class StoreFull(Exception):
    """The disk is full: nothing of the unit was written, and the same unit may be tried again."""


class StoreConflict(Exception):
    """The unit breaks its caller's promise: the key of an inserted row is taken, the execution that
    it ends is not running, or the one that it redrives has not ended. Nothing of the unit was
    written; the units beside it were."""


class StoreClosed(Exception):
    """The store has been closed or its disk has failed (``__cause__``). A unit that was under way
    may or may not be on disk; nobody was told that it is."""


class StoreUnusable(Exception):
    """The database cannot be opened; the message says which one, why, and what would help."""


class StoreBusy(StoreUnusable):
    """Another process holds this database; the message says which."""


class StoreTooNew(StoreUnusable):
    """The database was written by a newer version of Stategate."""
