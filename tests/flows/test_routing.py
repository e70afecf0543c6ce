"""The road of a message: what decides, and what is said rather than silently changed."""

from __future__ import annotations

from typing import Any

import pytest

from mailflows import Classification, ConfigurationError, Envelope, Flow, Message
from mailflows.flows import DecidedBy, FlowRoute, FlowSet
from mailflows.flows._flow_set import routing_codes

FLOWS = FlowSet(
    FlowRoute("professional", domains="example.org"),
    FlowRoute("marketing", domains="news.example.org", list_id="<offers.example.org>"),
    FlowRoute("transactional", domains="notify.example.org", esp="Postmark", stream="outbound"),
)


def _said(flow: Flow | None) -> Classification:
    shares = {f: 0.98 if f is flow else 0.01 for f in Flow}
    return Classification(flow, flow or Flow.MARKETING, 0.98, shares, 3.0, (), (), "en")


def _message(*headers: str) -> bytes:
    return "\n".join(("Subject: x", *headers, "", "Hello")).encode()


NEWS = "From: a@news.example.org"


@pytest.mark.parametrize(
    ("headers", "options", "flow", "decided_by"),
    [
        ([NEWS], {"declared": "marketing"}, "marketing", DecidedBy.DECLARED),
        ([NEWS, "X-Mailflows-Flow: Marketing"], {}, "marketing", DecidedBy.HEADER),
        ([NEWS, "List-Id: Offers <offers.example.org>"], {}, "marketing", DecidedBy.HEADER),
        (
            ["From: a@notify.example.org", "X-PM-Message-Stream: outbound"],
            {},
            "transactional",
            DecidedBy.HEADER,
        ),
        ([NEWS], {}, "marketing", DecidedBy.DOMAIN),
        ([NEWS], {"classification": _said(Flow.MARKETING)}, "marketing", DecidedBy.DOMAIN),
        ([], {"classification": _said(Flow.MARKETING)}, "marketing", DecidedBy.CLASSIFIER),
    ],
)
def test_what_decides(headers: list[str], options: dict[str, Any], flow: str, decided_by: DecidedBy) -> None:
    """What is declared goes first, then headers, then From, then the content."""
    decision = FLOWS.route(_message(*headers), **{"classification": _said(None), **options})
    assert (decision.flow, decision.decided_by) == (flow, decided_by)
    assert decision.route is FLOWS[flow]


@pytest.mark.parametrize(
    ("headers", "said", "conflict"),
    [
        ([NEWS], Flow.TRANSACTIONAL, "content-of-another-flow"),
        ([NEWS, "X-Mailflows-Flow: transactional"], None, "from-of-another-flow"),
        (["From: a@news.example.org, b@example.org"], None, "several-flows"),
        (
            ["From: a@notify.example.org", "List-Id: <offers.example.org>", "X-PM-Message-Stream: outbound"],
            None,
            "several-flows",
        ),
        (["From: a@elsewhere.example", "X-Mailflows-Flow: marketing"], None, "from-of-no-flow"),
    ],
)
def test_a_conflict_is_never_routed_in_silence(headers: list[str], said: Flow | None, conflict: str) -> None:
    """Where From, headers and content name two flows there is no route, and the conflict is said."""
    decision = FLOWS.route(_message(*headers), classification=_said(said))
    assert decision.route is None
    assert decision.conflicts[0].code == conflict


def test_a_declared_flow_stays_with_its_conflict() -> None:
    """What the sender declares is kept, and what speaks against it is said."""
    decision = FLOWS.route(_message(NEWS), declared="transactional", classification=_said(Flow.MARKETING))
    assert decision.route is FLOWS["transactional"]
    assert [one.code for one in decision.conflicts] == ["from-of-another-flow", "content-of-another-flow"]


@pytest.mark.parametrize(
    ("headers", "conflict"),
    [
        ([], "no-from-domain"),
        (["From: nobody"], "no-from-domain"),
        (["From: " + ", ".join(f"a{n}@news.example.org" for n in range(10))], "several-from-mailboxes"),
        ([NEWS, "Sender: forged@elsewhere.example"], "sender-of-another-domain"),
        (["From: <>", "Sender: <>"], "no-from-domain"),
    ],
)
def test_odd_senders_get_a_decision(headers: list[str], conflict: str) -> None:
    """A message without From, with ten, or with a forged Sender gets a decision that says so."""
    decision = FLOWS.route(_message(*headers), classification=_said(None))
    assert [one.code for one in decision.conflicts] == [conflict]
    assert str(decision)
    assert "<table>" in decision._repr_html_()
    assert decision.to_dict()["decided_by"] == decision.decided_by


def test_the_shipped_classifier_is_asked_by_default() -> None:
    """Without a classification the content is classified."""
    assert FLOWS.route(_message("From: a@elsewhere.example")).flow in {None, *Flow}


def test_a_declared_flow_without_a_route_is_refused() -> None:
    """Declaring a flow that has no road is misuse."""
    only = FlowSet(FlowRoute("marketing", domains="news.example.org"))
    with pytest.raises(ConfigurationError, match="no route"):
        only.route(_message(NEWS), declared="professional")


REPORT = (
    b"From: MAILER-DAEMON@relay.example\nTo: no-reply@notify.example.org\nSubject: Undelivered Mail\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n\nIt bounced.\n--b\n'
    b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; relay.example\n\n--b--\n"
)


@pytest.mark.parametrize(
    ("sender", "recipients", "flow"),
    [
        ("", ("no-reply@notify.example.org",), Flow.TRANSACTIONAL),
        ("", ("ada@example.net",), None),
        ("", ("no-reply@notify.example.org", "ada@example.net"), None),
        ("eve@relay.example", ("no-reply@notify.example.org",), None),
    ],
    ids=["to a sender of ours", "to a stranger", "to several", "with a sender"],
)
def test_a_report_of_a_relay_in_front(sender: str, recipients: tuple[str, ...], flow: Flow | None) -> None:
    """A relay in front writes its report under its own name: it belongs to the flow that it comes back to."""
    message = Message.read(REPORT, envelope=Envelope(sender, recipients))
    decision = FLOWS.route(message, classification=_said(None))
    assert (decision.flow, decision.conflicts) == (flow, () if flow else decision.conflicts)
    assert [one.code for one in decision.reasons] == ["delivery-report" if flow else "content"]


@pytest.mark.parametrize(
    ("headers", "options", "codes"),
    [
        ([NEWS], {"declared": "marketing"}, ["declared"]),
        ([NEWS, "X-Mailflows-Flow: marketing"], {}, ["flow-header"]),
        ([NEWS, "List-Id: <offers.example.org>"], {}, ["list-id"]),
        (["From: a@notify.example.org", "X-PM-Message-Stream: outbound"], {}, ["stream-header"]),
        ([NEWS], {}, ["from-domain"]),
        ([], {"classification": _said(Flow.MARKETING)}, ["content"]),
        (
            ["From: a@example.org", "Auto-Submitted: auto-replied"],
            {"classification": _said(Flow.TRANSACTIONAL)},
            ["from-domain", "sent-for-a-person"],
        ),
    ],
)
def test_reasons_have_codes(headers: list[str], options: dict[str, Any], codes: list[str]) -> None:
    """Each reason says by its code what was seen, and by its parameters where."""
    decision = FLOWS.route(_message(*headers), **{"classification": _said(None), **options})
    assert [one.code for one in decision.reasons] == codes
    assert all(str(value) in one.sentence for one in decision.reasons for value in one.parameters.values())


def test_a_flow_without_a_route_has_a_code() -> None:
    """Mail of a flow that nobody declared says that there is no route for it."""
    only = FlowSet(FlowRoute("marketing", domains="news.example.org"))
    decision = only.route(_message(), classification=_said(Flow.TRANSACTIONAL))
    assert [one.code for one in decision.conflicts] == ["no-from-domain", "no-route"]


def test_codes_are_reasons_or_conflicts() -> None:
    """The catalogue says of every code where it stands, as the documentation lists them."""
    decision = FLOWS.route(_message(NEWS), declared="transactional", classification=_said(Flow.MARKETING))
    kinds = {code: entry["kind"] for code, entry in routing_codes().items()}
    assert {kinds[one.code] for one in decision.reasons} == {"reason"}
    assert {kinds[one.code] for one in decision.conflicts} == {"conflict"}
    assert set(kinds.values()) == {"reason", "conflict"}
