"""A whole way through the library that prints what a program may act upon, and what people read, as JSON.

    python tests/worded_way.py [--reworded]

With ``--reworded`` every sentence is in other words. `tests/test_sentences.py` compares the two.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import re
import sys
import tempfile
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHANCE = re.compile(r"\b(?:[0-9a-f]{12,64}|\d{4}-\d\d-\d\dT[\d:.+]+)\b|<generator.*")

NOW = 1_777_000_000.0
DAY = datetime(2026, 5, 4, 12, tzinfo=UTC)

BOUNCES = (
    "550 5.1.1 User unknown",
    "452 4.2.2 The email account that you tried to reach is over quota",
    "421 4.7.0 Too many connections, slow down",
    "550 5.7.26 Unauthenticated mail is prohibited",
    "554 5.7.1 Service unavailable; client host blocked using a list",
    "451 4.7.1 Greylisting in action, please come back later",
)

REPORT = """\
From: MAILER-DAEMON@relay.example.org
To: bounces@lovelace.example
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

The message could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.org

Final-Recipient: rfc822; eve@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 user unknown
--b--
"""
TOLD = """\
From: MAILER-DAEMON@mx.example
Subject: Undelivered Mail

<ada@example.org>: host mx.example.org said: 550 5.1.1 User unknown
"""
COMPLAINT = REPORT.replace("delivery-status", "feedback-report").replace(
    "Reporting-MTA: dns; relay.example.org\n\n",
    "Feedback-Type: abuse\nOriginal-Rcpt-To: <eve@example.net>\n\n",
)

ADDRESSES = (
    *("ada@example.org", "bob@gmial.com", "no-reply@example.org", "info@example.org", "x@mailinator.com"),
    *("not an address", "a@b", "eve@exa mple.org", "Ada <ada@gmail.com>", "ada@gmail.com", "", "joe@example"),
    *("a..b@example.org", "someone@localhost", "ada@xn--a.example", "test@test.com", "ada@googlemail.com"),
)

HTML = (
    "<html><body style='background:url(x.png)'><h1>Spring sale</h1><p>Click <a href='http://localhost/x'>here</a>"
    "<img src='https://t.lovelace.example/o.gif' width=1 height=1><script>x()</script><form></form>"
    "<p>Dear None, lorem ipsum dolor sit amet</body></html>"
)


def messages() -> Iterator[EmailMessage]:
    """Yield mail that the gate treats in different ways."""
    from three_flows import newsletter, reset

    yield reset()
    yield newsletter()
    yield reset(to="nobody")
    yield reset(sender="Harbour <noreply@elsewhere.example>")
    advert = newsletter()
    del advert["From"]
    advert["From"] = "Harbour <noreply@notify.lovelace.example>"
    yield advert
    bare = newsletter()
    del bare["List-Unsubscribe"]
    yield bare
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = (
        "Ada <ada@lovelace.example>",
        "bob@babbage.example",
        "Tea",
    )
    letter.set_content("Dear Bob,\n\nshall we have tea on Friday? I want to show you the engine.\n\nAda\n")
    yield letter
    signed = reset()
    signed["DKIM-Signature"] = "v=1; a=rsa-sha256; d=stranger.example; s=k; bh=x; b=y"
    signed["Authentication-Results"] = "mx.example; spf=pass"
    yield signed


def gates() -> Iterator[tuple[str, Any]]:
    """Yield what the gate says, with all its parts, in a whole way from limits to outcomes."""
    from mailflows import Gate
    from mailflows.feedback import SuppressionList
    from mailflows.gate import Finding
    from mailflows.limits import Limit, Limiter, MemoryStore
    from mailflows.recipients import RecipientChecker
    from mailflows.reputation import Reputation
    from mailflows.senders import SenderControl
    from mailflows.templates import TemplateMemory
    from mailflows.testing import FixedClock
    from three_flows import three_flows

    def broken(_: bytes) -> object:
        raise OSError

    clock = FixedClock()
    store = MemoryStore(clock=clock)
    gate = Gate(
        three_flows(),
        limiter=Limiter(Limit("3/hour", per="recipient"), Limit("9/day", per="global"), store=store),
        recipients=RecipientChecker(dns=False),
        senders=SenderControl(store, clock=clock),
        suppressions=SuppressionList(store, clock=clock),
        reputation=Reputation(store, clock=clock),
        templates=TemplateMemory(store, clock=clock),
        scanners=[lambda raw: Finding("virus", "it is evil") if b"engine" in raw else None, broken],
        on_error={"scanners": "accept"},
    )
    outcomes: list[Any] = [
        "sent",
        "unknown",
        (550, "5.1.1 User unknown"),
        (421, "4.7.0 slow down"),
        OSError("x"),
    ]
    for number, (mail, outcome) in enumerate(zip(itertools.cycle(messages()), outcomes * 5, strict=False)):
        verdict = gate.check(mail, account="ada" if number % 2 else None)
        yield f"check {number}", verdict
        yield f"metrics {number}", [list(row) for row in verdict.metrics()]
        yield f"report {number}", gate.report(verdict, outcome)
        clock.advance(60)
    for mail in messages():
        yield "acheck", asyncio.run(gate.acheck(mail))
    assert gate.senders is not None
    yield "sender", gate.senders.report("ada", invalid=40, valid=2)
    yield "blocked", gate.senders.blocked()
    yield "status", gate.status()
    yield "tally", gate.tally.report()
    yield "held", [(one.flow, one.state) for one in gate.held.list(every=True)] if gate.held else []
    yield "forgotten", gate.forget("ada@babbage.example")


def parts() -> Iterator[tuple[str, Any]]:
    """Yield what each part says by itself."""
    from mailflows import check_list, check_recipient, classify
    from mailflows.audit import audit
    from mailflows.content import fix, lint, lint_html
    from mailflows.feedback import SuppressionList, parse_bounce, read_reply
    from mailflows.limits import MemoryStore
    from mailflows.templates import check_fields
    from mailflows.testing import FakeDns
    from three_flows import three_flows

    flows = three_flows()
    for number, mail in enumerate(messages()):
        yield f"classify {number}", classify(mail)
        yield f"route {number}", flows.route(mail)
        for flow in ("transactional", "marketing", "professional"):
            yield f"guard {number} {flow}", flows.guard(mail, flow)
            yield f"lint {number} {flow}", lint(mail, flow=flow, clock=lambda: NOW)
        yield f"fix {number}", fix(mail, flow="transactional")
    yield "page", lint_html(HTML, flow="marketing")
    for text in BOUNCES:
        yield text, read_reply(int(text[:3]), text[4:])
    suppressions = SuppressionList(MemoryStore(), clock=lambda: NOW)
    for text in (REPORT, TOLD, COMPLAINT):
        events = parse_bounce(text.encode())
        yield "bounce", events
        yield "suppression", [suppressions.apply(event) for event in events]
    for address in ADDRESSES:
        yield address, check_recipient(address, dns=False)
    report = check_list(ADDRESSES, dns=False)
    yield "list", report
    yield "clean", list(report.clean())
    yield "segments", report.segments()
    yield (
        "fields",
        check_fields({"name": "Ada +44 20 7946 0958 https://evil.example\n\nBuy now", "city": "Bath"}),
    )
    for spf in ("v=spf1 +all", "v=spf1 include:nowhere.example -all", "v=spf1 ip4:999 -all", "nothing"):
        records = {
            "lovelace.example": {"TXT": [spf], "MX": ["10 mx.lovelace.example"]},
            "_dmarc.lovelace.example": {"TXT": ["v=DMARC1; p=none"]},
        }
        yield f"audit {spf}", audit(flows, resolver=FakeDns(records))


def tracked() -> Iterator[tuple[str, Any]]:
    """Yield what the tracking says of hits, and of two campaigns."""
    from mailflows.feedback import Event, EventType
    from mailflows.tracking import CampaignStats, Hit, Purpose, Tracked, compare, judge_hit

    events = [
        Event(EventType.DELIVERED, f"{n}@example.org", recipient_id=str(n), time=DAY) for n in range(90)
    ]
    agents = ("curl/8", "Mozilla/5.0 (Windows NT 10.0) Chrome/120", "GoogleImageProxy", "", "Slackbot 1.0")
    for purpose, agent in itertools.product((Purpose.CLICK, Purpose.OPEN), agents):
        url = "https://shop.example/x" if purpose is Purpose.CLICK else None
        token = Tracked(purpose, "spring", "7", url, False, DAY, None)  # noqa: FBT003 -- its order
        verdict = judge_hit(Hit(token, DAY, user_agent=agent))
        yield f"hit {purpose} {agent}", verdict
        events.append(verdict.to_event())
    stats = CampaignStats.from_events(events)
    yield "stats", stats
    yield "compared", compare(stats, stats)


def wrong() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield misuse, of which the kind of the error and its field count."""
    from mailflows import Gate, check_list, classify
    from mailflows.feedback import SuppressionList, read_reply, verify_webhook
    from mailflows.flows import FlowRoute, FlowSet
    from mailflows.limits import Limit, Limiter, MemoryStore
    from mailflows.senders import SenderControl
    from three_flows import three_flows

    yield "empty message", lambda: classify(b"")
    yield "no message", lambda: classify(b"{}")
    yield "missing file", lambda: classify(Path("/nowhere/x.eml"))
    yield "flow", lambda: three_flows().route(b"From: a@b.example\n\nx", declared="advert")
    yield "domains", lambda: FlowRoute("marketing", domains="https://x.example")
    yield "provider", lambda: FlowRoute("marketing", domains="x.example", esp="sendgird")
    yield "routes", lambda: FlowSet("flows.toml")  # type: ignore[arg-type]
    yield "rate", lambda: Limit("a lot", per="global")
    yield "per", lambda: Limiter(Limit("1/hour", per="clint"), store=MemoryStore())
    yield "suppressions", lambda: Gate(three_flows(), suppressions={"a@b.example"})  # type: ignore[arg-type]
    yield "decision", lambda: Gate(three_flows(), on_conflict="perhaps")
    yield "expires", lambda: SuppressionList(MemoryStore(), soft_limit=0)
    yield "address", lambda: SuppressionList(MemoryStore()).add("nobody")
    yield "code", lambda: read_reply(1000, "x")
    yield "webhook", lambda: verify_webhook("sendgird", b"", key="x")
    yield "sender", lambda: SenderControl(MemoryStore()).acquire("")
    yield "list", lambda: check_list("/nowhere/list.csv")


def commands(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield what is typed at a terminal."""
    settings = folder / "flows.toml"
    settings.write_text(
        '[flows.transactional]\ndomains = ["notify.lovelace.example"]\n'
        '[flows.marketing]\ndomains = ["news.lovelace.example"]\n[gate]\nstore = "state.db"\n'
    )
    (folder / "page.html").write_text(HTML)
    (folder / "list.csv").write_text("email\n" + "\n".join(ADDRESSES))
    (folder / "bounce.eml").write_text(REPORT)
    files = []
    for number, mail in enumerate(messages()):
        files.append(folder / f"{number}.eml")
        files[-1].write_bytes(mail.as_bytes())
    for file in (*map(str, files), str(folder / "none.eml"), str(folder / "page.html")):
        yield "classify", ["classify", "--json", file]
        yield "lint", ["lint", "--json", "--flow", "marketing", file]
        yield "gate", ["gate", str(settings), "--json", file]
    yield "list", ["list", "--json", "--no-dns", str(folder / "list.csv")]
    yield "check", ["check", "--json", "--no-dns", "bob@gmial.com"]
    yield "bounces", ["bounces", "--json", str(folder / "bounce.eml")]
    yield "status", ["status", str(settings), "--json"]
    yield "typo", ["clasify", "x"]
    yield "option", ["lint", "--flow", "marketting", "x.eml"]


def ran(arguments: list[str]) -> dict[str, Any]:
    """Return the exit status of a command, and what it wrote as JSON."""
    from mailflows.cli import main

    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            status: object = main(arguments)
        except SystemExit as stopped:
            status = stopped.code
    rows = []
    for line in out.getvalue().splitlines():
        with contextlib.suppress(ValueError):
            rows.append(json.loads(line))
    return {"status": status, "rows": rows, "sentence": error.getvalue()}


def failure(action: Callable[[], object]) -> dict[str, Any]:
    """Return what a program may read of an error, and its sentence."""
    try:
        action()
    except Exception as problem:  # noqa: BLE001 -- its kind is what is looked at
        return {
            "kind": type(problem).__name__,
            "field": getattr(problem, "field", None),
            "sentence": str(problem),
        }
    return {"kind": None}


def without_chance(value: Any, folder: str) -> Any:
    """Return plain data without what is another in each run: keyed hashes, ids, moments, a folder."""
    if isinstance(value, dict):
        return {key: without_chance(one, folder) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_chance(one, folder) for one in value]
    return _CHANCE.sub("…", str(value).replace(folder, "FOLDER")) if isinstance(value, str) else value


def everything() -> list[tuple[str, Any]]:
    """Return the whole way as plain data."""
    from mailflows._result import plain

    found = [(name, plain(value)) for name, value in itertools.chain(gates(), parts(), tracked())]
    found += [(f"wrong {name}", failure(action)) for name, action in wrong()]
    with tempfile.TemporaryDirectory() as folder:
        found += [(f"command {name}", ran(arguments)) for name, arguments in commands(Path(folder))]
        return json.loads(json.dumps(without_chance(found, folder)))  # type: ignore[no-any-return]


if __name__ == "__main__":
    if "--reworded" in sys.argv:
        import rewording

        rewording.install()
    json.dump(everything(), sys.stdout)
