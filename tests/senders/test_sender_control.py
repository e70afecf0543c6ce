"""Senders: who mails invalid addresses, or is not who it was, is stopped, and nobody else."""

from __future__ import annotations

import json
import math
import random
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows.errors import ConfigurationError, StoreError
from mailflows.feedback import BounceReason, Event, EventType
from mailflows.limits import MemoryStore, SQLiteStore
from mailflows.senders import SenderControl, SenderEvent, SenderKind, SenderPolicy, SenderStatus
from mailflows.senders._contacts import places_of
from mailflows.senders._history import DAY, Block, SenderRecord
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from pathlib import Path

    from mailflows.senders._verdict import SenderVerdict

ADA = "ada@example.org"
HOUR = 3600.0


def control(clock: FixedClock, **settings: object) -> SenderControl:
    """Return a control whose store and clock stand still."""
    store = settings.pop("store", None) or MemoryStore(clock=clock)
    return SenderControl(store, clock=clock, **settings)  # type: ignore[arg-type]


def test_a_new_sender_is_clear() -> None:
    """Nothing speaks against a sender who was never seen."""
    verdict = control(FixedClock()).check(ADA)
    assert (bool(verdict), verdict.status, verdict.reasons) == (True, SenderStatus.CLEAR, ())


def test_a_bad_list_stops_its_sender_for_four_hours() -> None:
    """A fifth of fifty recipients does not exist: the sender waits."""
    clock = FixedClock()
    senders = control(clock)
    verdict = senders.report(ADA, valid=40, invalid=10)
    assert (verdict.allowed, verdict.status, verdict.retry_after) == (False, SenderStatus.BLOCKED, 4 * HOUR)
    assert verdict.until == clock.now + timedelta(hours=4)


def test_the_block_ends_by_itself() -> None:
    """After four hours the sender may go on, and what led to the block does not count again."""
    clock = FixedClock()
    senders = control(clock)
    senders.report(ADA, valid=40, invalid=10)
    clock.advance(4 * HOUR)
    assert senders.acquire(ADA, to=["charles@example.org"]).status is SenderStatus.CLEAR


def test_a_second_block_is_longer_and_the_third_is_for_good() -> None:
    """Within a week four hours become a day, and then there is no end."""
    clock = FixedClock()
    senders = control(clock)
    waits = []
    for _ in range(3):
        waits.append(senders.report(ADA, valid=40, invalid=10).retry_after)
        clock.advance(DAY)
    assert waits == [4 * HOUR, DAY, None]
    clock.advance(365 * DAY)
    assert not senders.acquire(ADA, to=["charles@example.org"])


def test_a_week_later_it_is_a_first_block_again() -> None:
    """A block that ended more than a week ago makes no other one longer."""
    clock = FixedClock()
    senders = control(clock)
    senders.report(ADA, valid=40, invalid=10)
    clock.advance(8 * DAY)
    assert senders.report(ADA, valid=40, invalid=10).retry_after == 4 * HOUR


def test_much_at_once_is_for_good() -> None:
    """Hundreds of invalid recipients within a week are no mistake."""
    assert control(FixedClock()).report(ADA, valid=500, invalid=300).retry_after is None


@pytest.mark.parametrize(("valid", "invalid"), [(0, 1), (1, 1), (0, 5), (500, 10)])
def test_little_is_no_proof(valid: int, invalid: int) -> None:
    """One bounce of two mails is half of them, and still nobody is stopped."""
    assert control(FixedClock()).report(ADA, valid=valid, invalid=invalid).allowed


def test_a_warning_comes_first() -> None:
    """Before a sender is stopped the verdict says what is wrong, with its numbers."""
    verdict = control(FixedClock()).report(ADA, valid=30, invalid=3)
    assert verdict.status is SenderStatus.WARNED
    assert [reason.code for reason in verdict.reasons] == ["invalid-share"]
    assert "3 of 33" in str(verdict)


def test_who_was_good_for_long_is_judged_by_now() -> None:
    """Ten thousand good recipients do not hide that the last hundred are bad."""
    senders = control(FixedClock())
    senders.report(ADA, valid=10_000)
    assert not senders.report(ADA, valid=80, invalid=20)


def test_other_senders_are_not_touched() -> None:
    """A block is one sender's own."""
    senders = control(FixedClock())
    senders.report(ADA, valid=0, invalid=50)
    assert senders.acquire("charles@example.org", to=["ada@example.org"])


def test_one_sender_in_any_case() -> None:
    """An address in capitals is the same sender."""
    senders = control(FixedClock())
    senders.report(ADA, invalid=50)
    assert senders.check("ADA@Example.org").status is SenderStatus.BLOCKED


def test_events_are_understood() -> None:
    """Unknown mailboxes and domains count as invalid; a full mailbox or a block is not the sender's list."""
    senders = control(FixedClock())
    for reason in (BounceReason.MAILBOX_FULL, BounceReason.BLOCKED_REPUTATION):
        senders.report(ADA, Event(EventType.BOUNCED, reason=reason))
    for reason in (BounceReason.MAILBOX_UNKNOWN, BounceReason.DOMAIN_UNKNOWN):
        senders.report(ADA, Event(EventType.BOUNCED, reason=reason))
    senders.report(ADA, Event(EventType.DELIVERED))
    senders.report(ADA, Event(EventType.OPENED))
    senders.report(ADA, Event(EventType.DEFERRED, reason=BounceReason.MAILBOX_UNKNOWN))
    verdict = senders.check(ADA)
    assert (verdict.outcomes, verdict.invalid) == (5, 2)


def test_replies_of_servers_are_understood() -> None:
    """An unknown user counts as invalid, a full mailbox and a try-again-later as nothing, a 250 as valid."""
    senders = control(FixedClock())
    senders.report(ADA, code=250, text="2.0.0 OK")
    senders.report(ADA, code=550, text="5.1.1 user unknown")
    senders.report(ADA, code=452, text="4.2.2 mailbox full")
    verdict = senders.report(ADA, code=421, text="4.7.0 try again later")
    assert (verdict.outcomes, verdict.invalid) == (2, 1)


def test_a_mass_mailing_is_refused_and_nothing_else() -> None:
    """More than 2,000 recipients are no professional mail; the sender may still write to people."""
    senders = control(FixedClock())
    verdict = senders.acquire(ADA, to=[f"r{n}@example.org" for n in range(2001)])
    assert (verdict.allowed, verdict.retry_after, verdict.reasons[0].code) == (
        False,
        None,
        "too-many-recipients",
    )
    assert senders.acquire(ADA, to=[f"r{n}@example.org" for n in range(2000)])


def test_block_and_unblock_by_hand() -> None:
    """An administrator blocks for a time or for good, and lets go."""
    clock = FixedClock()
    senders = control(clock)
    assert senders.block(ADA, seconds=60).retry_after == 60
    assert senders.unblock(ADA).allowed
    assert senders.block(ADA, reason="left-the-firm").retry_after is None
    assert "left-the-firm" in str(senders.check(ADA))
    assert senders.unblock(ADA).status is SenderStatus.CLEAR


def test_unblocking_who_is_not_blocked_changes_nothing() -> None:
    """There is nothing to let go."""
    assert control(FixedClock()).unblock(ADA).status is SenderStatus.CLEAR


def test_a_block_outlives_the_process(tmp_path: Path) -> None:
    """Another process that opens the same file knows of the block."""
    clock = FixedClock()
    first = control(clock, store=SQLiteStore(tmp_path / "senders.db", clock=clock))
    first.report(ADA, invalid=50)
    again = control(clock, store=SQLiteStore(tmp_path / "senders.db", clock=clock))
    assert not again.acquire(ADA, to=["charles@example.org"])


def test_an_administrator_is_told_once() -> None:
    """A hook hears of a new block, with the sender; what it raises stops nothing."""
    heard = []

    def broken(_sender: str, _verdict: object) -> None:
        msg = "no network"
        raise OSError(msg)

    senders = control(
        FixedClock(), hooks=[broken, lambda sender, verdict: heard.append((sender, verdict.status))]
    )
    senders.report(ADA, invalid=50)
    senders.report(ADA, invalid=50)
    assert heard == [(ADA, SenderStatus.BLOCKED)]


def test_no_address_in_store_text_or_dictionary() -> None:
    """Neither the records nor what a verdict says holds an address."""
    clock = FixedClock()
    store = MemoryStore(clock=clock)
    senders = control(clock, store=store)
    senders.acquire(ADA, to=["charles@example.org"], client="192.0.2.1")
    verdict = senders.report(ADA, invalid=50)
    kept = b"".join(key.encode() + value for key, value in store.scan("sender:"))
    said = f"{verdict} {json.dumps(verdict.to_dict())} {verdict._repr_html_()}"
    assert kept
    for text in (kept.decode("latin-1"), said):
        assert "example" not in text
        assert "192.0.2" not in text


def month_of_mail(senders: SenderControl, clock: FixedClock, *, seed: int = 1) -> None:
    """Let a sender write ordinary mail on twenty working days, from two networks."""
    chance = random.Random(seed)
    for _ in range(20):
        for _ in range(12):
            to = f"friend{chance.randint(1, 60)}@example.org"
            assert senders.acquire(ADA, to=to, client=chance.choice(("192.0.2.1", "198.51.100.1")))
            clock.advance(1200)
        clock.advance(DAY - 12 * 1200)


def test_an_ordinary_month_raises_no_alarm() -> None:
    """Usual mail from usual places says nothing against a sender."""
    clock = FixedClock()
    senders = control(clock)
    month_of_mail(senders, clock)
    assert senders.check(ADA).status is SenderStatus.CLEAR


def test_a_stolen_account_is_stopped_early() -> None:
    """Many messages to strangers, from afar, at a rate the sender never had: thirty are enough."""
    clock = FixedClock()
    senders = control(clock)
    month_of_mail(senders, clock)
    sent = 0
    while senders.acquire(ADA, to=f"stranger{sent}@example.net", client="203.0.113.9"):
        sent += 1
        clock.advance(2)
    assert sent <= 30
    assert senders.check(ADA).status is SenderStatus.HELD
    for number in range(30):
        senders.acquire(ADA, to=f"another{number}@example.net", client="203.0.113.9")
        clock.advance(2)
    assert senders.check(ADA).status is SenderStatus.BLOCKED


def test_a_greeting_to_all_friends_is_only_noted() -> None:
    """Sixty messages within an hour to people one knows are unusual, but no theft."""
    clock = FixedClock()
    senders = control(clock)
    month_of_mail(senders, clock)
    for friend in range(1, 61):
        verdict = senders.acquire(ADA, to=f"friend{friend}@example.org", client="192.0.2.1")
        assert verdict
    assert {reason.code for reason in verdict.reasons} <= {"unusual-volume", "unusual-speed"}


def test_a_hundred_networks_are_too_many_for_anybody() -> None:
    """Mail of one account from a hundred networks in a day is a botnet's."""
    senders = control(FixedClock())
    verdicts = [senders.acquire(ADA, to="a@example.org", client=f"10.{n}.0.1") for n in range(100)]
    assert [bool(v) for v in verdicts] == [True] * 99 + [False]


def test_a_store_that_is_down_follows_the_policy() -> None:
    """Without the store senders are not controlled: allowed or denied, and said."""

    class Down(MemoryStore):
        def load(self, _key: str) -> bytes | None:
            msg = "down"
            raise StoreError(msg, store="test")

    clock = FixedClock()
    allowing = control(clock, store=Down())
    denying = control(clock, store=Down(), on_error="deny")
    assert [
        (v.allowed, v.degraded) for v in (allowing.acquire(ADA, to="a@example.org"), denying.check(ADA))
    ] == [
        (True, True),
        (False, True),
    ]
    with pytest.raises(StoreError):
        allowing.block(ADA)


@pytest.mark.parametrize(
    "settings",
    [
        {"invalid_share": 0.0},
        {"invalid_share": 1.5},
        {"blocks": ()},
        {"min_invalid": 0},
        {"max_recipients": 0},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(settings: dict[str, object]) -> None:
    """What stops everybody, or nobody, is a mistake."""
    with pytest.raises(ConfigurationError) as caught:
        SenderPolicy(**settings)  # type: ignore[arg-type]
    assert caught.value.field in settings


def test_other_mistakes_are_said() -> None:
    """A wrong policy word and negative numbers are errors."""
    senders = control(FixedClock())
    with pytest.raises(ConfigurationError, match="on_error"):
        control(FixedClock(), on_error="perhaps")
    with pytest.raises(ValueError, match="from 0 to"):
        senders.report(ADA, invalid=-1)
    with pytest.raises(ValueError, match="IPv4 or IPv6"):
        senders.acquire(ADA, to="a@example.org", client="ada@example.org")


async def _both(senders: SenderControl) -> list[bool]:
    return [
        bool(await senders.aacquire(ADA, to="a@example.org")),
        bool(await senders.areport(ADA, invalid=50)),
    ]


def test_the_async_twins_do_the_same() -> None:
    """`aacquire` and `areport` decide as their twins."""
    import asyncio

    assert asyncio.run(_both(control(FixedClock()))) == [True, False]


@pytest.mark.property
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["attempt", "good", "bad", "hour", "day", "block", "free"]), st.integers(1, 40)
        ),
        max_size=40,
    )
)
def test_a_record_is_the_same_after_writing(steps: list[tuple[str, int]]) -> None:
    """Whatever happened, a record that is written and read is the same, and stays small."""
    record, now = SenderRecord(), 1_767_225_600.0
    for step, number in steps:
        record.at(now)
        if step == "attempt":
            places = places_of(f"r{n}" for n in range(number))
            record.count(places, is_own=record.sees(f"n{number}"), oddness=0.5)
            record.contacts.learn(places, record.number)
        elif step in {"good", "bad"}:
            record.tell(valid=number * (step == "good"), invalid=number * (step == "bad"))
        elif step == "block":
            record.stop(Block(now, now + number, "by-hand"))
        elif step == "free":
            record.release(now)
        else:
            now += number * (HOUR if step == "hour" else DAY)
    once = SenderRecord.read(record.write())
    assert SenderRecord.read(once.write()) == once
    assert (once.networks, once.contacts, once.blocks) == (record.networks, record.contacts, record.blocks)
    assert once.spell == pytest.approx(record.spell, rel=1e-6)
    assert len(record.write()) < 6000


def test_any_object_with_type_and_reason_is_an_event() -> None:
    """Events of another library are understood by the same words."""
    bounce = SimpleNamespace(type="bounced", reason="mailbox-unknown")
    assert control(FixedClock()).report(ADA, bounce).invalid == 1


@pytest.mark.parametrize("seconds", [math.inf, 1e20])
def test_a_block_beyond_a_century_is_for_good(seconds: float) -> None:
    """Infinity is no moment of a calendar; the sender is stopped, and can still be asked about."""
    senders = control(FixedClock())
    senders.block(ADA, seconds=seconds)
    assert (senders.check(ADA).allowed, senders.check(ADA).until) == (False, None)


@pytest.mark.parametrize("seconds", [math.nan, -5.0, 0, "4h", timedelta(hours=4)])
def test_a_block_of_no_time_is_refused(seconds: Any) -> None:
    """An order that would stop nobody is an error, not silence."""
    with pytest.raises(ValueError, match="seconds must be a number above 0"):
        control(FixedClock()).block(ADA, seconds=seconds)


@pytest.mark.parametrize("number", [math.nan, 1.5, "3", None, 10**400, -1])
def test_a_number_of_recipients_that_is_none(number: Any) -> None:
    """What cannot be counted is told what is expected, and the sender is as before."""
    senders = control(FixedClock())
    with pytest.raises(ValueError, match="a number of recipients must be a whole number"):
        senders.report(ADA, invalid=number)
    assert senders.check(ADA).outcomes == 0


@pytest.mark.parametrize("sender", [None, "", "  "])
def test_a_sender_without_a_name_is_refused(sender: Any) -> None:
    """All who are not known would share one record, and one block."""
    with pytest.raises(ValueError, match="sender must be an address or the name of an account"):
        control(FixedClock()).acquire(sender, to=["charles@example.org"])


@pytest.mark.parametrize(
    "setting",
    [
        {"blocks": (math.inf,)},
        {"blocks": (-1.0,)},
        {"remember": math.nan},
        {"min_invalid": math.nan},
        {"apart": -1.0},
        {"certainty": -1.0},
        {"bulk": 2.5},
        {"warn": 9.0},
        {"block": math.inf},
    ],
)
def test_a_policy_that_stops_nobody_is_refused(setting: dict[str, Any]) -> None:
    """Not-a-number and infinity compare in ways that nobody means."""
    with pytest.raises(ConfigurationError):
        SenderPolicy(**setting)


@pytest.mark.parametrize(
    "damage", [b"", b"\xff", b"[]", b"null", b'{"recent": 5}', b"mfs2", b"mfs2" + bytes(9000)]
)
def test_a_damaged_record_begins_again(damage: bytes) -> None:
    """A record that cannot be read stops nobody from sending, and the next one is whole."""
    senders = control(FixedClock())
    senders._keeper.store.swap(senders._keeper.key(ADA), None, damage)
    assert senders.acquire(ADA, to=["charles@example.org"])
    assert senders.report(ADA, valid=1).outcomes == 1


@pytest.mark.parametrize("at", [5, 40, 200, 400, 3900])
def test_a_record_with_a_wrong_byte_stops_nobody(at: int) -> None:
    """A byte that a disk got wrong is read as something, and the sender still gets an answer."""
    record = SenderRecord()
    record.at(1_767_225_600.0)
    whole = bytearray(record.write())
    whole[at % len(whole)] ^= 0xFF
    senders = control(FixedClock())
    senders._keeper.store.swap(senders._keeper.key(ADA), None, bytes(whole))
    assert isinstance(bool(senders.acquire(ADA, to=["charles@example.org"])), bool)


class TestAClockThatWasAYearAhead:
    """A machine's clock jumps a year, and is set right again."""

    def test_a_block_lasts_as_long_as_it_should(self) -> None:
        """Four hours that began in the wrong year are four hours from now."""
        clock = FixedClock()
        senders = control(clock, store=MemoryStore())
        clock.advance(365 * DAY)
        senders.report(ADA, invalid=8, valid=2)
        clock.advance(-365 * DAY)
        assert not senders.acquire(ADA, to=["charles@example.org"])
        clock.advance(4 * HOUR + 1)
        assert senders.acquire(ADA, to=["charles@example.org"])

    def test_hours_go_on(self) -> None:
        """What is sent in the right year is counted by its own hours, not all together for a year."""
        clock = FixedClock()
        senders = control(clock, store=MemoryStore())
        clock.advance(365 * DAY)
        senders.acquire(ADA, to=["a@example.org"])
        clock.advance(-365 * DAY)
        for hour in range(5):
            senders.acquire(ADA, to=[f"{hour}@example.org"])
            clock.advance(HOUR)
        record = SenderRecord.read(next(iter(senders._keeper.store.scan("sender:")))[1])
        assert record.hour < 2

    def test_a_little_back_counts_nothing_twice(self) -> None:
        """A clock that is set back by an hour stays in the hour that it had reached."""
        clock = FixedClock()
        senders = control(clock, store=MemoryStore())
        senders.acquire(ADA, to=["a@example.org"])
        clock.advance(-HOUR)
        senders.acquire(ADA, to=["b@example.org"])
        record = SenderRecord.read(next(iter(senders._keeper.store.scan("sender:")))[1])
        assert record.hour == 2


class TestOutcomes:
    """What became of the mail decides, by shares that are certain."""

    @pytest.mark.parametrize("parts", [[(1959, 40)], [(0, 40), (1959, 0)], [(1959, 0), (0, 40)]])
    def test_two_in_a_hundred_stop_nobody(self, parts: list[tuple[int, int]]) -> None:
        """A mailing with 2 % invalid recipients is ordinary, whatever is told first."""
        senders = control(FixedClock())
        assert senders.acquire(ADA, to=[f"r{n}@example.net" for n in range(1999)])
        verdicts = [senders.report(ADA, valid=valid, invalid=invalid) for valid, invalid in parts]
        assert all(verdicts)

    def test_one_report_of_many_is_read_as_a_whole(self) -> None:
        """Nothing was asked before, and a report of 2 % still stops nobody."""
        assert control(FixedClock()).report(ADA, valid=1959, invalid=40)

    def test_several_events_at_once_have_no_order(self) -> None:
        """Forty bounces that stand before their deliveries are 2 % of them."""
        bounce = Event(EventType.BOUNCED, reason=BounceReason.MAILBOX_UNKNOWN)
        events = [bounce] * 40 + [Event(EventType.DELIVERED)] * 1959
        assert control(FixedClock()).report(ADA, events).allowed

    def test_a_fifth_stops(self) -> None:
        """Four hundred invalid recipients of two thousand stop their sender for good."""
        assert control(FixedClock()).report(ADA, valid=1600, invalid=400).retry_after is None

    def test_where_only_bounces_are_told_all_mail_is_what_they_are_out_of(self) -> None:
        """Many systems hear of bounces only: eight of four hundred are 2 %, not all."""
        clock = FixedClock()
        senders = control(clock)
        for number in range(400):
            assert senders.acquire(ADA, to=f"r{number % 40}@example.net")
            clock.advance(120)
            if number % 50 == 49:
                assert senders.report(ADA, code=550, text="5.1.1 user unknown")


class TestMassMailings:
    """One is tolerated, as an exception."""

    def test_the_second_within_a_month_is_held(self) -> None:
        """The first goes; the second waits for review; after a month one goes again."""
        clock = FixedClock()
        senders = control(clock)
        people = [f"r{n}@example.net" for n in range(3000)]
        assert senders.acquire(ADA, to=people[:1200])
        clock.advance(3 * DAY)
        held = senders.acquire(ADA, to=people[1200:2400])
        assert (held.status, held.reasons[0].code) == (SenderStatus.HELD, "second-mass-mailing")
        assert senders.acquire(ADA, to="charles@example.org")
        clock.advance(28 * DAY)
        assert senders.acquire(ADA, to=people[1200:2400])

    def test_a_letter_to_colleagues_is_none(self) -> None:
        """A weekly note to the same 120 people is no mass mailing after the first one."""
        clock = FixedClock()
        senders = control(clock)
        staff = [f"colleague{n}@example.org" for n in range(120)]
        for _ in range(8):
            assert senders.acquire(ADA, to=staff, client="192.0.2.1")
            clock.advance(7 * DAY)


class TestAdministrators:
    """They hear of it, understand it, and teach."""

    def stolen(self, senders: SenderControl, clock: FixedClock) -> int:
        """Mail strangers from afar until it is refused for good or 300 went, and return how many went."""
        went = 0
        for number in range(300):
            went += bool(
                senders.acquire(ADA, to=f"new{number}-{clock():.0f}@example.net", client="203.0.113.9")
            )
            clock.advance(3)
        return went

    def test_messages_are_held_before_the_sender_is_blocked(self) -> None:
        """Warned, held, blocked: each with a reason that says what was seen."""
        clock = FixedClock()
        heard: list[SenderVerdict] = []
        senders = control(clock, hooks=[lambda _, verdict: heard.append(verdict)])
        month_of_mail(senders, clock)
        self.stolen(senders, clock)
        assert [verdict.status for verdict in heard] == [SenderStatus.HELD, SenderStatus.BLOCKED]
        assert "networks the sender rarely uses" in str(heard[0])
        assert "stopped for 4 hours" in str(heard[1])

    def test_unblocking_teaches(self) -> None:
        """Who was let go may do the same again, a day later."""
        clock = FixedClock()
        senders = control(clock)
        month_of_mail(senders, clock)
        first = self.stolen(senders, clock)
        assert senders.unblock(ADA)
        clock.advance(DAY)
        assert self.stolen(senders, clock) > 5 * first

    def test_blocked_senders_are_listed_by_name(self) -> None:
        """Where names are kept an administrator sees who is blocked, else a hash."""
        clock = FixedClock()
        named, hashed = control(clock, names=True), control(clock)
        for senders in (named, hashed):
            senders.report(ADA, invalid=50)
            senders.report("charles@example.org", valid=50)
        assert [name for name, _ in named.blocked()] == [ADA]
        assert ADA not in [name for name, _ in hashed.blocked()]

    def test_a_machine_may_be_declared(self) -> None:
        """A new alerting server that nobody knows writes as fast as it likes to those who asked for it."""
        clock = FixedClock()
        undeclared, declared = control(clock), control(clock)
        declared.declare("alerts@example.org", SenderKind.MACHINE)
        went = [0, 0]
        for number in range(200):
            for place, senders in enumerate((undeclared, declared)):
                went[place] += bool(senders.acquire("alerts@example.org", to=f"team{number}@example.org"))
            clock.advance(0.05)
        assert went[0] < 100
        assert went[1] == 200
        with pytest.raises(ValueError, match="robot"):
            declared.declare("alerts@example.org", "robot")


class TestReplay:
    """A log of one's own tells whom the control would have stopped."""

    def log(self) -> list[SenderEvent]:
        """Return three weeks of two people, one of whom loses the account at the end."""
        chance = random.Random(7)
        start = FixedClock()()
        rows = [
            SenderEvent(
                start + day * DAY + chance.uniform(9, 18) * HOUR,
                who,
                (f"friend{chance.randrange(40)}@example.org",),
                client="192.0.2.1",
            )
            for day in range(21)
            for who in ("ada", "charles")
            for _ in range(12)
        ]
        theft = start + 21 * DAY + 3 * HOUR
        rows += [
            SenderEvent(theft + n, "ada", (f"new{n}@example.com",), client="203.0.113.9") for n in range(500)
        ]
        return rows

    def test_whom_it_would_have_stopped(self) -> None:
        """The thief, at night and at once; nobody else, and no message of theirs."""
        found = SenderControl.replay(reversed(self.log()))
        assert (found.senders, len(found.stopped)) == (2, 1)
        stopped = found.stopped[0]
        assert (stopped.sender, stopped.at.hour, stopped.messages < 21 * 12 + 50) == ("ada", 3, True)
        assert found.held + found.blocked == stopped.refused > 400
        assert "1 of 2 senders would have been stopped" in str(found)
        assert found.to_dict()["stopped"][0]["verdict"]["status"] == "held"

    def test_rows_of_a_file_do_as_well(self) -> None:
        """Mappings with the same names are events; outcomes block as they do in life."""
        rows = [
            {"at": 1.8e9, "sender": "ada", "to": "x@example.org"},
            {"at": 1.8e9, "sender": "ada", "invalid": 50},
        ]
        assert SenderControl.replay(rows).stopped[0].verdict.status is SenderStatus.BLOCKED

    @pytest.mark.parametrize("row", [{"sender": "ada"}, {"at": 1.0}, {"at": 1.0, "sender": "a", "from": "b"}])
    def test_a_row_that_is_none_is_said(self, row: dict[str, Any]) -> None:
        """A log in another form is told what is expected."""
        with pytest.raises(ValueError, match="a row must have at and sender"):
            SenderControl.replay([row])


def test_a_replay_writes_nothing_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whom a control would have stopped is in the answer; nobody was stopped, so nobody is told."""
    replay = SenderControl.replay([SenderEvent(1.8e9, "ada", ("a@b.example",), invalid=60)] * 3)
    assert (len(replay.stopped), caplog.records) == (1, [])
