"""A server for tracked mail: pixel, clicks and one-click unsubscribing, as WSGI and as ASGI application.

Usage: TRACKING_KEY=<64 hexadecimal digits> python examples/tracking_server/server.py

It runs on 127.0.0.1:8000 with the standard library. `answer` decides, the two small applications below it
speak the protocols; put either behind the server that you use. A hit is handed to `Service.note`: store it,
and give the stored hits to `mailflows.tracking.judge_hits`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from mailflows.errors import TokenError
from mailflows.tracking import Hit, Purpose, Tracker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

# One transparent dot (GIF89a).
PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
MAX_BODY = 4096
ONE_CLICK = {"List-Unsubscribe": ["One-Click"]}

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """What an HTTP request brings, whatever brought it."""

    method: str
    path: str
    user_agent: str = ""
    address: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back."""

    status: str
    headers: Headers = field(default_factory=list)
    body: bytes = b""


@dataclass(slots=True)
class Service:
    """A tracker, and what to do with what it learns; replace the two lists by your database."""

    tracker: Tracker
    hits: list[Hit] = field(default_factory=list)
    unsubscribed: list[tuple[str, str]] = field(default_factory=list)

    def note(self, hit: Hit) -> None:
        """Keep a hit; `mailflows.tracking.judge_hits` says later whose it was."""
        self.hits.append(hit)

    def unsubscribe(self, campaign: str, recipient: str) -> None:
        """Take a recipient off the list, at once and for good; twice is once."""
        if (campaign, recipient) not in self.unsubscribed:
            self.unsubscribed.append((campaign, recipient))


def answer(service: Service, request: Request) -> Response:
    """Return the response to any request. Only a signed target is ever redirected to."""
    kind = request.path.strip("/").rpartition("/")[0].rpartition("/")[2]
    handlers = {"o": _opened, "c": _clicked, "u": _unsubscribe}
    if kind not in handlers:
        return _page("404 Not Found", "There is nothing here.")
    try:
        return handlers[kind](service, request)
    except TokenError as problem:
        status = "410 Gone" if problem.reason == "expired" else "404 Not Found"
        return _page(status, "This link is not valid, or no longer.")


def _hit(service: Service, request: Request, purpose: Purpose) -> Hit:
    tracked = service.tracker.decode(request.path, purpose)
    hit = Hit(tracked, datetime.now(UTC), request.method, request.user_agent, request.address)
    service.note(hit)
    return hit


def _opened(service: Service, request: Request) -> Response:
    if request.method not in {"GET", "HEAD"}:
        return _not_allowed("GET, HEAD")
    _hit(service, request, Purpose.OPEN)
    return Response("200 OK", [("Content-Type", "image/gif"), ("Cache-Control", "no-store")], PIXEL)


def _clicked(service: Service, request: Request) -> Response:
    if request.method not in {"GET", "HEAD"}:
        return _not_allowed("GET, HEAD")
    url = _hit(service, request, Purpose.CLICK).tracked.url
    if url is None:  # the honeypot
        return _page("404 Not Found", "There is nothing here.")
    # Letters beyond ASCII are percent-encoded (RFC 3986); what is encoded already stays.
    location = "".join(c if " " < c < "\x7f" else "".join(f"%{b:02X}" for b in c.encode()) for c in url)
    return Response("302 Found", [("Location", location), ("Cache-Control", "no-store")])


def _unsubscribe(service: Service, request: Request) -> Response:
    """Unsubscribe by POST; GET shows a button, because programs fetch every link of a message."""
    tracked = service.tracker.decode(request.path, Purpose.UNSUBSCRIBE)
    if request.method in {"GET", "HEAD"}:
        form = (
            '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
            "<button>Unsubscribe</button></form>"
        )
        return _page("200 OK", "Do you want no more of these messages?", form)
    if request.method != "POST":
        return _not_allowed("GET, HEAD, POST")
    if parse_qs(request.body.decode("latin-1")) != ONE_CLICK:  # RFC 8058 section 3.2
        return _page("400 Bad Request", "This is no one-click request.")
    service.unsubscribe(tracked.campaign, tracked.recipient)
    return _page("200 OK", "You will get no more of these messages.")


def _not_allowed(methods: str) -> Response:
    return Response("405 Method Not Allowed", [("Allow", methods)])


def _page(status: str, text: str, form: str = "") -> Response:
    body = f"<!doctype html><html lang='en'><title>Mail</title><p>{escape(text)}</p>{form}</html>"
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", "default-src 'none'; form-action 'self'"),
        ("Referrer-Policy", "no-referrer"),
    ]
    return Response(status, headers, body.encode())


def wsgi(service: Service) -> Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]:
    """Return the service as a WSGI application (PEP 3333)."""

    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        size = min(int(length), MAX_BODY) if length.isdecimal() else 0
        response = answer(
            service,
            Request(
                environ["REQUEST_METHOD"],
                environ.get("PATH_INFO", ""),
                environ.get("HTTP_USER_AGENT", ""),
                environ.get("REMOTE_ADDR", ""),
                environ["wsgi.input"].read(size) if size else b"",
            ),
        )
        body = b"" if environ["REQUEST_METHOD"] == "HEAD" else response.body
        start_response(response.status, [*response.headers, ("Content-Length", str(len(response.body)))])
        return [body]

    return application


def asgi(service: Service) -> Callable[..., Awaitable[None]]:
    """Return the service as an ASGI application (ASGI 3.0, HTTP only)."""

    async def application(
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more and len(body) < MAX_BODY:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        names = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        address = (scope.get("client") or ("",))[0]
        agent = names.get(b"user-agent", "")
        response = answer(service, Request(scope["method"], scope["path"], agent, address, body[:MAX_BODY]))
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers]
        headers.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": int(response.status[:3]), "headers": headers})
        content = b"" if scope["method"] == "HEAD" else response.body
        await send({"type": "http.response.body", "body": content})

    return application


def main() -> None:
    """Serve on this machine until interrupted."""
    from wsgiref.simple_server import make_server  # noqa: PLC0415 -- an application has a server of its own

    key = bytes.fromhex(os.environ["TRACKING_KEY"])
    service = Service(Tracker([key], "http://127.0.0.1:8000/"))
    with make_server("127.0.0.1", 8000, wsgi(service)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
