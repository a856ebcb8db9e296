"""A webhook receiver that remembers what it accepted and refuses now and then."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Refuse = Callable[[int], int | None]


class Receiver:
    """Accepted notifications by execution name. ``refuse`` maps the number of a request to a status
    with which it is refused, or None."""

    def __init__(self, refuse: Refuse = lambda _count: None) -> None:
        self.ids: dict[str, list[str]] = defaultdict(list)
        """webhook-id of each acceptance."""
        self.events: list[dict] = []
        self._lock = threading.Lock()
        self._count = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status = outer._take(self.headers["webhook-id"], body, refuse)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def _take(self, webhook_id: str, body: bytes, refuse: Refuse) -> int:
        with self._lock:
            self._count += 1
            refused = refuse(self._count)
            if refused is not None:
                return refused
            event = json.loads(body)
            self.events.append(event)
            self.ids[event["detail"]["name"]].append(webhook_id)
            return 204

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
