"""A server for tracked mail: pixel, clicks and one-click unsubscribe, as a WSGI and as an ASGI application.

Usage: TRACKING_KEY=<64 hexadecimal digits> python examples/tracking_server/server.py

It runs on 127.0.0.1:8000 with the standard library; put `wsgi` or `asgi` behind the server that you use.
Store the hits, and give them to `mailflows.tracking.judge_hits`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mailflows.tracking import Endpoints, Hit, Tracker

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailflows.feedback import Event


class Service(Endpoints):
    """Endpoints that remember; replace the two lists by your database, or pass ``suppressions=``."""

    def __init__(self, tracker: Tracker) -> None:
        self.hits: list[Hit] = []
        self.unsubscribed: list[tuple[str, str]] = []
        super().__init__(tracker, on_hit=self.hits.append, on_event=self.unsubscribe)

    def unsubscribe(self, event: Event) -> None:
        """Take a recipient off the list, at once and for good; a second request changes nothing."""
        who = event.campaign or "", event.recipient_id or ""
        if who not in self.unsubscribed:
            self.unsubscribed.append(who)


def wsgi(service: Service) -> Callable[..., Any]:
    """Return the service as a WSGI application (PEP 3333)."""
    return service.wsgi


def asgi(service: Service) -> Callable[..., Any]:
    """Return the service as an ASGI application (ASGI 3.0, HTTP only)."""
    return service.asgi


def main() -> None:
    """Serve on this machine until interrupted."""
    from wsgiref.simple_server import make_server  # noqa: PLC0415 -- an application has a server of its own

    key = bytes.fromhex(os.environ["TRACKING_KEY"])
    service = Service(Tracker([key], "http://127.0.0.1:8000/"))
    with make_server("127.0.0.1", 8000, service.wsgi) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
