"""Addresses that must not be written to, and what makes them so."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import ConfigurationError, Flow
from mailflows.feedback import Action, BounceReason, Event, EventType, SuppressionList, from_reply
from mailflows.limits import MemoryStore, SQLiteStore
from mailflows.recipients import RecipientChecker
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mailflows._stores import Documents

ADA = "ada@one.example"
DEAD = from_reply(550, "5.1.1 User unknown", recipient=ADA)
DAY = 86400.0


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that moves only when told."""
    return FixedClock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock) -> Iterator[Documents]:
    """Return each kind of store in turn."""
    if request.param == "memory":
        yield MemoryStore(clock=clock)
        return
    opened = SQLiteStore(tmp_path / "list.db", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def suppressions(store: Documents, clock: FixedClock) -> SuppressionList:
    """Return an empty list."""
    return SuppressionList(store, clock=clock)


def soft(clock: FixedClock, reason: BounceReason = BounceReason.MAILBOX_FULL) -> Event:
    """Return a soft bounce of this moment."""
    return Event(EventType.BOUNCED, ADA, reason=reason, action=Action.RETRY, time=clock.now)


def test_a_dead_mailbox(suppressions: SuppressionList) -> None:
    """A dead mailbox is suppressed at once, everywhere and for ever."""
    entry = suppressions.apply(DEAD)
    assert entry is not None
    assert (entry.reason, entry.scope, entry.expires) == ("mailbox-unknown", "global", None)
    assert suppressions.is_suppressed(ADA, flow=Flow.TRANSACTIONAL, list="news")


@pytest.mark.parametrize("spelling", ["Ada@One.Example", " ada@one.example ", "ada+news@one.example"])
def test_every_spelling(suppressions: SuppressionList, spelling: str) -> None:
    """A mailbox is suppressed in every spelling that reaches it."""
    suppressions.add(ADA)
    assert suppressions.is_suppressed(spelling)


def test_others_are_not(suppressions: SuppressionList) -> None:
    """Another address is not suppressed."""
    suppressions.add(ADA)
    assert not suppressions.is_suppressed("bob@one.example")


@pytest.mark.parametrize(
    "reason", sorted({*BounceReason} - {BounceReason.MAILBOX_UNKNOWN, BounceReason.DOMAIN_UNKNOWN})
)
def test_one_bounce_of_another_reason(
    suppressions: SuppressionList, clock: FixedClock, reason: BounceReason
) -> None:
    """One bounce for any other reason suppresses nobody."""
    assert suppressions.apply(soft(clock, reason)) is None
    assert not suppressions.is_suppressed(ADA)


@pytest.mark.parametrize(
    "reason",
    ["blocked-reputation", "blocked-content", "auth-failure", "policy", "rate", "too-big"],
)
def test_what_the_sender_did_is_never_held_against_an_address(
    suppressions: SuppressionList, clock: FixedClock, reason: str
) -> None:
    """A hundred days of blocks suppress no address."""
    for _ in range(100):
        suppressions.apply(soft(clock, BounceReason(reason)))
        clock.advance(DAY)
    assert not suppressions.is_suppressed(ADA)


def test_soft_bounces_on_five_days(suppressions: SuppressionList, clock: FixedClock) -> None:
    """The fifth day with a full mailbox suppresses it, for half a year."""
    days = []
    for _ in range(5):
        days.append(suppressions.apply(soft(clock)) is not None)
        clock.advance(DAY)
    assert days == [False, False, False, False, True]
    clock.advance(180 * DAY)
    assert not suppressions.is_suppressed(ADA)


def test_many_soft_bounces_of_one_day(suppressions: SuppressionList, clock: FixedClock) -> None:
    """A hundred bounces of one day count once."""
    for _ in range(100):
        suppressions.apply(soft(clock))
    assert not suppressions.is_suppressed(ADA)


def test_soft_bounces_of_long_ago(suppressions: SuppressionList, clock: FixedClock) -> None:
    """Soft bounces that are further apart than the window do not add up."""
    for _ in range(10):
        suppressions.apply(soft(clock))
        clock.advance(31 * DAY)
    assert not suppressions.is_suppressed(ADA)


def test_a_delivery_sets_back(suppressions: SuppressionList, clock: FixedClock) -> None:
    """A delivery forgets the soft bounces before it."""
    for day in range(8):
        suppressions.apply(Event(EventType.DELIVERED, ADA) if day == 4 else soft(clock))
        clock.advance(DAY)
    assert not suppressions.is_suppressed(ADA)


def test_a_disabled_mailbox(suppressions: SuppressionList, clock: FixedClock) -> None:
    """A mailbox that is said to be disabled is suppressed when it is said again."""
    suppressions.apply(soft(clock, BounceReason.MAILBOX_DISABLED))
    clock.advance(DAY)
    assert suppressions.apply(soft(clock, BounceReason.MAILBOX_DISABLED)) is not None


def test_a_delay_counts_nothing(suppressions: SuppressionList, clock: FixedClock) -> None:
    """What is still tried counts nothing."""
    for _ in range(9):
        suppressions.apply(replace(soft(clock), type=EventType.DEFERRED))
        clock.advance(DAY)
    assert not suppressions.is_suppressed(ADA)


def test_a_complaint_stops_its_flow(suppressions: SuppressionList) -> None:
    """Who complains about adverts still gets the password reset."""
    event = Event(EventType.COMPLAINED, ADA, action=Action.SUPPRESS, flow=Flow.MARKETING)
    suppressions.apply(event)
    found = [
        suppressions.is_suppressed(ADA, flow=flow) for flow in (Flow.MARKETING, Flow.TRANSACTIONAL, None)
    ]
    assert found == [True, False, False]


def test_an_unsubscription_stops_its_list(suppressions: SuppressionList) -> None:
    """Who leaves one list stays on the others."""
    event = Event(EventType.UNSUBSCRIBED, ADA, action=Action.SUPPRESS, flow=Flow.MARKETING)
    suppressions.apply(event, list="news")
    found = [suppressions.is_suppressed(ADA, flow=Flow.MARKETING, list=name) for name in ("news", "offers")]
    assert found == [True, False]


def test_a_second_copy_changes_nothing(suppressions: SuppressionList) -> None:
    """An event that comes again after the address was allowed again does not suppress it again."""
    event = replace(DEAD, event_id="e-1")
    suppressions.apply(event)
    suppressions.remove(ADA)
    assert suppressions.apply(event) is None
    assert not suppressions.is_suppressed(ADA)


def test_one_id_for_two_recipients(suppressions: SuppressionList) -> None:
    """A provider that names two recipients' events alike loses none of them."""
    suppressions.apply(replace(DEAD, event_id="e-1"))
    suppressions.apply(replace(DEAD, event_id="e-1", recipient="bob@one.example"))
    assert suppressions.is_suppressed("bob@one.example")


def test_a_forged_event(suppressions: SuppressionList) -> None:
    """An event that no token of ours vouches for, although one was looked for, suppresses nobody."""
    assert suppressions.apply(replace(DEAD, verified=False)) is None


@pytest.mark.parametrize(("verified", "found"), [(None, False), (False, False), (True, True)])
def test_tokens_that_are_required(
    store: Documents, clock: FixedClock, *, verified: bool | None, found: bool
) -> None:
    """Where tokens are required, only they suppress."""
    suppressions = SuppressionList(store, require_verified=True, clock=clock)
    suppressions.apply(replace(DEAD, verified=verified))
    assert (suppressions.is_suppressed(ADA)) is found


def test_the_address_that_was_written_to(suppressions: SuppressionList) -> None:
    """The address that the caller knows, or the original one, is suppressed, not where it was forwarded."""
    suppressions.apply(replace(DEAD, recipient="new@two.example", original_recipient="old@one.example"))
    suppressions.apply(DEAD, address="known@one.example")
    found = [
        suppressions.is_suppressed(a)
        for a in ("new@two.example", "old@one.example", "known@one.example", ADA)
    ]
    assert found == [False, True, True, False]


def test_nobody_named(suppressions: SuppressionList) -> None:
    """An event without an address changes nothing."""
    assert suppressions.apply(replace(DEAD, recipient=None)) is None


def test_an_event_that_nothing_names(suppressions: SuppressionList) -> None:
    """An event with neither id nor message is applied each time it comes."""
    suppressions.apply(DEAD)
    suppressions.remove(ADA)
    assert suppressions.apply(DEAD) is not None


def test_an_event_that_its_message_names(suppressions: SuppressionList, clock: FixedClock) -> None:
    """Without an id, message and time name an event, so that its second copy changes nothing."""
    event = replace(DEAD, message_id="1@sender.example", time=clock.now)
    suppressions.apply(event)
    suppressions.remove(ADA)
    assert suppressions.apply(event) is None


def test_an_entry_that_has_ended_is_not_kept(suppressions: SuppressionList, clock: FixedClock) -> None:
    """An entry of another list that has ended already is not taken."""
    entry = suppressions.add("bob@one.example", expires=1.0)
    suppressions.remove("bob@one.example")
    clock.advance(2.0)
    suppressions.put(entry)
    assert list(suppressions) == []


def test_a_longer_one_replaces_a_shorter(suppressions: SuppressionList) -> None:
    """A suppression for a day gives way to one for ever."""
    suppressions.add(ADA, expires=DAY)
    suppressions.add(ADA)
    (entry,) = suppressions
    assert entry.expires is None


@pytest.mark.parametrize(
    ("where", "scope"),
    [({}, "global"), ({"flow": Flow.MARKETING}, "flow:marketing"), ({"list": "a b"}, "list:a b")],
)
def test_scopes(suppressions: SuppressionList, where: dict[str, Any], scope: str) -> None:
    """An entry says where it holds."""
    assert suppressions.add(ADA, **where).scope == scope


def test_remove(suppressions: SuppressionList) -> None:
    """An address that was allowed again is no longer suppressed, and a second time there is nothing to do."""
    suppressions.add(ADA)
    assert (suppressions.remove(ADA), suppressions.remove(ADA), suppressions.is_suppressed(ADA)) == (
        True,
        False,
        False,
    )


def test_expiry(suppressions: SuppressionList, clock: FixedClock) -> None:
    """A suppression ends when it was said to."""
    suppressions.add(ADA, expires=timedelta(days=2))
    clock.advance(DAY)
    before = suppressions.is_suppressed(ADA)
    clock.advance(DAY + 1)
    assert (before, suppressions.is_suppressed(ADA), list(suppressions)) == (True, False, [])


def test_the_longer_one_stays(suppressions: SuppressionList) -> None:
    """A suppression for ever is not shortened by one for a day."""
    suppressions.add(ADA)
    suppressions.add(ADA, expires=DAY)
    (entry,) = suppressions
    assert entry.expires is None


def test_no_address_in_the_store(tmp_path: Path) -> None:
    """The file of a list holds no address, unless it was asked to; the domain is kept, to undo an outage."""
    path = tmp_path / "list.db"
    store = SQLiteStore(path)
    suppressions = SuppressionList(store)
    lovelace = "ada.lovelace@one.example"
    suppressions.apply(replace(DEAD, recipient=lovelace, event_id="e-1"))
    suppressions.apply(replace(soft(FixedClock()), recipient=lovelace))
    store.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    # Long enough that no digest or ciphertext spells it by chance.
    assert (b"lovelace" in kept.lower(), b"@one.example" in kept) == (False, False)


def test_addresses_in_clear(store: Documents, clock: FixedClock) -> None:
    """On request the addresses are kept, to be read again."""
    suppressions = SuppressionList(store, clear=True, clock=clock)
    suppressions.add(ADA)
    assert [entry.address for entry in suppressions] == [ADA]


def test_an_entry_shows_no_address(suppressions: SuppressionList) -> None:
    """An entry in a log tells nobody's address."""
    assert "one.example" not in str(suppressions.add(ADA))


def test_the_recipient_checker_asks_the_list(suppressions: SuppressionList) -> None:
    """A checker that was given the list says that a suppressed address bounces."""
    suppressions.apply(replace(DEAD, recipient="ada@sender.fr"))
    checker = RecipientChecker(dns=False, bounced=suppressions)
    assert [str(checker.check(a).verdict) for a in ("ada@sender.fr", "bob@sender.fr")] == [
        "undeliverable",
        "unknown",
    ]


@pytest.mark.parametrize("settings", [{"soft_limit": 0}, {"disabled_limit": 0}])
def test_settings_that_make_no_sense(settings: dict[str, int]) -> None:
    """A limit of no bounces is said to be none."""
    with pytest.raises(ConfigurationError):
        SuppressionList(MemoryStore(), **settings)  # type: ignore[arg-type]


def test_no_address(suppressions: SuppressionList) -> None:
    """What is no address is not added, and the error does not repeat it."""
    with pytest.raises(ConfigurationError) as caught:
        suppressions.add("ada.one.example")
    assert "ada" not in str(caught.value)


EVENTS = st.lists(
    st.builds(
        Event,
        st.sampled_from([EventType.BOUNCED, EventType.DEFERRED, EventType.COMPLAINED]),
        st.sampled_from(["a@x.example", "b@x.example"]),
        action=st.sampled_from([Action.SUPPRESS, Action.NONE, Action.PAUSE_FLOW]),
        reason=st.sampled_from([BounceReason.MAILBOX_UNKNOWN, BounceReason.POLICY]),
        event_id=st.sampled_from(["1", "2", "3"]),
    ),
    max_size=8,
)


@pytest.mark.property
@given(EVENTS)
def test_twice_is_once(events: list[Event]) -> None:
    """A feed that is played twice leaves the list as playing it once does."""
    once, twice = (SuppressionList(MemoryStore(), clock=FixedClock()) for _ in range(2))
    for event in events:
        once.apply(event)
    for event in [*events, *events]:
        twice.apply(event)
    found = [
        [each.is_suppressed(address) for address in ("a@x.example", "b@x.example")] for each in (once, twice)
    ]
    assert found[0] == found[1]


WORKER = """
import sys
from mailflows.feedback import SuppressionList
from mailflows.limits import SQLiteStore

suppressions = SuppressionList(SQLiteStore(sys.argv[1]))
for number in range(10_000):
    suppressions.add(f"user{number}@one.example")
    print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """Whatever was acknowledged before ``kill -9`` in the middle of 10,000 is there afterwards."""
    path = tmp_path / "list.db"
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(path)], stdout=subprocess.PIPE, encoding="ascii"
    ) as worker:
        assert worker.stdout is not None
        acknowledged = [int(line) for line, _ in zip(worker.stdout, range(700), strict=False)]
        worker.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in worker.stdout if line.endswith("\n")]
    store = SQLiteStore(path)
    suppressions = SuppressionList(store)
    lost = [number for number in acknowledged if not suppressions.is_suppressed(f"user{number}@one.example")]
    store.close()
    assert (700 <= len(acknowledged) < 10_000, lost) == (True, [])


@pytest.mark.parametrize("name", ["ada", "undisclosed-recipients:;", "\ud800", ""])
def test_a_recipient_that_is_no_address_stops_nothing(suppressions: SuppressionList, name: str) -> None:
    """A provider that names somebody without an address causes nothing, and the next event is applied."""
    events = [replace(DEAD, recipient=name), DEAD]
    assert [suppressions.apply(event) is None for event in events] == [True, False]


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_an_impossible_time_neither_fails_nor_counts_twice(
    suppressions: SuppressionList, clock: FixedClock, year: int
) -> None:
    """A report may say any date: it counts as one day, and makes no other day forgotten."""
    for _ in range(4):
        suppressions.apply(soft(clock))
        clock.advance(DAY)
    suppressions.apply(replace(soft(clock), time=datetime(year, 6, 1, tzinfo=UTC)))
    suppressions.apply(soft(clock))
    assert suppressions.is_suppressed(ADA)


def test_half_a_character_is_no_address(store: Documents, clock: FixedClock) -> None:
    """A lone surrogate, as JSON may hold one, is part of no address, and of no entry."""
    suppressions = SuppressionList(store, clear=True, clock=clock)
    assert suppressions.apply(replace(DEAD, recipient="\ud800@one.example"), list="\ud800") is None
    suppressions.add(ADA, list="\ud800")
    assert [entry.address for entry in suppressions] == [ADA]


@pytest.mark.parametrize(
    "text", ["@@@@", "x@", "@y", "a b@c d", "a@b@c.example", "a@b.example, c@d.example", "a@b..example"]
)
def test_what_is_no_address_is_refused(suppressions: SuppressionList, text: str) -> None:
    """What is not exactly one address is refused, not kept as an entry that suppresses nobody."""
    with pytest.raises(ConfigurationError, match="this is not a single address"):
        suppressions.add(text)


@pytest.mark.parametrize(
    "spelling",
    [
        "Ada <ada@one.example>",
        "<ada@one.example>",
        "mailto:ada@one.example",
        '"ada"@one.example',
        "ada@one.example (x)",
    ],
)
def test_an_address_with_its_wrapping(suppressions: SuppressionList, spelling: str) -> None:
    """The mailbox counts, not what stands around it: asked and added."""
    suppressions.add(ADA)
    assert suppressions.is_suppressed(spelling)
    assert suppressions.add(spelling).key == suppressions.add(ADA).key


def test_asking_in_the_wrong_way(suppressions: SuppressionList) -> None:
    """``in`` would not know the flow, so there is none."""
    with pytest.raises(TypeError):
        ADA in suppressions  # type: ignore[operator]  # noqa: B015


@pytest.mark.parametrize("address", [None, 5, b"ada@one.example"])
def test_an_address_of_a_wrong_type_is_a_clear_error(suppressions: SuppressionList, address: Any) -> None:
    """What is no text is told what is expected, asked or added."""
    for verb in (suppressions.add, suppressions.find, suppressions.remove):
        with pytest.raises(ConfigurationError, match="an address must be text"):
            verb(address)


def test_an_end_beyond_a_century_is_none(suppressions: SuppressionList) -> None:
    """Infinity is for ever, and so is what no calendar holds."""
    ends = [suppressions.add(ADA, expires=end).expires for end in (float("inf"), 1e20)]
    assert (ends, suppressions.is_suppressed(ADA)) == ([None, None], True)


@pytest.mark.parametrize("end", [float("nan"), "tomorrow", datetime(2100, 1, 1)])  # noqa: DTZ001 -- the mistake
def test_an_end_that_is_none_is_a_clear_error(suppressions: SuppressionList, end: Any) -> None:
    """Not-a-number, a word and a moment without a zone are told what is expected."""
    with pytest.raises(ConfigurationError, match="expires"):
        suppressions.add(ADA, expires=end)


@pytest.mark.parametrize(
    "setting",
    [
        {"soft_limit": 1.5},
        {"soft_limit": None},
        {"disabled_limit": float("nan")},
        {"soft_window": float("inf")},
        {"soft_window": -1.0},
        {"remember": 0},
        {"remember": float("nan")},
        {"soft_expires": float("inf")},
    ],
)
def test_a_setting_that_can_hold_nothing(store: Documents, setting: dict[str, Any]) -> None:
    """A setting under which nothing could be remembered is refused at once, not at the first bounce."""
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        SuppressionList(store, **setting)


@pytest.mark.parametrize("damage", [b"", b"\xff", b"[]", b"{}", b'{"key":1,"reason":"x","time":5}'])
class TestADamagedEntry:
    """An entry that cannot be read."""

    def put(self, suppressions: SuppressionList, damage: bytes) -> None:
        """Damage the entry of one address, beside a sound one."""
        suppressions.add(ADA)
        suppressions.add("bob@one.example")
        store = suppressions.store
        key = next(key for key, document in store.scan("suppressed:") if self.digest(suppressions) in key)
        assert store.swap(key, store.load(key), damage)

    def digest(self, suppressions: SuppressionList) -> str:
        """Return the hash of the address."""
        return suppressions.entry(ADA).key

    def test_still_suppresses(self, suppressions: SuppressionList, damage: bytes) -> None:
        """That it is there is enough to know: nobody is written to because of a damaged file."""
        self.put(suppressions, damage)
        found = suppressions.find(ADA)
        assert found is not None
        assert found.reason == "damaged"

    def test_does_not_hide_the_others(self, suppressions: SuppressionList, damage: bytes) -> None:
        """All others are listed, for an export."""
        self.put(suppressions, damage)
        assert len(list(suppressions)) == 1

    def test_is_mended_by_the_next(self, suppressions: SuppressionList, damage: bytes) -> None:
        """The next time that the address is suppressed, its entry is whole again."""
        self.put(suppressions, damage)
        suppressions.add(ADA, reason="again", expires=DAY)
        found = suppressions.find(ADA)
        assert found is not None
        assert found.reason == "again"


def test_damaged_days_begin_again(suppressions: SuppressionList, clock: FixedClock) -> None:
    """Soft bounces that cannot be read are forgotten, and the new one is counted."""
    suppressions.apply(soft(clock))
    ((key, document),) = suppressions.store.scan("bounces:")
    suppressions.store.swap(key, document, b"{")
    assert suppressions.apply(soft(clock)) is None


def test_a_list_names_no_address() -> None:
    """It says how many are on it, and why."""
    suppressions = SuppressionList(MemoryStore(), clear=True)
    suppressions.add(ADA)
    assert repr(suppressions) == "<SuppressionList: 1 entry (manual 1)>"
    assert ADA not in repr(suppressions)


def test_a_flow_may_be_its_word(store: Documents) -> None:
    """And a word that is none never means "not suppressed"."""
    suppressions = SuppressionList(store)
    suppressions.add(ADA, flow="marketing")
    assert suppressions.is_suppressed(ADA, flow=Flow.MARKETING)
    with pytest.raises(ValueError, match="newsletter"):
        suppressions.is_suppressed(ADA, flow="newsletter")


def test_an_event_has_a_flow_that_exists() -> None:
    """A word becomes the flow, and another is told before it is kept anywhere."""
    assert Event(EventType.COMPLAINED, ADA, flow="marketing").flow is Flow.MARKETING  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="newsletter"):
        Event(EventType.COMPLAINED, ADA, flow="newsletter")  # type: ignore[arg-type]
