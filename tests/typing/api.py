"""The public API as a user types it; never run, only checked (mypy strict)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, assert_type

import mailflows
from mailflows import (
    Classification,
    Classifier,
    Envelope,
    Flow,
    Gate,
    Message,
    Reason,
    Verdict,
    audit,
    content,
    limits,
    pacing,
)
from mailflows._providers import Provider
from mailflows.audit import AuditReport
from mailflows.audit._report import AuditFinding
from mailflows.content._report import Code, LintFinding
from mailflows.feedback import (
    Action,
    BounceReason,
    Event,
    EventType,
    PaceChange,
    Reply,
    SuppressionList,
    Verp,
    export_suppressions,
    from_reply,
    from_smtp_exception,
    from_webhook,
    import_suppressions,
    parse_autoreply,
    parse_bounce,
    read_reply,
    verify_webhook,
)
from mailflows.feedback._csv import ImportResult
from mailflows.feedback._entry import Suppression
from mailflows.flows import FlowRoute, FlowSet
from mailflows.flows._flow_set import RouteDecision
from mailflows.flows._guard import GuardDecision, GuardReason
from mailflows.gate import Finding as ScanFinding
from mailflows.gate import GateDecision
from mailflows.gate._check import GateReason, RefusedRecipient
from mailflows.integrations._delivery import Delivery
from mailflows.integrations.smtplib import GateSMTP
from mailflows.limits import Decision, Limit, Limiter, MemoryStore
from mailflows.message import Address, Part
from mailflows.pacing._warm_up import Allowance, WarmUpState
from mailflows.reputation import Reputation
from mailflows.reputation._standing import ReputationVerdict, Standing
from mailflows.signals import SIGNALS, Signal, measure
from mailflows.templates import TemplateMemory, check_fields
from mailflows.templates._memory import Observation
from mailflows.templates._slots import SlotAlarm
from mailflows.tracking import (
    CampaignStats,
    Hit,
    HitKind,
    HitVerdict,
    Tracked,
    Tracker,
    compare,
    judge_hit,
    judge_hits,
)
from mailflows.tracking._comparison import Comparison
from mailflows.tracking._links import Link
from mailflows.tracking._tables import Moment, Rate

result = mailflows.classify(b"Subject: x\n\nHello")
assert_type(result, Classification)
assert_type(result.flow, Flow | None)
assert_type(result.confidence, float)
assert_type(result.probabilities, dict[Flow, float])
assert_type(result.reasons, tuple[Reason, ...])
assert_type(result.reasons[0].weight, float | None)
assert_type(result.to_dict(), dict[str, Any])
assert_type(str(result), str)

mailflows.classify("Subject: x\n\nHello")
mailflows.classify(Path("a.eml"))
mailflows.classify(EmailMessage())
mailflows.classify(io.BytesIO(b""))
mailflows.classify(bytearray(b""), envelope=Envelope("a@b.example", ("c@d.example",)))

classifier = Classifier(threshold=0.9)
assert_type(classifier.classify(b""), Classification)
assert_type(classifier.classify_many([b"", b""], n_jobs=2, progress=True), Iterator[Classification])
assert_type(Classifier.load("model.json"), Classifier)
assert_type(Classifier.load(Path("model.json"), threshold=0.5), Classifier)
assert_type(Classifier.heuristic(), Classifier)

events = parse_bounce(b"", flow=Flow.MARKETING)
assert_type(events, tuple[Event, ...])
assert_type(events[0].reason, BounceReason | None)
assert_type(events[0].action, Action)
assert_type(events[0].written_to, str | None)
assert_type(parse_autoreply(Path("a.eml")), Event | None)
assert_type(from_reply(550, b"5.1.1 unknown", recipient="a@b.example"), Event)
assert_type(from_smtp_exception(OSError(), recipients=["a@b.example"]), tuple[Event, ...])
assert_type(from_webhook("sendgrid", [{"event": "open"}]), tuple[Event, ...])
assert_type(verify_webhook("mailgun", b"", key="x", max_age=None), bool)
assert_type(Verp("b.example", keys=[b""]).read("x@b.example"), tuple[str, str])
suppressions = SuppressionList(MemoryStore(), clear=True)
assert_type(suppressions.apply(events[0], list="news"), Suppression | None)
assert_type(suppressions.is_suppressed("a@b.example", flow=Flow.MARKETING), bool)
assert_type(import_suppressions(suppressions, io.StringIO()), ImportResult)
assert_type(export_suppressions(suppressions, io.StringIO()), int)
mailflows.RecipientChecker(bounced=suppressions)
lint_report = content.lint(b"Subject: x\n\nHello", flow="marketing", clients=["gmail"], ignore={"links"})
assert_type(lint_report, content.LintReport)
assert_type(lint_report.findings, tuple[LintFinding, ...])
assert_type(lint_report.ok, bool)
assert_type(content.lint_html("<p>x</p>", flow=Flow.MARKETING), content.LintReport)
assert_type(content.codes(), dict[str, Code])
fixed = content.fix(Path("a.eml"), only=["date"], unsubscribe="https://example.org/u/x")
assert_type(fixed, content.FixResult)
assert_type(content.fix_html("<p>x</p>", only={"lang"}), content.FixResult)
assert_type(fixed.data, bytes)
assert_type(content.plain_text("<p>x</p>"), str)

message = Message.read(b"Subject: x\n\nHello")
assert_type(message, Message)
assert_type(message.subject, str)
assert_type(message.sender, Address)
assert_type(message.recipients, tuple[Address, ...])
assert_type(message.parts, tuple[Part, ...])
assert_type(message.defects, tuple[str, ...])
assert_type(message.get("subject"), str)
assert_type(message.envelope, Envelope | None)
Message.read(message)
mailflows.classify(message)

assert_type(measure(message), dict[str, float])
assert_type(SIGNALS["subject-number"], Signal)

try:
    mailflows.classify(Path("missing.eml"))
except mailflows.MessageError as problem:
    assert_type(problem.position, int | None)
except mailflows.MailflowsError:
    pass

flows = FlowSet(FlowRoute("marketing", domains=["news.example.org"], source_ips="192.0.2.20"))
assert_type(FlowSet.from_toml(Path("flows.toml")), FlowSet)
assert_type(flows[Flow.MARKETING], FlowRoute)
assert_type(flows.route(b"", declared="marketing"), RouteDecision)
assert_type(flows.route(b"").route, FlowRoute | None)
assert_type(audit.audit(flows), AuditReport)
assert_type(audit.audit(flows).findings, tuple[AuditFinding, ...])
memory = TemplateMemory(MemoryStore())
assert_type(memory.observe(b"", flow="marketing", sender="form"), Observation)
assert_type(flows.guard(b"", Flow.MARKETING), GuardDecision)
assert_type(flows.guard(b"", Flow.MARKETING).reasons, tuple[GuardReason, ...])
assert_type(check_fields({"name": "Ada"}).alarms, tuple[SlotAlarm, ...])
pacer = pacing.Pacer(limits.MemoryStore(), rates={"google": "10/s"}, connections={"google": 5})
assert_type(pacer.schedule("ada@example.org", within=3.0), pacing.Slot)
assert_type(pacer.schedule("ada@example.org").failed(ValueError()), Reply)
pacer.schedule("ada@example.org").skipped()
assert_type(pacer.stream(["ada@example.org"], resume="x"), Iterator[tuple[str, pacing.Slot]])
assert_type(pacer.schedule("ada@example.org").result(250), Reply)
assert_type(read_reply(550, b"5.1.1 no").pace, PaceChange | None)
assert_type(pacing.provider_of("example.org"), Provider)
warm_up = pacing.WarmUp("ses", store=limits.MemoryStore(), name="192.0.2.1")
assert_type(warm_up.acquire(5, provider="google"), Allowance)
assert_type(warm_up.state(), WarmUpState)
tracker = Tracker([b"k" * 32], "https://t.shop.example/", Flow.MARKETING, utm={"utm_source": "news"})
assert_type(tracker.rewrite(b"", campaign="spring", recipient="42"), bytes)
assert_type(tracker.rewrite(EmailMessage(), campaign="spring", recipient="42", do_not_track=True), bytes)
assert_type(tracker.undo(Path("a.eml")), bytes)
assert_type(tracker.links("Subject: x"), tuple[Link, ...])
assert_type(tracker.decode("abc", "click"), Tracked)
assert_type(tracker.unsubscribe_headers(campaign="spring", recipient="42"), dict[str, str])
hit = Hit(tracker.decode("abc", "open"), datetime.now(UTC), user_agent="Mozilla/5.0")
assert_type(judge_hit(hit, links=3), HitVerdict)
assert_type(judge_hit(hit).kind, HitKind)
assert_type(judge_hits([hit]), Iterator[HitVerdict])
stats = CampaignStats.from_events([judge_hit(hit).to_event(flow=Flow.MARKETING)], campaign="spring")
assert_type(stats.rate("clicked"), Rate)
assert_type(stats.timeline(step=60), tuple[Moment, ...])
assert_type(compare(stats, stats), Comparison)
limiter = Limiter(Limit("3/hour", per="recipient"), store=MemoryStore(), on_error="deny")
assert_type(limiter.acquire(to="a@b.example", client="192.0.2.7"), Decision)
assert_type(limiter.acquire(EmailMessage(), partial=True).accepted, tuple[str, ...])
assert_type(limiter.check(to=["a@b.example"]).retry_after, float | None)
with limiter.sending(to="a@b.example") as decision:
    assert_type(decision, Decision)

reputation = Reputation(MemoryStore())
assert_type(reputation.acquire("marketing", recipients=["a@b.example"]), ReputationVerdict)
assert_type(reputation.count(Flow.MARKETING, sent=10), Standing)


def scan(raw: bytes) -> ScanFinding | None:
    """Scan a message."""
    return ScanFinding("virus", "x", GateDecision.HOLD) if b"x" in raw else None


gate = Gate(flows, limiter={Flow.MARKETING: limiter}, reputation=reputation, scanners=[scan], dry_run=True)
assert_type(Gate.from_toml("flows.toml", dry_run=False), Gate)
verdict = gate.check(EmailMessage(), envelope=Envelope("a@b.example", ("c@d.example",)), flow="marketing")
assert_type(verdict, Verdict)
assert_type(verdict.decision, GateDecision)
assert_type(verdict.accepted, tuple[str, ...])
assert_type(verdict.refused, tuple[RefusedRecipient, ...])
assert_type(verdict.reasons, tuple[GateReason, ...])
assert_type(gate.report(verdict, "sent"), tuple[Event, ...])
assert_type(gate.report(None, [Event(EventType.SENT)]), tuple[Event, ...])


@gate.guard("mail", flow=lambda _: "marketing")
def send(mail: bytes) -> int:
    """Send a message."""
    return len(mail)


assert_type(send(b""), int)
with GateSMTP(gate) as smtp:
    assert_type(smtp.send_message(EmailMessage(), flow="marketing"), Delivery)
