"""Outside cases: who a message says it is, what programs send for people, scanners, log lines."""

from __future__ import annotations

import json
import logging
from email import message_from_bytes
from email.message import EmailMessage
from functools import partial
from typing import Any

import pytest

from mailflows import Envelope, Gate, StoreError, Verdict
from mailflows.feedback import SuppressionList
from mailflows.flows import FlowRoute, FlowSet
from mailflows.gate import Tally
from mailflows.held import HeldMail
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.templates import TemplateMemory
from shared_cases import ROOT, cases

RIGHT = {
    "transactional": (
        "no-reply@notify.example.org",
        "Reset your password",
        "Hello Ada,\n\nuse this code to reset your password: 406117. It expires in ten minutes.\n",
    ),
    "marketing": (
        "hello@news.example.org",
        "Spring sale: 30% off everything until Sunday",
        "Our biggest sale of the year! Save 30% on all books, only until Sunday.\nUnsubscribe below.\n",
    ),
    "professional": (
        "helen@example.org",
        "Re: Tuesday",
        "Dear Ada,\n\nshall we meet at noon?\n\nBest, Helen\n",
    ),
}


def flows() -> FlowSet:
    """Return the three flows of the cases."""
    return FlowSet(
        FlowRoute("professional", domains="example.org", dkim_selector="pro"),
        FlowRoute(
            "marketing",
            domains="news.example.org",
            return_path="bounces.news.example.org",
            dkim_selector="mk",
            list_id="offers.example.org",
        ),
        FlowRoute(
            "transactional",
            domains="notify.example.org",
            return_path="bounces.notify.example.org",
            dkim_selector="tx",
        ),
    )


def right(flow: str) -> EmailMessage:
    """Return a message against which nothing speaks on its flow."""
    sender, subject, text = RIGHT[flow]
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "ada@a.example.com", subject
    mail["Message-ID"], mail["Date"] = f"<1@{sender.partition('@')[2]}>", "Tue, 12 May 2026 09:12:00 +0000"
    if flow == "marketing":
        mail["List-Unsubscribe"] = "<https://news.example.org/u/1>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail["List-Id"] = "<offers.example.org>"
    mail.set_content(text)
    return mail


def said(verdict: Verdict) -> set[tuple[str, str]]:
    """Return what was told or refused."""
    return {(r.part, r.code) for r in (*verdict.why, *verdict.findings)}


def checked(row: dict[str, Any]) -> Verdict:
    """Return the verdict on the message of a row."""
    mail = right(row["flow"])
    for name in row.get("without", ()):
        del mail[name]
    for name, value in row.get("headers", {}).items():
        del mail[name]
        mail[name] = value
    keys = row.get("dkim", [])
    for key in keys if isinstance(keys, list) else [keys]:
        mail["DKIM-Signature"] = f"v=1; a=rsa-sha256; d={key['d']}; s={key['s']}; h=from; bh=AAAA; b=AAAA"
    envelope = Envelope(row.get("mail_from", RIGHT[row["flow"]][0]), ("ada@a.example.com",))
    return Gate(flows()).check(mail.as_bytes(), envelope=envelope, flow=row["flow"])


def test_who_it_says_it_is() -> None:
    """What is declared is applied to the envelope, and what is another's is told or refused."""
    plain = {flow: said(checked({"flow": flow})) for flow in RIGHT}
    wrong = []
    for row in map(json.loads, cases("flows-2/identity.jsonl").splitlines()):
        verdict, must = checked(row), row["must"]
        new = said(verdict) - plain[row["flow"]]
        found = {
            "MAIL FROM domain": verdict.mail_from.rpartition("@")[2],
            "MAIL FROM": verdict.mail_from,
            "told_or_refused": bool(new),
            "nothing_said": not new,
            "accepted": verdict.allowed,
        }
        wrong += [(row["id"], name, new) for name, want in must.items() if found[name] != want]
    assert wrong == []


def test_what_programs_send_for_people() -> None:
    """Answers to absence, receipts, reports and invitations leave by the flow of their domain."""
    cases("flows-2/identity.jsonl")
    for file in sorted((ROOT / "cases" / "flows-2" / "automatic").glob("*.eml")):
        raw = file.read_bytes()
        sender = "helen@example.org" if file.stem == "invitation" else ""
        verdict = Gate(flows()).check(raw, envelope=Envelope(sender, (message_from_bytes(raw)["To"],)))
        assert (verdict.allowed, verdict.flow, verdict.mail_from) == (True, "professional", sender), file.stem


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            "Auto-Submitted: auto-replied (vacation)",
            "Bonjour, je suis absente jusqu'au 4 mai. Urgence : Tom.",
        ),
        ("X-Autoreply: yes\r\nPrecedence: auto_reply", "Dank voor uw bericht. Ik ben afwezig tot 4 mei."),
        (
            "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All",
            "I am out of office until Monday.",
        ),
        ("Content-Type: text/calendar; method=REPLY", "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nEND:VCALENDAR"),
    ],
)
def test_answers_in_other_shapes(fields: str, text: str) -> None:
    """Vacation programs of all ages pass."""
    top = "From: Helen <helen@example.org>\r\nTo: marcus@a.example.com\r\nSubject: Re: quotation\r\n"
    envelope = Envelope("", ("marcus@a.example.com",))
    verdict = Gate(flows()).check(f"{top}{fields}\r\n\r\n{text}\r\n".encode(), envelope=envelope)
    assert (verdict.decision, verdict.flow) == ("accept", "professional")


def test_an_advert_is_no_answer() -> None:
    """One that says it is an answer to absence is refused for what it holds."""
    field = "Auto-Submitted: auto-replied"
    raw = (
        "From: Helen <helen@example.org>\r\nTo: marcus@a.example.com\r\nSubject: Re: quotation\r\n"
        f"{field}\r\n\r\n{RIGHT['marketing'][2]}Shop now: https://example.org/sale\r\n"
    )
    assert not Gate(flows()).check(raw.encode(), envelope=Envelope("", ("marcus@a.example.com",)))


def test_what_is_told() -> None:
    """Fields twice, forged fields and a foreign From are told; the owner's own message is not."""
    wrong = []
    for row in map(json.loads, cases("message-2/told.jsonl").splitlines()):
        fields = "".join(f"{name}: {value}\r\n" for name, value in row["headers"])
        text = RIGHT[row["flow"]][2].replace("\n", "\r\n")
        verdict = Gate(flows()).check(
            f"{fields}\r\n{text}".encode(), flow=row["flow"], account=row["account"]
        )
        is_told = bool(said(verdict)) or not verdict
        if is_told is (row["kind"] == "own"):
            wrong.append((row["id"], said(verdict)))
    assert wrong == []


def answered(answer: Any, message: object) -> Any:
    """Return what a scanner is to answer about any message."""
    del message
    return answer


def test_a_scanner_with_a_wrong_answer() -> None:
    """Whatever it returns, its policy decides, and the verdict says so."""
    for row in map(json.loads, cases("message-2/scanners.jsonl").splitlines()):
        answer = row.get("answer")
        gate = Gate(flows(), scanners=[partial(answered, answer)])
        verdict = gate.check(right("transactional").as_bytes(), flow="transactional")
        assert (verdict.decision, verdict.degraded) == ("defer", ("scanners",)), row["id"]


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, KeyError])
def test_log_lines(kind: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    """No control character and no address of an exception reaches the log."""
    rows = [json.loads(line) for line in cases("message-2/log.jsonl").splitlines()]
    for text in [row["raised"] for row in rows if row["kind"] == "log"]:

        def scan(_: bytes, text: str = text) -> None:
            raise kind(text)

        def hook(_: Verdict, text: str = text) -> None:
            raise kind(text)

        with caplog.at_level(logging.DEBUG):
            Gate(flows(), scanners=[scan], hooks=[hook]).check(right("transactional").as_bytes())
    assert caplog.records
    assert unfit(caplog) == []


def unfit(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return lines that a log must not have."""
    lines = [logging.Formatter().format(record) for record in caplog.records]
    return [line for line in lines if not line.isprintable() or "victim" in line]


@pytest.mark.parametrize("kind", [StoreError, ValueError, RuntimeError, OSError])
def test_a_store_that_raises_anything(kind: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    """No part ends in an exception, also where it is told afterwards, and the log stays fit to read."""
    text = "cannot parse x\r2026 root: login ok for victim@example.com\x1b[2J\nCRITICAL"

    class Broken(MemoryStore):
        name = "broken"

        def load(self, *_: Any, **__: Any) -> Any:
            raise StoreError(text, store="x") if kind is StoreError else kind(text)

        decide = load

    parts: tuple[dict[str, Any], ...] = (
        {"suppressions": SuppressionList(Broken())},
        {"reputation": Reputation(Broken())},
        {"senders": SenderControl(Broken())},
        {"templates": TemplateMemory(Broken())},
        {"limiter": Limiter(Limit("1/day", per="global"), store=Broken())},
        {"held": HeldMail(Broken())},
        {"tally": Tally(Broken()), "dry_run": True},
    )
    for part in parts:
        gate = Gate(flows(), **part)
        with caplog.at_level(logging.DEBUG):
            verdict = gate.check(right("professional").as_bytes(), flow="professional")
            gate.report(verdict, (550, "5.1.1 no such user"))
    assert unfit(caplog) == []
