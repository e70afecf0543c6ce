"""One behaviour of all stores: what is decided, kept, given back and forgotten."""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from dict_store import DictStore
from mailflows._stores import BucketMeter, DistinctMeter, DocumentKeeper, GcraMeter, Outcome, WindowMeter
from mailflows._stores._keys import KeyRing
from mailflows.errors import ConfigurationError, StoreError
from mailflows.limits import MemoryStore, SQLiteStore
from mailflows.testing import FixedClock, store_contract

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mailflows.limits import Store

HOUR = 3600.0
WINDOW = WindowMeter("window", 3, HOUR)
GCRA = GcraMeter("gcra", 10, HOUR, 4)
DISTINCT = DistinctMeter("distinct", 3, HOUR)
STRICT = WindowMeter("strict", 2, HOUR, strict=True)
STRICT_GCRA = GcraMeter("strict-gcra", 2, HOUR, 2, strict=True)
STRICT_DISTINCT = DistinctMeter("strict-distinct", 2, HOUR, strict=True)
BUCKET = BucketMeter("bucket", 5, HOUR)
BOTH = pytest.mark.parametrize("meter", [WINDOW, GCRA, BUCKET], ids=lambda meter: meter.id)


def reading(store: Store, meter: Any, key: str = "k") -> tuple[float, float]:
    """Return how much is used, and the seconds until nothing is, rounded as no user would notice."""
    nothing: Any = () if isinstance(meter, DistinctMeter) else 0
    ((used, empty_in, _),) = store.decide([(meter, key, nothing)], look=True).readings()
    return round(used, 4), round(empty_in, 3)


def take(store: Store, meter: Any, amount: Any = 1, **how: Any) -> Outcome:
    """Take from one meter."""
    return store.decide([(meter, "k", amount)], **how)


@BOTH
def test_takes_what_fits_and_no_more(store: Store, meter: Any) -> None:
    """Exactly the capacity is let through at once."""
    taken = [take(store, meter).allowed for _ in range(meter.capacity + 2)]
    assert taken == [True] * meter.capacity + [False] * 2


def test_keys_and_meters_are_apart(store: Store) -> None:
    """What one key, or one rule, has used up does not limit another."""
    take(store, WINDOW, 3)
    assert store.decide([(WINDOW, "other", 3), (GCRA, "k", 4)]).allowed


@pytest.mark.parametrize("order", [1, -1])
def test_all_or_none(store: Store, order: int) -> None:
    """Where one of several does not fit, nothing is taken from any, whatever their order."""
    take(store, WINDOW, 3)
    before = [reading(store, meter) for meter in (WINDOW, GCRA, DISTINCT)]
    charges: list[Any] = [(GCRA, "k", 1), (DISTINCT, "k", ("a",)), (WINDOW, "k", 1)]
    assert not store.decide(charges[::order]).allowed
    assert [reading(store, meter) for meter in (WINDOW, GCRA, DISTINCT)] == before


@BOTH
def test_refusal_changes_nothing(store: Store, meter: Any) -> None:
    """A refused attempt leaves the state as it was."""
    take(store, meter, meter.capacity)
    before = reading(store, meter)
    take(store, meter)
    assert reading(store, meter) == before


@BOTH
def test_look_changes_nothing(store: Store, meter: Any) -> None:
    """A look, however often, takes nothing."""
    take(store, meter)
    before = reading(store, meter)
    for _ in range(5):
        take(store, meter, look=True)
    assert reading(store, meter) == before


@BOTH
def test_look_predicts(store: Store, meter: Any) -> None:
    """A look says what a taking at the same moment then does."""
    for _ in range(meter.capacity + 2):
        looked = take(store, meter, look=True)
        taken = take(store, meter)
        assert looked.allowed == taken.allowed
        assert looked.wait == pytest.approx(taken.wait, abs=1e-5)


@BOTH
def test_wait_is_exact(store: Store, clock: FixedClock, meter: Any) -> None:
    """What was refused fits after the wait that was said, and not 10 ms earlier."""
    take(store, meter, meter.capacity)
    wait = take(store, meter).wait
    clock.advance(wait - 0.01)
    assert not take(store, meter, look=True).allowed
    clock.advance(0.01)
    assert take(store, meter).allowed


@pytest.mark.parametrize("meter", [WINDOW, GCRA, STRICT], ids=lambda meter: meter.id)
def test_more_than_the_capacity_never_fits(store: Store, meter: Any) -> None:
    """An amount that is larger than the whole limit is told so at once."""
    assert take(store, meter, meter.capacity + 1).wait == math.inf


def test_more_values_than_the_limit_never_fit(store: Store) -> None:
    """More different values than the limit are told so at once."""
    assert take(store, DISTINCT, ("a", "b", "c", "d")).wait == math.inf


def test_zero_always_fits(store: Store) -> None:
    """An attempt that costs nothing passes where nothing is left."""
    take(store, WINDOW, 3)
    take(store, GCRA, 4)
    assert store.decide([(WINDOW, "k", 0), (GCRA, "k", 0)]).allowed


def test_strict_window_counts_refusals(store: Store, clock: FixedClock) -> None:
    """Who knocks on a strict limit while it is closed is refused for a whole window after that."""
    take(store, STRICT, 2)
    clock.advance(HOUR - 60)
    take(store, STRICT, 2)
    clock.advance(120)
    assert take(store, STRICT).wait == pytest.approx(HOUR - 120)


def test_strict_gcra_counts_refusals_up_to_its_capacity(store: Store) -> None:
    """However often one knocks, a strict steady limit is at most full."""
    for _ in range(20):
        take(store, STRICT_GCRA)
    assert reading(store, STRICT_GCRA) == (2, HOUR)


def test_strict_distinct_counts_refusals(store: Store, clock: FixedClock) -> None:
    """A refused new value makes the oldest one count anew, so that room comes later."""
    for value in ("a", "b"):
        take(store, STRICT_DISTINCT, (value,))
        clock.advance(60)
    assert take(store, STRICT_DISTINCT, ("c",)).wait == pytest.approx(HOUR - 60)


def test_strict_distinct_remembers_no_refused_value(store: Store) -> None:
    """A refused value is no seen one: it is refused as often as it comes."""
    take(store, STRICT_DISTINCT, ("a", "b"))
    assert [take(store, STRICT_DISTINCT, ("c",)).allowed for _ in range(3)] == [False] * 3


@pytest.mark.parametrize("meter", [STRICT, STRICT_GCRA], ids=lambda meter: meter.id)
def test_strict_look_counts_nothing(store: Store, meter: Any) -> None:
    """A look at a closed strict limit is no attempt."""
    take(store, meter, 2)
    before = reading(store, meter)
    take(store, meter, look=True)
    assert reading(store, meter) == before


@pytest.mark.parametrize("meter", [STRICT, STRICT_GCRA], ids=lambda meter: meter.id)
def test_strict_huge_attempt_is_cheap(store: Store, meter: Any) -> None:
    """A refused attempt of a billion units costs no more time or memory than the limit is large."""
    take(store, meter, 10**9)
    assert reading(store, meter)[0] == 2


def test_lease_runs_out(store: Store, clock: FixedClock) -> None:
    """What was reserved and never settled is free when the lease has ended."""
    take(store, WINDOW, 3, lease=60.0)
    clock.advance(59)
    assert not take(store, WINDOW, look=True).allowed
    clock.advance(1)
    assert take(store, WINDOW, 3).allowed


def test_kept_reservation_stays(store: Store, clock: FixedClock) -> None:
    """What was reserved and kept counts for the whole window from when it was taken."""
    outcome = take(store, WINDOW, 3, lease=60.0)
    clock.advance(30)
    store.settle(outcome, keep=True)
    clock.advance(HOUR - 31)
    assert take(store, WINDOW, look=True).wait == pytest.approx(1.0, abs=1e-5)


def test_late_keeping_counts(store: Store, clock: FixedClock) -> None:
    """What is kept after its lease has ended was sent, so it counts."""
    outcome = take(store, WINDOW, 3, lease=60.0)
    clock.advance(90)
    store.settle(outcome, keep=True)
    assert reading(store, WINDOW)[0] == 3


@BOTH
@pytest.mark.parametrize("lease", [None, 60.0])
def test_return_gives_back(store: Store, meter: Any, lease: float | None) -> None:
    """What is given back at once is as if it had never been taken."""
    take(store, meter)
    before = reading(store, meter)
    store.settle(take(store, meter, 2, lease=lease), keep=False)
    assert reading(store, meter) == before


def test_return_to_gcra_never_gives_back_what_has_drained(store: Store, clock: FixedClock) -> None:
    """What is given back late frees only what the steady rate has not freed since."""
    single = GcraMeter("single", 1, 10.0, 1)
    first = take(store, single)
    clock.advance(10)
    assert take(store, single).allowed
    store.settle(first, keep=False)
    assert not take(store, single).allowed


def test_return_to_gcra_gives_back_what_cannot_have_drained(store: Store, clock: FixedClock) -> None:
    """What is given back after a sixth of its interval is given back for five sixths."""
    take(store, GCRA, 3)
    last = take(store, GCRA)
    clock.advance(60)
    used, _ = reading(store, GCRA)
    store.settle(last, keep=False)
    assert reading(store, GCRA)[0] == pytest.approx(used - 5 / 6, abs=1e-3)


def test_booking_takes_the_first_moment(store: Store, clock: FixedClock) -> None:
    """Who can wait gets the first moment that fits, and the next one the moment after it."""
    take(store, WINDOW)
    clock.advance(60)
    take(store, WINDOW, 2)
    waits = [take(store, WINDOW, within=2 * HOUR).wait for _ in range(4)]
    assert waits == pytest.approx([HOUR - 60, HOUR, HOUR, 2 * HOUR - 60], abs=1e-4)


def test_booking_later_than_within_is_refused(store: Store) -> None:
    """A moment that comes too late is not booked."""
    take(store, WINDOW, 3)
    outcome = take(store, WINDOW, within=HOUR - 1)
    assert outcome.at is None
    assert outcome.wait == pytest.approx(HOUR)


def test_booking_never_is_refused(store: Store) -> None:
    """What never fits is not booked, however long one would wait."""
    assert take(store, WINDOW, 4, within=1e300).at is None


def test_booked_moments_outlive_the_window(store: Store, clock: FixedClock) -> None:
    """A moment far ahead is still booked when many windows have passed."""
    single = GcraMeter("far", 1, 10.0, 1)
    for _ in range(10):
        take(store, single, within=1000.0)
    clock.advance(55)
    assert take(store, single, look=True).wait == pytest.approx(45, abs=1e-4)


def test_seen_value_costs_nothing(store: Store) -> None:
    """A value that was seen in the window passes where no new one does."""
    take(store, DISTINCT, ("a", "b", "c"))
    assert [take(store, DISTINCT, (v,)).allowed for v in "abcd"] == [True, True, True, False]


def test_seen_value_is_refreshed(store: Store, clock: FixedClock) -> None:
    """A value that comes again counts for a whole window from then."""
    take(store, DISTINCT, ("a", "b", "c"))
    clock.advance(HOUR / 2)
    take(store, DISTINCT, ("a",))
    clock.advance(HOUR / 2)
    assert reading(store, DISTINCT)[0] == 1


def test_same_value_twice_is_one(store: Store) -> None:
    """A value that stands twice in one attempt counts once."""
    take(store, DISTINCT, ("a", "a", "a", "b"))
    assert reading(store, DISTINCT)[0] == 2


@pytest.mark.parametrize("lease", [None, 60.0])
def test_returned_new_value_is_forgotten(store: Store, lease: float | None) -> None:
    """A new value whose mail was not sent is given back."""
    store.settle(take(store, DISTINCT, ("a",), lease=lease), keep=False)
    assert reading(store, DISTINCT)[0] == 0


@pytest.mark.parametrize("lease", [None, 60.0])
def test_returned_seen_value_stays(store: Store, clock: FixedClock, lease: float | None) -> None:
    """A value that was seen before stays seen when a later mail to it was not sent."""
    take(store, DISTINCT, ("a",))
    clock.advance(60)
    store.settle(take(store, DISTINCT, ("a",), lease=lease), keep=False)
    assert reading(store, DISTINCT)[0] == 1


def test_exact_to_a_thousand(store: Store) -> None:
    """A thousand different values fit a limit of a thousand, and not one more."""
    meter = DistinctMeter("thousand", 1000, HOUR)
    for start in range(0, 1000, 100):
        take(store, meter, tuple(f"v{n}" for n in range(start, start + 100)))
    assert [take(store, meter, (f"v{n}",)).allowed for n in (0, 999, 1000)] == [True, True, False]


def test_clock_set_back_locks_nobody_out(store: Store, clock: FixedClock) -> None:
    """A clock that is set back an hour costs nobody more than a window from now."""
    take(store, WINDOW, 3)
    clock.advance(-HOUR)
    assert take(store, WINDOW).wait == pytest.approx(HOUR)


def test_clock_set_back_lets_nobody_through_twice(store: Store, clock: FixedClock) -> None:
    """After the clock was set back, a window of real time still has no more than its limit."""
    take(store, WINDOW, 3)
    clock.advance(-HOUR)
    allowed = 0
    for _ in range(59):
        clock.advance(60)
        allowed += take(store, WINDOW).allowed
    assert allowed == 0


def test_document_is_swapped_only_by_who_saw_it(store: Store) -> None:
    """A document changes only for who knows what stood there."""
    answers = [
        store.swap("block:a", b"no", b"x"),
        store.swap("block:a", None, b"one"),
        store.swap("block:a", None, b"two"),
        store.swap("block:a", b"one", b"two"),
    ]
    assert (answers, store.load("block:a")) == ([False, True, False, True], b"two")


def test_document_is_removed(store: Store) -> None:
    """A document that was removed is not there."""
    store.swap("a", None, b"")
    assert store.load("a") == b""
    assert store.swap("a", b"", None)
    assert store.load("a") is None


def test_documents_are_found_by_prefix(store: Store) -> None:
    """A scan yields what begins with the prefix and nothing else, each once; no sign is special."""
    for key in ("a:1", "a:2", "a*", "b:1", "[a", "a?\\"):
        store.swap(key, None, key.encode())
    assert sorted(store.scan("a:")) == [("a:1", b"a:1"), ("a:2", b"a:2")]
    assert [key for key, _ in store.scan("a*")] == ["a*"]
    assert len(list(store.scan(""))) == 6


def test_scan_of_thousands(store: Store) -> None:
    """A scan of more documents than one piece holds yields every one once."""
    for number in range(2500):
        store.swap(f"n:{number}", None, b"x")
    assert sorted(key for key, _ in store.scan("n:")) == sorted(f"n:{n}" for n in range(2500))


def test_update_changes_from_what_was(store: Store) -> None:
    """A change is a function of what stood there."""
    for _ in range(3):
        DocumentKeeper(store, kind="count").update("count", lambda old: str(int(old or b"0") + 1).encode())
    assert store.load("count") == b"3"


def test_digest_is_keyed_and_stable(store: Store) -> None:
    """A digest is 32 hexadecimal digits, the same every time, another for another text."""
    assert store.digest("ada@example.org") == store.digest("ada@example.org") != store.digest("b@example.org")
    assert len(bytes.fromhex(store.digest("ada@example.org"))) == 16


def test_counters_are_shared(two_stores: tuple[Store, Store]) -> None:
    """Two objects of one store count together."""
    one, other = two_stores
    assert [take(s, WINDOW).allowed for s in (one, other, one, other)] == [True, True, True, False]


def test_one_object_settles_what_the_other_took(two_stores: tuple[Store, Store]) -> None:
    """What one object took, another gives back, as another process would."""
    one, other = two_stores
    take(other, WINDOW)
    other.settle(take(one, WINDOW, 2), keep=False)
    assert reading(one, WINDOW)[0] == 1


def test_secret_is_shared(two_stores: tuple[Store, Store]) -> None:
    """Two objects of one store give the same digest."""
    one, other = two_stores
    assert one.digest("ada@example.org") == other.digest("ada@example.org")


def test_documents_are_shared(two_stores: tuple[Store, Store]) -> None:
    """What one object wrote, the other reads."""
    one, other = two_stores
    one.swap("a", None, b"x")
    assert other.load("a") == b"x"


def test_own_secret_is_not_in_the_file(tmp_path: Path) -> None:
    """Whoever has the file alone has not the key of its hashes."""
    secret = b"kept in another place"
    store = SQLiteStore(tmp_path / "limits.db", secret=secret)
    digest = store.digest("ada@example.org")
    store.swap(digest, None, b"x")
    store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert digest.encode() in kept
    assert secret not in kept
    other = SQLiteStore(tmp_path / "limits.db")
    with pytest.raises(StoreError, match="none was given"):
        other.digest("ada@example.org")
    other.close()


def test_short_secret_is_refused(tmp_path: Path) -> None:
    """A secret that can be guessed is none."""
    with pytest.raises(ConfigurationError, match="16 bytes"):
        SQLiteStore(tmp_path / "limits.db", secret=b"short")


def test_expired_documents_leave_the_file(tmp_path: Path) -> None:
    """What has ended is dropped when the next document with an end is written."""
    clock = FixedClock()
    store = SQLiteStore(tmp_path / "limits.db", clock=clock)
    for number in range(100):
        store.swap(f"old:{number}", None, b"x", ttl=10)
    clock.advance(11)
    store.swap("new", None, b"x", ttl=10)
    with store._file.transaction() as cursor:
        assert cursor.execute("SELECT key FROM documents").fetchall() == [("keys",), ("new",)]
    store.close()


def test_a_rate_that_slows_down_is_not_forgotten(store: Store, clock: FixedClock) -> None:
    """A meter whose interval grows, as a pace does, limits for the longer time."""
    quick, slow = GcraMeter("pace", 1, 1.0, 1), GcraMeter("pace", 1, 100.0, 1)
    take(store, quick)
    clock.advance(5)
    take(store, slow)
    for _ in range(9):
        clock.advance(10)
        assert take(store, quick, 1).wait > 0.0


def test_every_store_keeps_the_contract(store: Store) -> None:
    """What a store of somebody else is tried against holds for ours."""
    store_contract(store)


class _Leaky(MemoryStore):
    """A store that takes part of what does not fit."""

    def decide(self, charges: Any, **how: Any) -> Outcome:
        """Take what fits of each charge by itself."""
        found = [super(_Leaky, self).decide([charge], **how) for charge in charges]
        return super().decide(charges, look=True) if any(one.at is None for one in found) else found[0]


def test_a_store_that_breaks_the_contract_is_told_how() -> None:
    """A sentence says what does not hold."""
    with pytest.raises(AssertionError, match="a refusal changes nothing"):
        store_contract(_Leaky())


class _Unlocked(DictStore):
    """A store that lets others in."""

    @contextmanager
    def transaction(self, keys: Sequence[str]) -> Iterator[DictStore]:
        """Lock nothing."""
        del keys
        yield self


class _Half(DictStore):
    """A store that keeps what was put before an error."""

    @contextmanager
    def transaction(self, keys: Sequence[str]) -> Iterator[DictStore]:
        """Lock, and undo nothing."""
        del keys
        with self._lock:
            yield self


class _Keeping(DictStore):
    """A store that removes nothing."""

    def put(self, key: str, value: bytes | None, until: float) -> None:
        """Write what is a value."""
        if value is not None:
            super().put(key, value, until)


class _Short(DictStore):
    """A store whose bytes end at the first zero, as texts in C do."""

    def put(self, key: str, value: bytes | None, until: float) -> None:
        """Write the beginning."""
        super().put(key, value and value.partition(b"\0")[0], until)


class _Pattern(DictStore):
    """A store that looks for a prefix with a pattern."""

    def rows(self, prefix: str) -> list[tuple[str, bytes, float]]:
        """Take an underscore for any character, as LIKE does."""
        found = re.compile(re.escape(prefix).replace("_", "."))
        return [(key, *row) for key, row in self._kept.items() if found.match(key)]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (_Unlocked, "locks a row that is not there yet"),
        (_Half, "undoes what ends with an error"),
        (_Keeping, "put.. of None removes the row"),
        (_Short, "any bytes"),
        (_Pattern, "a prefix as it is written"),
    ],
)
def test_rows_that_break_the_contract_are_told_how(
    kind: type[DictStore], said: str, clock: FixedClock
) -> None:
    """Each mistake that a database invites has a sentence."""
    with pytest.raises(AssertionError, match=said):
        store_contract(kind(clock))


class _Credulous(DictStore):
    """A store that takes any secret."""

    def _ring(self) -> KeyRing:
        return self._keys.own or KeyRing(b"its own secret, for anyone")


@pytest.mark.parametrize("kind", [DictStore, _Credulous])
def test_a_store_that_takes_any_secret_breaks_the_contract(kind: type[DictStore], clock: FixedClock) -> None:
    """Who says how it is opened again has it tried with a secret that does not fit."""
    rows: dict[str, tuple[bytes, float]] = {}

    def again(secret: bytes) -> Store:
        return kind(clock, secret=[secret], kept=rows)

    store = again(b"the secret of the store")
    if kind is DictStore:
        store_contract(store, again=again)
        return
    with pytest.raises(AssertionError, match="another secret"):
        store_contract(store, again=again)


def test_reset_forgets_one_key(store: Store) -> None:
    """What was counted for a key is gone, and other keys are as they were."""
    store.decide([(WINDOW, "k", 3), (WINDOW, "other", 2)])
    store.reset([(WINDOW, "k", 0)])
    assert (reading(store, WINDOW)[0], reading(store, WINDOW, "other")[0]) == (0, 2)
