"""Reputation: what became of a flow's mail, and the breaker that stops it."""

from __future__ import annotations

import asyncio
import logging
import tomllib
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import ConfigurationError, StoreError, _data
from mailflows._context import Context
from mailflows.feedback import Action, BounceReason, Event, EventType, from_reply, from_smtp_exception
from mailflows.flow import Flow
from mailflows.limits import MemoryStore, SQLiteStore
from mailflows.reputation import BreakerPolicy, BreakerState, Metric, Reputation, Threshold
from mailflows.reputation._breaker import large_provider_of, thresholds_for
from mailflows.reputation._counts import Counts, ReputationRecord, Tally
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from pathlib import Path

    from mailflows.reputation._standing import Standing

GOOD = from_reply(250, "2.0.0 Ok", recipient="ada@babbage.example")
BAD = from_reply(550, "5.1.1 User unknown", recipient="bob@babbage.example")


class DeadStore(MemoryStore):
    """A store that cannot be reached."""

    def load(self, key: str) -> bytes | None:  # noqa: ARG002 -- as every store
        """Fail."""
        msg = "gone"
        raise StoreError(msg, store="dead")


def reputation(clock: FixedClock | None = None, **settings: object) -> Reputation:
    """Return a reputation with a clock of its own."""
    return Reputation(MemoryStore(), clock=clock or FixedClock(), **settings)  # type: ignore[arg-type]


def stopped(flow: str = "marketing", **settings: object) -> tuple[Reputation, FixedClock]:
    """Return a reputation with one flow that was just stopped."""
    clock = FixedClock()
    found = reputation(clock, **settings)
    assert found.count(flow, sent=1000, bounced=200).state is BreakerState.OPEN
    return found, clock


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ({"sent": 1000, "bounced": 150}, "bounces"),
        ({"sent": 10_000, "complained": 50}, "complaints"),
        ({"sent": 1000, "blocked": 150}, "blocks"),
        ({"sent": 100, "deferred": 900}, "deferrals"),
    ],
)
def test_a_rate_that_is_certainly_too_high_stops(numbers: dict[str, int], code: str) -> None:
    """Each published rate opens the breaker, and the sentence names it."""
    standing = reputation().count("marketing", **numbers)
    assert standing.state is BreakerState.OPEN
    assert code in standing.reason


@pytest.mark.parametrize(
    "numbers",
    [
        {"sent": 300, "complained": 1},
        {"sent": 3, "bounced": 3},
        {"sent": 10_000, "bounced": 200, "complained": 8, "deferred": 2000},
        {"complained": 3},
        {},
    ],
    ids=["one complaint in 300", "three typing errors", "a usual day", "late complaints", "nothing"],
)
def test_bad_luck_stops_nothing(numbers: dict[str, int]) -> None:
    """The bound decides, not the share that was counted."""
    assert reputation().count("marketing", **numbers).state is BreakerState.CLOSED


def test_blast_radius_is_zero() -> None:
    """With one flow at 30 % invalid recipients, every message of the others passes."""
    found = reputation()
    passed = dict.fromkeys(Flow, 0)
    for number in range(1000):
        for flow in Flow:
            if found.acquire(flow, sender="same@lovelace.example", recipients=["ada@gmail.com"]):
                passed[flow] += 1
                is_bad = flow is Flow.MARKETING and number % 10 < 3
                found.report(BAD if is_bad else GOOD, flow=flow, sender="same@lovelace.example")
    assert passed[Flow.MARKETING] < 50
    assert passed[Flow.PROFESSIONAL] == passed[Flow.TRANSACTIONAL] == 1000


def test_a_good_history_hides_no_bad_turn() -> None:
    """Ten thousand good messages do not buy a thousand bad ones: the last hundred count, too."""
    found = reputation()
    found.count("marketing", sent=10_000)
    for number in range(1, 200):
        found.report(BAD if number % 5 == 0 else GOOD, flow="marketing")
        if not found.acquire("marketing"):
            break
    assert number <= 100


def test_bounces_in_a_heap_after_a_mailing() -> None:
    """Reports of failures that come hours later, without the successes between, are no bad turn."""
    found = reputation()
    found.count("marketing", sent=10_000)
    late = Event(
        EventType.BOUNCED, "x@y.example", reason=BounceReason.MAILBOX_UNKNOWN, permanent=True, provider="dsn"
    )
    found.report([late] * 200, flow="marketing")
    assert found.check("marketing").state is BreakerState.CLOSED


def test_one_sender_is_stopped_and_the_flow_goes_on() -> None:
    """Within a flow, who is bad is stopped for itself."""
    found = reputation()
    found.count("professional", sent=2000)
    for _ in range(10):
        found.report(BAD, flow="professional", sender="eve@lovelace.example")
    assert not found.acquire("professional", sender="Eve@Lovelace.example")
    assert found.acquire("professional", sender="ada@lovelace.example")
    assert found.check("professional", scope="sender:eve@lovelace.example").state is BreakerState.OPEN


def test_one_provider_is_stopped_and_others_get_their_mail() -> None:
    """Complaints at one big provider stop the mail to it alone."""
    found = reputation()
    found.count("marketing", sent=100_000)
    sent = Event(EventType.SENT, "ada@gmail.com", provider="smtp")
    found.report([sent] * 1000, flow="marketing")
    found.report([Event(EventType.COMPLAINED, "ada@gmail.com")] * 20, flow="marketing")
    verdict = found.acquire("marketing", recipients=["bob@gmail.com", "bob@babbage.example"])
    assert (verdict.accepted, verdict.refused) == (("bob@babbage.example",), ("bob@gmail.com",))
    assert not found.acquire("marketing", recipients=["bob@gmail.com"])
    assert found.check("marketing", provider="google").state is BreakerState.OPEN


def test_open_then_half_open_then_closed() -> None:
    """After the stop a trial passes; if it goes well, everything does."""
    found, clock = stopped(policy=BreakerPolicy(trial=10))
    assert found.acquire("marketing").retry_after == 3600.0
    clock.advance(3600)
    assert [bool(found.acquire("marketing")) for _ in range(11)] == [True] * 10 + [False]
    found.report([GOOD] * 10, flow="marketing")
    assert found.check("marketing").state is BreakerState.HALF_OPEN
    clock.advance(900)
    assert found.check("marketing").state is BreakerState.CLOSED
    assert found.acquire("marketing")


def test_a_trial_that_fails_stops_for_longer() -> None:
    """Two bad recipients in a trial are enough, and the second stop is longer."""
    found, clock = stopped()
    clock.advance(3600)
    assert found.acquire("marketing")
    found.report([GOOD, BAD, BAD], flow="marketing")
    assert found.acquire("marketing").retry_after == 4 * 3600.0


def test_a_trial_of_which_nobody_reports_is_tried_again() -> None:
    """A sender that feeds nothing back is not stopped for ever."""
    found, clock = stopped(policy=BreakerPolicy(trial=1))
    clock.advance(3600)
    assert [bool(found.acquire("marketing")) for _ in range(2)] == [True, False]
    clock.advance(900)
    assert found.acquire("marketing")


def test_what_was_under_way_does_not_count_twice() -> None:
    """Bounces that come in while the flow is stopped make the stop no longer."""
    found, clock = stopped()
    found.report([BAD] * 100, flow="marketing")
    clock.advance(3600)
    assert found.check("marketing").state is BreakerState.HALF_OPEN


def test_a_notice_is_no_stop_while_a_trial_is_on() -> None:
    """Hooks are told of stops: a rate to know of, measured during a trial, is none."""
    told: list[Standing] = []
    found, clock = stopped(hooks=[told.append])
    clock.advance(3601)
    assert found.count("marketing", sent=2000, bounced=70).state is BreakerState.HALF_OPEN
    assert len(told) == 1


def test_an_event_counts_once() -> None:
    """Providers send webhooks twice; the second copy changes nothing."""
    found = reputation()
    event = Event(EventType.COMPLAINED, "ada@babbage.example", event_id="1", flow=Flow.MARKETING)
    found.report([event, event])
    found.report(event)
    rates = {rate.metric: rate.hits for rate in found.check("marketing").rates}
    assert rates[Metric.COMPLAINTS] == 1


def test_events_of_nobody_are_left_out() -> None:
    """Without a flow, or with a forged token, an event is counted nowhere."""
    found = reputation()
    found.report(BAD)
    found.report(Event(EventType.COMPLAINED, "a@b.example", verified=False), flow="marketing")
    assert [rate.hits for standing in found for rate in standing.rates] == [0] * 12


def test_who_is_to_blame() -> None:
    """A full mailbox is nobody's fault; a block is the sender's."""
    found = reputation()
    full = Event(EventType.BOUNCED, reason=BounceReason.MAILBOX_FULL, permanent=True, provider="smtp")
    block = Event(
        EventType.BOUNCED, reason=BounceReason.BLOCKED_REPUTATION, action=Action.PAUSE_FLOW, provider="smtp"
    )
    found.report([full, block], flow="marketing")
    rates = {rate.metric: (rate.hits, rate.total) for rate in found.check("marketing").rates}
    assert (rates[Metric.BOUNCES], rates[Metric.BLOCKS]) == ((0, 2), (1, 2))


def test_days_leave_the_window() -> None:
    """After a week, what was is forgotten."""
    clock = FixedClock()
    found = reputation(clock)
    found.count("marketing", sent=100, bounced=4)
    clock.advance(8 * 86_400)
    assert found.count("marketing", sent=1).rates[0].total == 1


def test_by_hand() -> None:
    """An operator stops a flow and lets it go on."""
    found = reputation()
    assert found.open("marketing", seconds=60, reason="a wrong link").state is BreakerState.OPEN
    assert "a wrong link" in str(found.acquire("marketing"))
    found.close("marketing")
    assert found.acquire("marketing")


def test_it_outlives_the_process(tmp_path: Path) -> None:
    """A stop is still there when the program starts again."""
    Reputation(SQLiteStore(tmp_path / "state.db")).count("marketing", sent=1000, bounced=200)
    assert not Reputation(SQLiteStore(tmp_path / "state.db")).acquire("marketing")


def test_no_address_is_kept(tmp_path: Path) -> None:
    """Neither sender nor recipient stands in the store in clear."""
    file = tmp_path / "state.db"
    found = Reputation(SQLiteStore(file))
    event = Event(EventType.BOUNCED, "robert@gmail.com", event_id="7", provider="smtp")
    found.report(event, flow="marketing", sender="evelyn@lovelace.example")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"marketing by a sender" in kept
    assert b"evelyn@" not in kept
    assert b"robert@" not in kept


@pytest.mark.parametrize(("on_error", "passes"), [("allow", True), ("deny", False)])
def test_a_store_that_is_down(on_error: str, *, passes: bool) -> None:
    """The policy decides, and the verdict says so."""
    found = Reputation(DeadStore(), on_error=on_error)  # type: ignore[arg-type]
    verdict = found.acquire("marketing", recipients=["ada@babbage.example"])
    assert (bool(verdict), verdict.degraded) == (passes, True)


def test_an_administrator_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Hooks get the standing when a breaker opens; one that fails is logged, no more."""
    told: list[Standing] = []

    def broken(_: Standing) -> None:
        raise RuntimeError

    found = reputation(hooks=[broken, told.append])
    with caplog.at_level(logging.WARNING):
        found.count("marketing", sent=1000, bounced=200)
        found.count("marketing", sent=1000, bounced=200)
    assert [standing.scope for standing in told] == ["marketing"]
    assert "stopped: marketing" in caplog.text


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Reputation(MemoryStore(), on_error="perhaps"), "on_error"),  # type: ignore[arg-type]
        (lambda: BreakerPolicy(pauses=()), "pauses"),
        (lambda: BreakerPolicy(trial=0), "trial"),
        (lambda: Threshold(Metric.BOUNCES, 0.2, 0.1), "warn"),
        (lambda: Threshold(Metric.BOUNCES, 0.05, 0.1, notice=0.06), "notice"),
        (lambda: Threshold(Metric.BOUNCES, 0.05, 0.1, notice=0.0), "notice"),
        (lambda: reputation().count("marketing", sent=-1), "numbers"),
        (lambda: reputation().count("marketing", send=1), "numbers"),
        (lambda: reputation().acquire("adverts"), "flow"),
    ],
)
def test_misuse(make: object, field: str) -> None:
    """What cannot be meant is said, with the field."""
    with pytest.raises(ConfigurationError) as caught:
        make()  # type: ignore[operator]
    assert caught.value.field == field


def test_shown_in_a_notebook_and_as_data() -> None:
    """One structure: a line, plain data, and an escaped table."""
    standing = reputation().count("marketing", sent=100, bounced=1)
    assert str(standing) == "marketing: closed"
    assert standing.to_dict()["rates"]["bounces"]["total"] == 100
    assert "<table>" in standing._repr_html_()


def test_published_rates_have_their_source() -> None:
    """Every rate names where and when it was read."""
    rows = tomllib.loads(_data.read("flows/thresholds.toml"))["rates"]
    assert [row for row in rows if not row["source"] or not row["date"]] == []


def test_a_provider_is_held_to_its_own_rate() -> None:
    """Gmail's rate holds for mail to Gmail; the strictest for the flow as a whole."""
    mine = [
        Threshold(Metric.COMPLAINTS, 0.001, 0.002, "x"),
        Threshold(Metric.COMPLAINTS, 0.002, 0.004, "google"),
    ]
    assert [t.stop for t in thresholds_for("google", mine)] == [0.004]
    assert [t.stop for t in thresholds_for(None, mine)] == [0.002]
    assert large_provider_of("Ada@GoogleMail.com") == "google"
    assert large_provider_of("ada@babbage.example") is None


@pytest.mark.property
@given(st.lists(st.tuples(st.integers(0, 5), st.text("01", max_size=120)), max_size=20))
def test_a_record_stays_small_and_is_read_again(rows: list[tuple[int, str]]) -> None:
    """Whatever is counted, a record is bounded, and the document says it all."""
    record = ReputationRecord()
    for day, recent in rows:
        record = record.after(Tally(Counts(sent=len(recent)), recent), window=7, now=86_400.0 * day)
    assert len(record.recent) <= 100
    assert len(record.days) <= 7
    assert ReputationRecord.read(record.write()) == record


def test_a_relay_that_is_down_stops_no_flow() -> None:
    """When nothing was answered, nobody else has put the mail off."""
    found = reputation()
    found.report(
        from_smtp_exception(ConnectionRefusedError(), recipients=["a@b.example"]) * 50, flow="marketing"
    )
    assert found.check("marketing").state is BreakerState.CLOSED
    busy = from_reply(451, "4.7.0 too many messages", recipient="a@b.example")
    found.report([busy] * 50, flow="marketing")
    assert found.check("marketing").state is BreakerState.OPEN


def bombed(found: Reputation, *, resets: int = 10_000, seed: int = 1) -> tuple[int, int]:
    """Bomb a form beside password resets; return the form's mails that went, and resets that waited."""
    random = Random(seed)
    form, reset = Context(form="signup", template="welcome"), Context(form="reset", template="reset")
    went = delayed = 0
    for number in range(resets):
        if found.acquire("transactional", context=reset):
            found.report(GOOD, flow="transactional", context=reset)
        else:
            delayed += 1
        if number % 4 == 0 and found.acquire("transactional", context=form):
            went += 1
            found.report(BAD if random.random() < 0.6 else GOOD, flow="transactional", context=form)
    return went, delayed


@pytest.mark.parametrize("seed", range(5))
def test_a_bombed_form_stops_and_nothing_else(seed: int) -> None:
    """60 % dead addresses in one form: it stops within thirty mails, and no password reset waits."""
    found = reputation()
    went, delayed = bombed(found, resets=2000, seed=seed)
    assert (went <= 30, delayed) == (True, 0)
    assert [standing.scope for standing in found.stopped()] == ["transactional by form signup"]


def test_a_bombed_form_is_contained_from_the_first_mail() -> None:
    """On a flow that has sent nothing yet, the form stops before the flow does."""
    found = reputation()
    form = Context(form="signup")
    while found.acquire("transactional", context=form):
        found.report(BAD, flow="transactional", context=form)
    assert found.acquire("transactional", context=Context(form="reset"))
    assert found.check("transactional").state is BreakerState.CLOSED


def test_the_flow_follows_when_the_rest_of_it_is_guilty() -> None:
    """Two bad forms: the one stops for itself, and what remains stops the flow."""
    found = reputation()
    for number in range(80):
        context = Context(form=f"form {number % 4}")
        if found.acquire("transactional", context=context):
            found.report(BAD, flow="transactional", context=context)
    assert found.check("transactional").state is BreakerState.OPEN


def test_a_bad_campaign_stops_itself() -> None:
    """The campaign of an event stands in for what nobody told."""
    found = reputation()
    found.count("marketing", sent=5000, delivered=5000)
    bad = replace(BAD, campaign="bought list")
    for _ in range(40):
        found.report(bad, flow="marketing")
    assert [standing.scope for standing in found.stopped()] == ["marketing by campaign bought list"]
    assert found.acquire("marketing", context=Context(campaign="spring"))
    assert not found.acquire("marketing", context=Context(campaign="bought list"))


@pytest.mark.parametrize("kind", ["form", "campaign", "template", "tenant", "account"])
def test_each_scope_stops_for_itself_and_is_closed_by_hand(kind: str) -> None:
    """Whatever is guilty stops alone, is shown with its reason, and goes on when an operator says so."""
    found = reputation()
    bad, good = replace(Context(), **{kind: "bad"}), replace(Context(), **{kind: "good"})  # type: ignore[arg-type]
    for number in range(60):
        found.report(GOOD, flow="marketing", context=good)
        if found.acquire("marketing", context=bad):
            found.report(BAD if number % 3 else GOOD, flow="marketing", context=bad)
    (stopped,) = found.stopped()
    assert kind in stopped.scope
    assert "bounces" in stopped.reason
    assert found.acquire("marketing", context=good)
    assert not found.acquire("marketing", context=bad)
    found.close("marketing", scope=f"{kind}:bad")
    assert found.stopped() == ()
    assert found.acquire("marketing", context=bad)


def test_a_bad_campaign_does_not_stop_its_sender() -> None:
    """One From address sends every newsletter: the bad mailing stops, and the good one goes on."""
    found = reputation()
    sender = {"sender": "hello@news.lovelace.example"}
    spring, bought = Context(campaign="spring"), Context(campaign="bought list")
    for _ in range(120):
        found.report(GOOD, flow="marketing", context=spring, **sender)
    for number in range(120):
        if found.acquire("marketing", context=bought, **sender):
            found.report(GOOD if number % 3 else BAD, flow="marketing", context=bought, **sender)
    assert [standing.scope for standing in found.stopped()] == ["marketing by campaign bought list"]
    assert found.acquire("marketing", context=spring, **sender)


def test_a_scope_is_closed_by_hand() -> None:
    """An operator names a scope by kind and name, and a kind that is none is refused."""
    found = reputation()
    assert found.open("transactional", scope="form:signup", seconds=60).state is BreakerState.OPEN
    assert not found.acquire("transactional", context=Context(form="signup"))
    assert found.close("transactional", scope="form:signup").state is BreakerState.CLOSED
    assert found.acquire("transactional", context=Context(form="signup"))
    with pytest.raises(ConfigurationError, match="form:signup"):
        found.close("transactional", scope="signup")


def mailed(share: float, mails: int, *, seed: int, at_once: int = 10) -> int | None:
    """Return after how many mails a campaign with this share of dead addresses stops; `None` for never."""
    found, random, spring = reputation(), Random(seed), Context(campaign="spring")
    for number in range(at_once, mails + 1, at_once):
        bad = sum(random.random() < share for _ in range(at_once))
        found.report([BAD] * bad + [GOOD] * (at_once - bad), flow="marketing", context=spring)
        if not found.acquire("marketing", context=spring):
            return number
    return None


@pytest.mark.parametrize(("share", "within"), [(0.06, 5000), (0.08, 1500), (0.15, 400)])
def test_a_sustained_rate_stops_a_campaign(share: float, within: int) -> None:
    """Amazon SES reviews an account from 5 % on: a campaign above it stops on its first day."""
    stops = [mailed(share, within, seed=seed) for seed in range(10)]
    assert None not in stops


def test_a_rate_of_five_percent_is_not_above_five() -> None:
    """At 5 % nothing stops; one bounce more, and it does."""
    assert reputation().count("marketing", sent=10_000, bounced=500).state is BreakerState.CLOSED
    assert reputation().count("marketing", sent=10_000, bounced=501).state is BreakerState.OPEN


@pytest.mark.parametrize(
    ("sent", "bounced", "state"), [(13, 5, "open"), (14, 5, "closed"), (20, 4, "closed"), (195, 10, "closed")]
)
def test_what_may_be_chance_does_not_stop(sent: int, bounced: int, state: str) -> None:
    """A share above 5 % must be certainly above 3.5 %: four standard deviations of the likelihood ratio."""
    assert reputation().count("marketing", sent=sent, bounced=bounced).state == state


@pytest.mark.parametrize("share", [0.01, 0.02, 0.04])
@pytest.mark.parametrize("seed", range(3))
def test_an_honest_list_does_not_stop(share: float, seed: int) -> None:
    """A list with one, two or four percent of dead addresses is mailed to its end."""
    assert mailed(share, 10_000, seed=seed, at_once=50) is None


def test_a_campaign_of_a_moderate_rate_does_not_stop_the_flow() -> None:
    """Four in five mails of a flow are a campaign at 7 %: the campaign is to blame, not the flow."""
    found, random = reputation(), Random(3)
    spring, clean = Context(campaign="spring"), Context(campaign="weekly")
    for number in range(4000):
        context, share = (clean, 0.005) if number % 5 == 0 else (spring, 0.07)
        if found.acquire("marketing", context=context):
            event = BAD if random.random() < share else GOOD
            found.report(event, flow="marketing", context=context)
    assert [standing.scope for standing in found.stopped()] == ["marketing by campaign spring"]


def test_deferrals_that_come_and_go_stop_nothing_at_once() -> None:
    """Greylisting defers each first message: six of ten is above 50 %, and passes within minutes."""
    assert reputation().count("transactional", sent=400, deferred=600).state is BreakerState.CLOSED


def test_complaints_above_the_warning_that_last_stop() -> None:
    """0.2 % of complaints are below Gmail's 0.3 %, and certainly above 0.1 % after some days."""
    clock = FixedClock()
    found = reputation(clock)
    states = []
    for _ in range(6):
        states.append(found.count("marketing", sent=10_000, complained=20).state)
        clock.advance(86_400)
    assert states[:3] == [BreakerState.CLOSED] * 3
    assert BreakerState.OPEN in states


def test_a_rate_above_two_percent_is_said_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Brevo suspends above 2 %: the operator is told once a day, hooks and mail are left alone."""
    told: list[Standing] = []
    clock = FixedClock()
    found = reputation(clock, hooks=[told.append])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            standing = found.count("marketing", sent=2000, bounced=70)
    assert (standing.state, told) == (BreakerState.CLOSED, [])
    (said,) = standing.notices
    assert said.startswith("210 bounces of 6000 (7 days), 3.5 %, are certainly above 0.02: ")
    assert str(standing) == f"marketing: closed; {said}"
    assert standing.to_dict()["notices"] == list(standing.notices)
    assert len([r for r in caplog.records if "certainly above 0.02" in r.getMessage()]) == 1
    clock.advance(86_400)
    with caplog.at_level(logging.WARNING):
        found.count("marketing", sent=1)
    assert len([r for r in caplog.records if "certainly above 0.02" in r.getMessage()]) == 2
    assert found.count("transactional", sent=10_000, bounced=210).notices == ()


def test_a_good_rate_that_lasts_does_not_stop() -> None:
    """4 % for a week is below what providers warn of."""
    clock = FixedClock()
    found = reputation(clock)
    for _ in range(7):
        assert found.count("marketing", sent=5000, bounced=200).state is BreakerState.CLOSED
        clock.advance(86_400)


def test_async_twins_say_the_same() -> None:
    """What is reported in an event loop is seen outside it, and the other way round."""
    found = reputation()

    async def report() -> bool:
        for _ in range(30):
            await found.areport(BAD, flow="transactional", context=Context(form="signup"))
        verdict = await found.aacquire("transactional", context=Context(form="signup"))
        return bool(verdict) or bool(await found.astopped()) is False

    assert not asyncio.run(report())
    assert not found.acquire("transactional", context=Context(form="signup"))


@pytest.mark.parametrize(
    ("damaged", "lines"),
    [
        *((damaged, 1) for damaged in (b"{not json", b"[]", b"null", b'{"stops": [], "days": 3}', b"\xff")),
        (b'{"stops": []}', 0),  # of a flow of which nothing is known
    ],
)
def test_a_damaged_record_begins_anew(damaged: bytes, lines: int, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be read stops no mail for ever: counting goes on from nothing, and the log says so."""
    store = MemoryStore()
    found = Reputation(store, clock=FixedClock())
    found.count("marketing", sent=10)
    ((key, document),) = [row for row in store.scan("reputation") if b"marketing" in row[1]]
    store.swap(key, document, damaged)
    assert caplog.messages == []
    assert found.acquire("marketing")
    assert ["damaged, and starts from zero" in line for line in caplog.messages] == [True] * lines
    assert found.count("marketing", sent=1000, bounced=150).state is BreakerState.OPEN
