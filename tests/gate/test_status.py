"""How everything stands, for an operator and for a monitor."""

from __future__ import annotations

import pytest

from mailflows import Flow
from mailflows.feedback import SuppressionList
from mailflows.gate import Finding, Gate, GateDecision, Tally
from mailflows.held import HeldMail
from mailflows.limits import Limit, Limiter, MemoryStore, presets
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from three_flows import newsletter, reset, three_flows


def gate(**parts: object) -> Gate:
    """Return a gate with the parts that have something to report."""
    store = MemoryStore()
    made: dict[str, object] = {
        "reputation": Reputation(store),
        "senders": SenderControl(store, names=True),
        "held": HeldMail(store),
        "suppressions": SuppressionList(store),
    }
    return Gate(three_flows(), **(made | parts))  # type: ignore[arg-type]


def test_nothing_waits_for_anybody() -> None:
    """A gate at rest is ok, and says so in one line."""
    status = gate().status()
    assert (status.ok, str(status)) == (True, "no breaker is open, and nothing is waiting")
    assert (status.waiting, status.oldest, status.blocked, status.suppressions) == (0, None, {}, {})


def test_an_open_breaker_is_named() -> None:
    """A flow that was stopped is in the line; those that run are not."""
    one = gate()
    assert one.reputation is not None
    one.reputation.open("marketing", seconds=60.0, reason="a wrong link")
    status = one.status()
    assert not status.ok
    assert "marketing" in str(status)
    assert "transactional" not in str(status)
    assert "a wrong link" in str(status)


def test_a_stopped_form_is_named() -> None:
    """A smaller scope that is stopped stands in the status, though its flow goes on."""
    one = gate()
    assert one.reputation is not None
    one.reputation.open("transactional", scope="form:signup", seconds=60.0, reason="60 bounces of 100")
    status = one.status()
    assert not status.ok
    assert str(status) == "transactional by form signup: open: 60 bounces of 100"
    assert "form signup" in repr(status._table())


def test_a_blocked_sender_and_a_suppressed_address_are_counted_by_reason() -> None:
    """The monitor sees that somebody has to act, and the operator sees why."""
    one = gate()
    assert one.senders is not None
    assert one.suppressions is not None
    one.senders.block("ada@lovelace.example", reason="stolen")
    one.suppressions.add("eve@babbage.example", reason="mailbox-unknown")
    status = one.status()
    assert sum(status.blocked.values()) == 1
    assert (status.ok, status.suppressions) == (False, {"mailbox-unknown": 1})
    assert str(status) == "blocked senders: 1"


def test_what_is_held_is_counted_with_its_reason() -> None:
    """A From of another flow than was declared: it waits, and what is kept says what was found."""
    one = gate()
    verdict = one.check(reset().as_bytes(), flow="professional")
    assert one.held is not None
    (waiting,) = one.held.list()
    assert (waiting.id, one.status().waiting) == (verdict.held, 1)
    sentences = [reason.sentence for reason in verdict.reasons if reason.decision == "hold"]
    assert sentences
    assert all(sentence in waiting.why for sentence in sentences)
    others = [reason.sentence for reason in verdict.reasons if reason.decision != "hold"]
    assert all(sentence not in waiting.why for sentence in others)
    one.held.drop(waiting.id)
    assert (one.status().waiting, one.status().oldest) == (0, None)


def test_limits_over_all_mail_are_shown_and_those_of_a_person_are_not() -> None:
    """Of ten messages an hour two are left: a fifth, which is near the end."""
    limits = Limiter(Limit("10/hour", per="flow"), Limit("5/hour", per="recipient"))
    one = gate(limiter={Flow.TRANSACTIONAL: limits})
    for number in range(7):
        one.check(reset(f"a{number}@babbage.example"), flow="transactional")
    (use,) = one.status().limits
    assert (use.flow, use.remaining, use.units, use.is_near_its_end) == ("transactional", 3, 10, False)
    one.check(reset("b@babbage.example"), flow="transactional")
    (use,) = one.status().limits
    assert (use.remaining, use.is_near_its_end) == (2, True)
    assert "nearly used up" in str(one.status())


def test_the_limits_of_a_preset_are_shown() -> None:
    """Those for background jobs, which a preset sets by itself, and those of each person by their names."""
    status = gate(limiter={Flow.TRANSACTIONAL: presets.web_form()}).status()
    assert [(use.limit, use.is_background) for use in status.limits] == [
        ("2000 per hour in all", False),
        ("20000 per hour in all", True),
    ]
    assert ("transactional", "3 per hour; 10 per day per recipient") in status.rules
    assert (
        "transactional",
        "20 per hour; 60 per day per recipient, for mail without a client",
    ) in status.rules
    left = "5000 of 5000 left, for mail without a client"
    assert ("limit", "transactional: 20000 per hour in all", left) in status._table(every=True)[2]
    assert [row for row in status._table()[2] if row[0] == "limit"] == []  # nothing of them is used


def test_a_limit_that_is_used_is_shown() -> None:
    """One message took one of two thousand: that limit has a row, the others have none."""
    one = gate(limiter={Flow.TRANSACTIONAL: presets.web_form()})
    one.check(reset(), flow="transactional", client="203.0.113.7")
    rows = [row for row in one.status()._table()[2] if row[0] == "limit"]
    assert rows == [("limit", "transactional: 2000 per hour in all", "1999 of 2000 left")]


def test_what_became_of_each_flow_is_one_row() -> None:
    """What went out and bounced, what was rejected and held, whom nobody was written to, and why."""
    one = gate()
    assert one.reputation is not None
    assert one.suppressions is not None
    one.reputation.count("transactional", sent=1000, bounced=8)
    one.suppressions.add("eve@babbage.example", reason="mailbox-unknown")
    one.check(newsletter(), flow="transactional")
    one.check(reset(), flow="professional")
    one.check(reset("eve@babbage.example"), flow="transactional")
    rows = one.status()._table()[2]
    assert (
        "flow",
        "transactional",
        "sending; sent to 1,000 recipients in 7 days, 0.8 % bounced; 2 rejected",
    ) in rows
    assert ("flow", "professional", "sending; 1 held") in rows
    assert ("flow", "marketing", "sending") in rows
    assert ("recipients refused", "transactional", "suppressions/suppressed 1") in rows
    (held,) = [row for row in rows if row[0] == "held"]
    assert held[1:] == ("professional", "route/conflict 1")
    (rejected,) = [row for row in rows if row[0] == "rejected"]
    assert rejected[1] == "transactional"
    assert "suppressions/suppressed 1" in str(rejected[2])
    assert "guard/marketing-on-transactional 1" in str(rejected[2])
    assert "conflict" not in str(rejected[2])


def test_a_rejected_message_is_not_among_the_held_ones() -> None:
    """An advert in the name of a stranger is rejected: the conflict that would hold it is no second one."""
    one = gate(on_conflict="hold", on_missing_unsubscribe="reject")
    odd = newsletter()
    del odd["List-Unsubscribe"], odd["List-Unsubscribe-Post"]
    odd.replace_header("From", "Harbour <news@elsewhere.example>")
    verdict = one.check(odd, flow="marketing")
    assert verdict.decision == "reject"
    assert "hold" in {reason.decision for reason in verdict.reasons}
    found = one.status().stopped
    assert {row.decision for row in found.reasons} == {"reject"}
    assert found.flows == {"marketing": {"reject": 1}}


def test_a_stopped_flow_says_until_when() -> None:
    """The word is stopped, not open: nobody has to know what a breaker is."""
    one = gate()
    assert one.reputation is not None
    one.reputation.open("marketing", seconds=60.0, reason="a wrong link")
    one.reputation.open("transactional", scope="form:signup", seconds=60.0, reason="60 bounces of 100")
    rows = {row[1]: (row[0], str(row[2])) for row in one.status()._table()[2]}
    assert rows["marketing"][1].startswith("stopped until 20")
    assert rows["marketing"][1].endswith(" UTC: a wrong link")
    assert rows["transactional by form signup"][0] == "part of a flow"


def test_a_notice_needs_no_alarm_and_is_shown() -> None:
    """3.5 % of bounces stop nothing: the row of the flow says it, and a monitor is not woken."""
    one = gate()
    assert one.reputation is not None
    one.reputation.count("marketing", sent=2000, bounced=70)
    status = one.status()
    assert status.ok
    (row,) = [row for row in status._table()[2] if row[:2] == ("flow", "marketing")]
    assert "3.5 %, are certainly above 0.02" in str(row[2])


def test_the_table_of_three_busy_flows_is_one_screen() -> None:
    """24 lines of a terminal: limits that nobody has used, and rare reasons, are left to --all."""
    one = gate(limiter={flow: presets.web_form() for flow in Flow})
    assert one.suppressions is not None
    for number, code in enumerate(["mailbox-unknown", "complained", "unsubscribed"]):
        one.suppressions.add(f"a{number}@babbage.example", reason=code)
    for flow in Flow:
        for mail in (reset(), newsletter(), reset("a0@babbage.example")):
            one.check(mail, flow=flow)
    rows = one.status()._table()[2]
    assert len(rows) <= 20
    assert len(one.status()._table(every=True)[2]) > len(rows)


def test_a_clean_message_is_described_and_a_bad_one_is_not_called_fine() -> None:
    """The part that reads a message says how many recipients and bytes it has, if it found nothing else."""
    fine = gate().check(reset(), flow="transactional")
    without = reset()
    del without["From"]
    bad = gate().check(without, flow="transactional")
    said = [[r.code for r in verdict.reasons if r.part == "message"] for verdict in (fine, bad)]
    assert said == [["ok"], ["no-from"]]


def test_a_dry_run_of_a_declared_flow_leaves_by_its_route() -> None:
    """A conflict stops nothing in a dry run: the route is that of the flow which was declared."""
    verdict = gate(dry_run=True, held=None).check(reset(), flow="marketing")
    assert verdict.route is not None
    assert verdict.route.flow is Flow.MARKETING


def test_who_sends_a_released_message_at_the_same_time_waits_a_minute() -> None:
    """Once it is being sent, the second attempt is told 60 seconds: most relays have answered by then."""
    one = gate()
    assert one.held is not None
    first = one.check(reset().as_bytes(), flow="professional")
    assert first.held is not None
    one.held.release(first.held)
    assert one.check(reset().as_bytes(), flow="professional").allowed
    second = one.check(reset().as_bytes(), flow="professional")
    assert (second.decision, second.retry_after) == ("defer", 60.0)
    assert [reason.code for reason in second.why] == ["being-sent"]


def test_a_part_that_cannot_say_when_defers_for_five_minutes() -> None:
    """A scanner that fails names no time: 300 seconds, the time between two looks of Postfix at its queue."""

    def broken(raw: bytes) -> None:
        raise OSError(raw[:10])

    verdict = gate(scanners=[broken]).check(reset(), flow="transactional")
    assert (verdict.decision, verdict.retry_after) == ("defer", 300.0)


def test_a_part_that_says_when_is_taken_at_its_word() -> None:
    """A flow that was stopped for a minute defers for a minute, not for the default."""
    one = gate()
    assert one.reputation is not None
    one.reputation.open("transactional", seconds=60.0, reason="a wrong link")
    verdict = one.check(reset(), flow="transactional")
    assert verdict.retry_after is not None
    assert 0.0 < verdict.retry_after <= 60.0


def test_what_the_classifier_and_the_route_say_of_a_clean_message_and_of_a_conflict() -> None:
    """The flow with its confidence; the route, or what contradicts it, and never both."""
    fine = gate().check(reset(), flow="transactional")
    clash = gate().check(reset(), flow="professional")
    said = {
        part: [[r.code for r in verdict.reasons if r.part == part] for verdict in (fine, clash)]
        for part in ("classifier", "route")
    }
    assert said == {"classifier": [["ok"], ["ok"]], "route": [["ok"], ["conflict"]]}
    (sure,) = (reason.sentence for reason in fine.reasons if reason.part == "classifier")
    assert sure.startswith("transactional, ")


def test_a_conflict_without_a_declared_flow_is_one_reason() -> None:
    """It is held for the conflict, not also for having no flow."""
    odd = reset(sender="Harbour <news@news.lovelace.example>")
    verdict = gate().check(odd)
    assert "no-flow" not in [reason.code for reason in verdict.reasons]


def test_nothing_is_known_of_a_stranger() -> None:
    """Erasing somebody whom no part knows says so."""
    assert str(gate().forget("stranger@babbage.example")) == "erased: nothing"


def test_an_integration_is_told_that_held_mail_is_kept_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    """Only where it is: a store on disk is worth no line."""
    with caplog.at_level("INFO", logger="mailflows.gate"):
        gate().require_place("GateSMTP")
    assert "kept in memory" in caplog.text


def test_a_field_that_occurs_twice_is_counted() -> None:
    """Two are one too many, and the number is told."""
    raw = b"List-Id: <a.lovelace.example>\n" * 2 + reset().as_bytes()
    verdict = gate().check(raw, flow="transactional")
    (found,) = (r.sentence for r in (*verdict.why, *verdict.findings) if r.code == "field-twice")
    assert found.startswith("List-Id occurs 2 times")


def test_a_code_of_your_own_may_be_any_text() -> None:
    """A scanner names its findings itself, with the sign between the words of a counter, too."""
    one = gate(scanners=[lambda _: Finding("a|b|c", "bad", GateDecision.REJECT)])
    one.check(reset(), flow="transactional")
    (row,) = one.status().stopped.reasons
    assert (row.part, row.code, row.messages) == ("scanners", "a|b|c", 1)


@pytest.mark.parametrize("damaged", [b"{not json", b"[]", b"null", b'{"messages": "x"}', b"\xff"])
def test_a_damaged_day_begins_anew(damaged: bytes) -> None:
    """What cannot be read stops no mail and no look: counting goes on from nothing."""
    store = MemoryStore()
    one = gate(tally=Tally(store))
    one.check(newsletter(), flow="transactional")
    ((key, document),) = list(store.scan("gate-tally"))
    store.swap(key, document, damaged)
    assert one.status().stopped.messages == 0
    one.check(newsletter(), flow="transactional")
    assert one.status().stopped.messages == 1


def test_many_reasons_are_cut() -> None:
    """Words of your own for suppressions may be many: the most frequent stand in the row."""
    one = gate()
    assert one.suppressions is not None
    for number in range(9):
        one.suppressions.add(f"a{number}@babbage.example", reason=f"shop-{number // 2}")
    (row,) = [row for row in one.status()._table()[2] if row[0] == "suppressed"]
    assert row[2] == "shop-0 2, shop-1 2, shop-2 2, shop-3 2, 1 more"
    (row,) = [row for row in one.status()._table(every=True)[2] if row[0] == "suppressed"]
    assert str(row[2]).endswith("shop-4 1")
