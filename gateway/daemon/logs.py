"""How the log looks: for people on a terminal, one JSON object a line anywhere else.

Tracebacks are plain, without the values of local variables: those hold secrets and customers' data.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import Processor

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


class _Lossy:
    """A stream for lines that are worth less than what they tell of: one that cannot be written,
    because its disk is full or its reader has gone, is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure_logs(stream: TextIO) -> None:
    """Sends structlog and the libraries' warnings to the stream, in the form that suits it; logging
    never fails whoever logs."""
    lossy = _Lossy(stream)
    last = _for_people() if stream.isatty() else _for_machines()
    structlog.configure(
        processors=[*_SHARED, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, lossy)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(lossy)
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name],
            processors=[meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _for_people() -> list[Processor]:
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(exception_formatter=plain, pad_event_to=32)]


def _for_machines() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_dump),
    ]


def _dump(entry: dict[str, Any], **_: Any) -> str:
    first = {name: entry.pop(name, None) for name in ("timestamp", "level", "event")}
    return orjson.dumps(first | entry, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
