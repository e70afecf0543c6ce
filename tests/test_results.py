"""Every result is a value: it compares, copies, pickles, becomes JSON, and shows nothing live.

One scene makes them all, with names and texts that a stranger may send; all that it returns is looked at.
"""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import pickle
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Classifier, Context, Gate, check_list, check_recipient, classify
from mailflows._result import Reason, Result
from mailflows.audit import audit
from mailflows.audit._aggregates import DmarcReports, DmarcRow
from mailflows.content import fix, lint
from mailflows.feedback import (
    Event,
    EventType,
    OutagePolicy,
    SuppressionList,
    from_reply,
    import_suppressions,
    read_reply,
)
from mailflows.gate._check import GateReason
from mailflows.integrations import RecipientState
from mailflows.integrations._delivery import RecipientOutcome
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.pacing import Schedule, WarmUp
from mailflows.recipients import signup_risk
from mailflows.reputation import ProviderReading, Reputation
from mailflows.senders import SenderControl, SenderEvent
from mailflows.templates import TemplateMemory, check_fields
from mailflows.testing import FakeDns
from mailflows.tracking import CampaignStats, Consents, Hit, Purpose, Tracked, compare, judge_hit
from test_house import CLASSES
from three_flows import three_flows

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIL = "<script>alert('x')</script>"
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
MAIL = (
    f"From: Harbour {EVIL} <noreply@notify.lovelace.example>\r\nTo: ada@babbage.example\r\n"
    f"Subject: {EVIL}\r\n\r\nYour code is 406117. {EVIL} https://notify.lovelace.example/r/1\r\n"
).encode()
ADVERT = MAIL.replace(b"Your code is 406117.", b"Spring sale! Save 30 % on everything, shop now, only today!")

_ELSEWHERE = frozenset({"Evaluation", "HeldMessage", "Undone", "Outage"})
"""Results that a scene as small as this cannot make: tests of their own parts show them."""


def scene() -> Iterator[Any]:
    """Yield what the parts say about mail, names and files of a stranger."""
    store, flows = MemoryStore(), three_flows()
    yield classify(ADVERT)
    yield Classifier().calibrate([ADVERT] * 30, ["marketing"] * 30)
    yield flows.guard(ADVERT, "transactional")
    yield flows.route(MAIL)
    yield from flows
    per_person, whole = Limit("1/hour", per="recipient", name=EVIL[:20]), Limit("2/hour", per="global")
    limiter = Limiter(per_person, whole, store=store)
    yield limiter.acquire(to="ada@babbage.example")
    yield (refused := limiter.acquire(to="ada@babbage.example"))
    yield from refused.readings
    senders = SenderControl(store)
    yield senders.report("ada@lovelace.example", valid=10, invalid=90)
    yield senders.replay([SenderEvent(NOW, EVIL, ("a@b.example",), invalid=60) for _ in range(90)])
    reputation = Reputation(store)
    yield reputation.count("marketing", sent=1000, bounced=300)
    yield ProviderReading("yahoo", EVIL, date(2026, 6, 1), 0.004, 1000, 2, EVIL)
    yield reputation.acquire("marketing", recipients=["ada@gmail.com"], context=Context(form=EVIL))
    gate = Gate(flows, limiter=limiter, senders=senders, reputation=reputation)
    yield gate.check(MAIL, flow="transactional")
    yield gate.check(ADVERT, flow="transactional", form=EVIL)
    yield gate.tally.report()
    yield gate.status()
    yield gate.forget("ada@babbage.example")
    yield lint(ADVERT, flow="marketing")
    yield fix(MAIL, flow="transactional")
    yield DmarcReports(
        (DmarcRow("google.com", date(2026, 6, 1), EVIL, "192.0.2.1", 3, passed=True),), 1, (EVIL,)
    )
    yield audit(flows, resolver=FakeDns({"lovelace.example": {"TXT": [f"v=spf1 {EVIL}"]}}))
    yield check_recipient(f"{EVIL}@gmial.com", dns=False)
    yield signup_risk(check_recipient(f"{EVIL}@gmial.com", dns=False))
    yield (report := check_list([f'"{EVIL}"@shop.example', "bob@gmial.com", EVIL], dns=False))
    yield from report.segments()
    yield from feedback(store)
    yield WarmUp(Schedule((10, 20)), store=store, name=EVIL).acquire(3)
    yield WarmUp(Schedule((10, 20)), store=store, name=EVIL).state()
    yield TemplateMemory(store).observe(MAIL, flow="transactional")
    yield check_fields({"name": f"{EVIL} +44 20 7946 0958 https://evil.example"})
    yield RecipientOutcome("ada@babbage.example", RecipientState.REFUSED, "relay", 550, EVIL)
    yield GateReason("x", EVIL, "guard")
    yield from tracked()


def feedback(store: MemoryStore) -> Iterator[Any]:
    """Yield what comes back, and what a suppression list makes of it."""
    suppressions = SuppressionList(store, outage=OutagePolicy())
    yield (bounce := from_reply(550, f"5.1.1 {EVIL} User unknown", recipient="eve@example.org"))
    yield read_reply(550, f"5.1.1 {EVIL}")
    yield suppressions.apply(bounce)
    yield suppressions.add("ada@example.org", reason=EVIL)
    yield import_suppressions(suppressions, io.StringIO(f"email\n{EVIL}\nbob@example.org\n"))
    yield suppressions.undo(domain="example.org", preview=True)


def tracked() -> Iterator[Any]:
    """Yield a hit and two campaigns."""
    click = Tracked(Purpose.CLICK, "spring", "7", f"https://shop.example/{EVIL}", False, NOW, None)  # noqa: FBT003
    yield (verdict := judge_hit(Hit(click, NOW, user_agent=f"curl {EVIL}")))
    events = [Event(EventType.DELIVERED, f"{n}@{EVIL}.example", recipient_id=str(n)) for n in range(50)]
    events.append(Event(EventType.CLICKED, recipient_id="7", url=EVIL, time=NOW))
    stats = CampaignStats.from_events([*events, verdict.to_event()])
    yield stats
    yield from stats.timeline()
    yield Consents(MemoryStore()).give("7", "mail", proof=EVIL)
    yield compare(stats, stats)


@cache
def results() -> dict[str, list[Result]]:
    """Return the results of the scene, and those inside them, by the name of their class."""
    found: dict[str, list[Result]] = {}
    todo = list(scene())
    while todo:
        value = todo.pop()
        if isinstance(value, Result):
            found.setdefault(type(value).__name__, []).append(value)
        if dataclasses.is_dataclass(value):
            todo += [getattr(value, one.name) for one in dataclasses.fields(value)]
        elif isinstance(value, list | tuple):
            todo += value
    return found


PUBLIC = sorted(
    value.__name__
    for value in CLASSES.values()
    if issubclass(value, Result) and value.__name__ not in _ELSEWHERE
)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_scene_makes_every_result(name: str) -> None:
    """A new public result takes its place in the scene, or it is tested by nobody."""
    assert results().get(name), f"{name} is in no scene"


@pytest.mark.parametrize("name", PUBLIC)
def test_it_is_a_value(name: str) -> None:
    """A copy, and what another process would get, equal what was made."""
    for value in results().get(name, ())[:5]:
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value


@pytest.mark.parametrize("name", PUBLIC)
def test_it_becomes_json_and_a_row(name: str) -> None:
    """It is JSON as it stands, and one flat row of plain cells."""
    for value in results().get(name, ())[:5]:
        assert json.loads(json.dumps(value.to_dict())) == value.to_dict()
        assert all(cell is None or isinstance(cell, str | int | float) for cell in value.to_flat().values())


@pytest.mark.parametrize("name", PUBLIC)
def test_it_shows_nothing_live(name: str, tmp_path: Any) -> None:
    """What a stranger wrote is escaped in a notebook and on a page, and no line drives a terminal."""
    for value in results().get(name, ())[:5]:
        assert "<script>alert" not in value._repr_html_()
        value.save_html(tmp_path / "page.html")
        assert "<script>alert" not in (tmp_path / "page.html").read_text("utf-8")
        assert "\x1b" not in str(value)


def test_reasons_have_a_code_in_kebab_case() -> None:
    """Codes are stable words that a program may ask for."""
    reasons = [reason for found in results().values() for reason in found if isinstance(reason, Reason)]
    odd = {r.code for r in reasons if r.code != r.code.lower() or "_" in r.code or " " in r.code}
    assert odd == set()
