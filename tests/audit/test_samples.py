"""Messages as they were sent, held against what is declared and published."""

from __future__ import annotations

import pytest

from audit.zones import SEPARATE, clean
from mailflows import MessageError
from mailflows.audit import AuditReport, audit
from mailflows.testing import FakeDns

SIGNATURE = "v=1; a=rsa-sha256; d={d}; s={s}; h={h}; bh=AAAA; b=AAAA"
ALL = "from:to:subject:list-unsubscribe:list-unsubscribe-post"


def sample(  # noqa: PLR0913 -- what may be wrong with it
    domain: str, *, d: str = "", s: str = "s2", h: str = ALL, path: str = "", click: str = "yes"
) -> str:
    """Return a message as it left, signed with one signature."""
    lines = [f"From: news@{domain}", "To: ada@example.net", "Subject: May"]
    if path:
        lines.insert(0, f"Return-Path: <b@{path}>")
    if d != "-":
        lines.insert(0, f"DKIM-Signature: {SIGNATURE.format(d=d or domain, s=s, h=h)}")
    if click:
        lines.append("List-Unsubscribe: <https://firm-news.example/u/1>, <mailto:u@firm-news.example>")
    if click == "yes":
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    return "\n".join(lines) + "\n\nHello\n"


def _audit(*samples: str) -> AuditReport:
    setup = clean(SEPARATE)
    return audit(setup.flows(), resolver=FakeDns(setup.records), samples=[s.encode() for s in samples])


def test_a_right_message_has_no_finding() -> None:
    """Signed by its domain, returned below it, and left with one click: nothing to say."""
    assert _audit(sample("firm-news.example", path="bounces.firm-news.example")).codes == ()


@pytest.mark.parametrize(
    ("message", "codes"),
    [
        (sample("elsewhere.example"), {"sample-undeclared-domain"}),
        (sample("firm-news.example", d="-"), {"sample-unsigned"}),
        (sample("firm-news.example", d="esp.example"), {"sample-dkim-misaligned"}),
        (sample("firm-news.example", d="mail.firm-news.example"), set()),
        (sample("firm-news.example", s="other"), {"sample-other-selector"}),
        (sample("firm-news.example", path="esp.example"), {"sample-spf-misaligned"}),
        (sample("firm-news.example", click=""), {"sample-no-one-click"}),
        (sample("firm-news.example", click="link"), {"sample-no-one-click"}),
        (sample("firm-news.example", h="from:to:subject"), {"sample-one-click-unsigned"}),
        (sample("firm-tx.example", s="s3", click=""), set()),
        ("Subject: no sender\n\nHello", {"sample-undeclared-domain"}),
    ],
)
def test_what_is_wrong_with_a_message_is_found(message: str, codes: set[str]) -> None:
    """Each fault of a sent message has its finding, and nothing else has."""
    assert set(_audit(message).codes) == codes


def test_strict_alignment_wants_the_very_domain() -> None:
    """With adkim=s a signature of a subdomain does not count."""
    setup = clean(SEPARATE)
    record = "v=DMARC1; p=reject; adkim=s; rua=mailto:r@firm-news.example"
    setup.put("_dmarc.firm-news.example", "TXT", record)
    message = sample("firm-news.example", d="mail.firm-news.example").encode()
    found = audit(setup.flows(), resolver=FakeDns(setup.records), samples=[message])
    assert "sample-dkim-misaligned" in found.codes


def test_samples_are_numbered_and_say_who_requires_it() -> None:
    """A finding names which sample, and which receivers require what it lacks."""
    found = _audit(sample("firm-news.example"), sample("firm-news.example", click=""))
    assert found.findings[0].sentence.startswith("sample 2 ")
    assert found.findings[0].required_by == ("Gmail 2024-06", "Yahoo 2024-06")


def test_what_is_no_message_is_an_error() -> None:
    """A sample that cannot be read is misuse, not a finding."""
    with pytest.raises(MessageError):
        _audit("%PDF-1.7")
