"""The URLs in tracked mail: pixel, clicks and one-click unsubscribe.

`Endpoints.answer` decides what a request gets, and what is learnt from it; short drivers for WSGI, ASGI and
Django speak the protocols and tell those who want to know.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import time
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from mailflows._clock import to_datetime
from mailflows._token import Purpose
from mailflows.errors import ConfigurationError, StoreError, TokenError
from mailflows.feedback import Action, Event, EventType
from mailflows.tracking._addresses import PATHS
from mailflows.tracking._clients import HitKind, kind_of_agent
from mailflows.tracking._hits import Hit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from mailflows._clock import Clock
    from mailflows.feedback import SuppressionList
    from mailflows.flow import Flow
    from mailflows.tracking._addresses import Tracked
    from mailflows.tracking._consent import Consents
    from mailflows.tracking._tracker import Tracker

__all__ = ["Endpoints", "Request", "Response"]

# One transparent dot (GIF89a).
_PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
# bound: octets of a body that are read and thrown away; one-click requests have a few hundred
_MAX_BODY = 65_536
# What browsers that fetch ahead say: https://wicg.github.io/nav-speculation/prefetch.html, and older ones.
_AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz")

TEXTS = {
    "language": "en",
    "title": "Mail",
    "ask": "Do you want to stop receiving these messages?",
    "button": "Unsubscribe",
    "done": "You will no longer receive these messages.",
    "invalid": "This link is invalid or has expired.",
    "nothing": "There is nothing here.",
    "later": "Something went wrong. Please try again in a few minutes.",
}

_log = logging.getLogger("mailflows.tracking")


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, from any framework.

    Attributes:
        method: The method, in capitals.
        path: The path of the URL.
        headers: The header fields, names in lower case.
        address: The IP address of the client.

    Example:
        >>> Request("GET", "/p/token", {"user-agent": "Thunderbird"}, "192.0.2.7").method
        'GET'
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response, and the hit it was for.

    Attributes:
        status: The status code with its words.
        headers: The header fields.
        body: The content.
        hit: The open or click that it was, if it was one.
        event: The unsubscription, if it was one.

    Example:
        >>> from mailflows.tracking import Endpoints, Tracker
        >>> tracker = Tracker([bytes(32)], "https://t.shop.example/")
        >>> endpoints = Endpoints(tracker, on_event=print)
        >>> url = tracker.unsubscribe_url(campaign="spring", recipient="42")
        >>> endpoints.answer(Request("GET", url)).status  # a page with a button: scanners follow every link
        '200 OK'
    """

    status: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    hit: Hit | None = None
    event: Event | None = None


class Endpoints:
    """Serves the pixel, clicks and one-click unsubscribe (RFC 8058) at a tracker's URLs.

    Pass `wsgi` or `asgi` to your server, or `django` to a URL pattern. GET never unsubscribes: it shows a
    page with a button, because scanners follow every link. A POST to the signed URL does, whatever its body
    is. Prefetches by a browser are not counted.

    Example:
        >>> from mailflows.tracking import Tracker
        >>> tracker = Tracker([bytes(32)], "https://t.shop.example/")
        >>> left = []
        >>> endpoints = Endpoints(tracker, on_event=left.append)
        >>> url = tracker.unsubscribe_url(campaign="spring", recipient="42")
        >>> endpoints.answer(Request("GET", url)).event is None
        True
        >>> endpoints.answer(Request("POST", url)).event.recipient_id
        '42'

    Args:
        tracker: The tracker, which decodes the URLs.
        on_hit: Called with each open and click, as a `Hit`; keep them for `judge_hits`. With `asgi`, it may
            be a coroutine function.
        on_event: Called with each unsubscription as an event, for your event store; with `asgi`, likewise.
        suppressions: The list that people who unsubscribe are added to; *address_of* gives their addresses.
        address_of: Returns the address for a recipient's ID, or `None`.
        list: The list that people unsubscribe from, where a recipient may be on several.
        flow: The flow of the messages, for the events; that of the tracker by default.
        consents: The `Consents`, so that hits of recipients who withdrew are not recorded; without it, all
            hits are.
        last_day_only: Whether to keep only the day of the last open, in *consents*, and no hit.
        proxies: Your own reverse proxies, whose ``X-Forwarded-For`` is trusted.
        texts: The texts of the pages in your readers' language, instead of the English ones.
        clock: Returns the present moment in Unix seconds.

    Raises:
        ConfigurationError: If the settings contradict each other.
    """

    def __init__(  # noqa: PLR0913 -- every one of them is a setting with a good default
        self,
        tracker: Tracker,
        *,
        on_hit: Callable[[Hit], object] | None = None,
        on_event: Callable[[Event], object] | None = None,
        suppressions: SuppressionList | None = None,
        address_of: Callable[[str], str | None] | None = None,
        list: str | None = None,  # noqa: A002 -- its name, as in Event
        flow: Flow | None = None,
        consents: Consents | None = None,
        last_day_only: bool = False,
        proxies: int = 0,
        texts: Mapping[str, str] | None = None,
        clock: Clock = time.time,
    ) -> None:
        if suppressions is not None and address_of is None:
            msg = "suppressions= needs address_of=: a link names a recipient by id, the list by address"
            raise ConfigurationError(msg, field="address_of")
        if last_day_only and consents is None:
            msg = "last_day_only= needs consents=, where the day is kept"
            raise ConfigurationError(msg, field="consents")
        if suppressions is None and on_event is None:
            msg = "say where unsubscriptions go (suppressions= or on_event=); they must not be lost"
            raise ConfigurationError(msg, field="on_event")
        if unknown := set(texts or {}) - set(TEXTS):
            msg = f"texts= knows {', '.join(TEXTS)}; not {', '.join(sorted(unknown))}"
            raise ConfigurationError(msg, field="texts")
        self.tracker = tracker
        self._on_hit, self._on_event = on_hit, on_event
        self._suppressions, self._address_of, self._list = suppressions, address_of, list
        self._flow = flow or tracker.flow
        self._consents, self._last_day_only = consents, last_day_only
        self._proxies = proxies
        self._texts = TEXTS | dict(texts or {})
        self._clock = clock

    def answer(self, request: Request) -> Response:
        """Return the response to a request, with its hit; redirects only to signed targets."""
        kind = request.path.rstrip("/").rpartition("/")[0].rpartition("/")[2]
        purpose = next((purpose for purpose, path in PATHS.items() if path == kind), None)
        if purpose is None:
            return self._page("404 Not Found", "nothing")
        try:
            tracked = self.tracker.decode(request.path, purpose)
        except TokenError as problem:
            return self._page("410 Gone" if problem.reason == "expired" else "404 Not Found", "invalid")
        if purpose is Purpose.UNSUBSCRIBE:
            return self._unsubscribe(request, tracked)
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, HEAD")
        return self._opened(request, tracked) if purpose is Purpose.OPEN else self._clicked(request, tracked)

    def _opened(self, request: Request, tracked: Tracked) -> Response:
        headers = (("Content-Type", "image/gif"), ("Cache-Control", "no-store"))
        return Response("200 OK", headers, _PIXEL, self._hit(request, tracked))

    def _clicked(self, request: Request, tracked: Tracked) -> Response:
        hit = self._hit(request, tracked)
        if tracked.url is None:  # the honeypot
            nothing = self._page("404 Not Found", "nothing")
            return Response(nothing.status, nothing.headers, nothing.body, hit)
        # Letters beyond ASCII are percent-encoded (RFC 3986); what is encoded already stays.
        location = "".join(
            c if " " < c < "\x7f" else "".join(f"%{b:02X}" for b in c.encode()) for c in tracked.url
        )
        return Response("302 Found", (("Location", location), ("Cache-Control", "no-store")), b"", hit)

    def _unsubscribe(self, request: Request, tracked: Tracked) -> Response:
        """Unsubscribe by POST alone; the signed address is the proof, whatever the body (RFC 8058 3.2)."""
        if request.method in {"GET", "HEAD"}:
            button = escape(self._texts["button"])
            form = (
                '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
                f"<button>{button}</button></form>"
            )
            return self._page("200 OK", "ask", form)
        if request.method != "POST":
            return _not_allowed("GET, HEAD, POST")
        event = Event(
            EventType.UNSUBSCRIBED,
            time=to_datetime(self._clock()),
            flow=self._flow,
            campaign=tracked.campaign,
            recipient_id=tracked.recipient,
            list=self._list,
            # Twice is once: the same address gives the same event.
            action=Action.SUPPRESS,
            event_id=f"tracking-{hashlib.sha256(request.path.encode()).hexdigest()[:32]}",
            verified=True,
            provider="tracking",
        )
        done = self._page("200 OK", "done")
        return Response(done.status, done.headers, done.body, event=event)

    def _hit(self, request: Request, tracked: Tracked) -> Hit | None:
        """Return a request as a hit; what is fetched ahead of a reader is none."""
        if any("prefetch" in request.headers.get(name, "").lower() for name in _AHEAD):
            return None
        moment = to_datetime(self._clock())
        agent = request.headers.get("user-agent", "")
        return Hit(tracked, moment, request.method, agent, self._client(request))

    def _client(self, request: Request) -> str:
        """Return the address of the client, from before the proxies that are ours."""
        passed = [
            part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()
        ]
        return passed[-self._proxies] if 0 < self._proxies <= len(passed) else request.address

    def _page(self, status: str, text: str, form: str = "") -> Response:
        words = {name: escape(value) for name, value in self._texts.items()}
        body = (
            f'<!doctype html><html lang="{words["language"]}"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{words['title']}</title><p>{words[text]}</p>{form}</html>"
        )
        headers = (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", "default-src 'none'; form-action 'self'"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        )
        return Response(status, headers, body.encode())

    # What was learnt is told: in short, once for threads and once for an event loop.

    def _tell(self, response: Response) -> Response:
        """Report a hit or an unsubscription; if an unsubscription cannot be stored, the client must retry."""
        try:
            if response.event is not None:
                self._suppress(response.event)
            elif response.hit is not None and self._may_note(response.hit) and self._on_hit:
                self._on_hit(response.hit)
        except Exception:  # noqa: BLE001 -- of whatever a callback raises
            return self._failed(response)
        return response

    def _suppress(self, event: Event) -> None:
        if self._suppressions is not None and self._address_of is not None:
            self._suppressions.apply(
                event, address=self._address_of(event.recipient_id or ""), list=event.list
            )
        if self._on_event is not None:
            self._on_event(event)

    def _may_note(self, hit: Hit) -> bool:
        """Return whether a hit is recorded: not without consent, nor if only the day is kept."""
        if self._consents is None or not hit.tracked.recipient:
            return True
        try:
            if not hit.is_click and self._last_day_only:
                if not _is_scanner(hit) and self._consents.of(hit.tracked.recipient).mail:
                    self._consents.note_open(hit.tracked.recipient)
                return False
            return self._consents.of(hit.tracked.recipient).allows("clicks" if hit.is_click else "opens")
        except StoreError:
            return False

    async def _atell(self, response: Response) -> Response:
        """Do what `_tell` does without blocking the event loop."""
        try:
            if response.event is not None:
                await self._asuppress(response.event)
            elif response.hit is not None and await self._amay_note(response.hit) and self._on_hit:
                await _awaited(self._on_hit(response.hit))
        except Exception:  # noqa: BLE001 -- of whatever a callback raises
            return self._failed(response)
        return response

    async def _asuppress(self, event: Event) -> None:
        if self._suppressions is not None and self._address_of is not None:
            address = await _awaited(self._address_of(event.recipient_id or ""))
            await self._suppressions.aapply(event, address=address, list=event.list)
        if self._on_event is not None:
            await _awaited(self._on_event(event))

    async def _amay_note(self, hit: Hit) -> bool:
        if self._consents is None or not hit.tracked.recipient:
            return True
        try:
            consent = await self._consents.aof(hit.tracked.recipient)
            if not hit.is_click and self._last_day_only:
                if not _is_scanner(hit) and consent.mail:
                    await self._consents.anote_open(hit.tracked.recipient)
                return False
            return consent.allows("clicks" if hit.is_click else "opens")
        except StoreError:
            return False

    def _failed(self, response: Response) -> Response:
        """Return the response after a failure: a reader is redirected, an unsubscription gets a 503."""
        _log.exception("a tracking request could not be recorded")
        return self._page("503 Service Unavailable", "later") if response.event else response

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        """Answer as a WSGI application (PEP 3333)."""
        _drain(environ)
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        method = environ["REQUEST_METHOD"]
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        response = self._tell(self.answer(Request(method, path, headers, environ.get("REMOTE_ADDR", ""))))
        start_response(response.status, [*response.headers, ("Content-Length", str(len(response.body)))])
        return [b"" if method == "HEAD" else response.body]

    async def asgi(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer as an ASGI application (ASGI 3.0, HTTP only)."""
        if scope["type"] != "http":
            return
        size, more = 0, True
        while more and size < _MAX_BODY:
            message = await receive()
            size += len(message.get("body", b"")) + 1
            more = message.get("more_body", False)
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        address = (scope.get("client") or ("",))[0]
        response = await self._atell(self.answer(Request(scope["method"], scope["path"], headers, address)))
        fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers]
        fields.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": int(response.status[:3]), "headers": fields})
        content = b"" if scope["method"] == "HEAD" else response.body
        await send({"type": "http.response.body", "body": content})

    @property
    def django(self) -> Callable[..., Any]:
        """Answer as a Django view, for a pattern such as ``re_path("^", endpoints.django)``.

        The check against forged forms is off for it: a mail provider has no cookie, the address is signed.
        """
        from django.http import HttpResponse  # noqa: PLC0415 -- only where Django is
        from django.views.decorators.csrf import csrf_exempt  # noqa: PLC0415 -- the same

        def view(request: Any, *_: object, **__: object) -> Any:  # noqa: ANN401 -- Django's own
            headers = {name.lower(): value for name, value in request.headers.items()}
            address = request.META.get("REMOTE_ADDR", "")
            response = self._tell(self.answer(Request(request.method, request.path, headers, address)))
            return HttpResponse(
                response.body, status=int(response.status[:3]), headers=dict(response.headers)
            )

        exempt: Callable[..., Any] = csrf_exempt(view)
        return exempt


def _is_scanner(hit: Hit) -> bool:
    """Return whether a client says itself that it reads nothing; one that says nothing may be a reader's."""
    if hit.method != "GET":
        return True
    return bool(hit.user_agent) and kind_of_agent(hit.user_agent, Purpose.OPEN)[0] is HitKind.SCANNER


async def _awaited(found: Any) -> Any:  # noqa: ANN401 -- whatever a callback returns
    return await found if inspect.isawaitable(found) else found


def _not_allowed(methods: str) -> Response:
    return Response("405 Method Not Allowed", (("Allow", methods),))


def _drain(environ: Mapping[str, Any]) -> None:
    """Read what a client sent, so that it is not cut off while it sends; chunks, where a server left them."""
    source = environ.get("wsgi.input")
    if source is None:
        return
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal():
        source.read(min(int(length), _MAX_BODY))
    elif environ.get("wsgi.input_terminated"):
        source.read(_MAX_BODY)
    elif "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        _drain_chunks(source)


def _drain_chunks(source: Any) -> None:  # noqa: ANN401 -- a file of the server
    """Read chunks (RFC 9112 section 7.1) until the last one."""
    room = _MAX_BODY
    while room > 0:
        line = source.readline(100)
        size = line.partition(b";")[0].strip()
        try:
            count = int(size, 16)
        except ValueError:
            return
        # Behind each chunk stands a line end; behind the last one, an empty line.
        source.read(min(max(count, 0), room) + 2)
        room -= count + len(line) + 2
        if count <= 0:
            return
