"""The public API as a user types it; never run, only checked (mypy strict)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, assert_type

import mailflows
from mailflows import Classification, Classifier, Envelope, Flow, Message, Reason, content
from mailflows.message import Address, Part
from mailflows.signals import SIGNALS, Signal, measure

result = mailflows.classify(b"Subject: x\n\nHello")
assert_type(result, Classification)
assert_type(result.flow, Flow | None)
assert_type(result.confidence, float)
assert_type(result.probabilities, dict[Flow, float])
assert_type(result.reasons, tuple[Reason, ...])
assert_type(result.reasons[0].weight, float)
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

lint_report = content.lint(b"Subject: x\n\nHello", flow="marketing", clients=["gmail"], ignore={"links"})
assert_type(lint_report, content.LintReport)
assert_type(lint_report.findings, tuple[content.Finding, ...])
assert_type(lint_report.ok, bool)
assert_type(content.lint_html("<p>x</p>", flow=Flow.MARKETING), content.LintReport)
assert_type(content.codes(), dict[str, content.Code])
fixed = content.fix(Path("a.eml"), only=["date"], unsubscribe="https://example.org/u/x")
assert_type(fixed, content.FixResult)
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
assert_type(SIGNALS["subject.number"], Signal)

try:
    mailflows.classify(Path("missing.eml"))
except mailflows.MessageError as problem:
    assert_type(problem.position, int | None)
except mailflows.MailflowsError:
    pass
