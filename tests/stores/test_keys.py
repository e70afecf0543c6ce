"""A store is opened with the secret that it was written with, or it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dict_store import DictStore
from mailflows._stores import WindowMeter
from mailflows._stores._keys import StoreKeys
from mailflows.errors import StoreError
from mailflows.feedback import SuppressionList
from mailflows.limits import Limit, Limiter, RedisStore, SQLiteStore
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mailflows.limits import Store

    Opened = Callable[..., Store]

OLD, NEW, OTHER = b"o" * 16, b"n" * 16, b"x" * 16
ADA = "ada@example.org"


@pytest.fixture(params=["sqlite", "redis", "rows"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Return what opens one and the same store with other secrets, as other processes would."""
    if request.param == "sqlite":
        return lambda *secrets: SQLiteStore(tmp_path / "limits.db", secret=secrets or None)
    if request.param == "redis":
        client = request.getfixturevalue("redis_client")()
        return lambda *secrets: RedisStore(client, secret=secrets or None, timeout=5.0)
    rows: dict[str, tuple[bytes, float]] = {}
    clock = FixedClock()
    return lambda *secrets: DictStore(clock, secret=secrets or None, kept=rows)


def _asked(store: Store) -> dict[str, Callable[[], object]]:
    return {
        "digest": lambda: store.digest("ada"),
        "load": lambda: store.load("x:y"),
        "swap": lambda: store.swap("x:y", None, b"z"),
        "scan": lambda: list(store.scan("x")),
        "decide": lambda: store.decide([(WindowMeter("m", 3, 60.0), "ada", 1)]),
    }


@pytest.mark.parametrize("verb", ["digest", "load", "swap", "scan", "decide"])
def test_another_secret_is_an_error_whatever_is_asked(opened: Opened, verb: str) -> None:
    """A store that is opened with another secret answers nothing: it would know nobody."""
    SuppressionList(opened(OLD)).add(ADA)
    with pytest.raises(StoreError, match="pass both, the new one first") as caught:
        _asked(opened(OTHER))[verb]()
    assert caught.value.is_lost
    assert SuppressionList(opened(OLD)).is_suppressed(ADA)


def test_no_secret_where_one_is_needed_is_an_error(opened: Opened) -> None:
    """Who gives no secret to a store that was made with one is told to give it."""
    SuppressionList(opened(OLD)).add(ADA)
    with pytest.raises(StoreError, match="none was given"):
        SuppressionList(opened()).is_suppressed(ADA)


def test_counters_alone_are_enough_to_tell(opened: Opened) -> None:
    """A store that only counts knows its secret, too: another one would be a fresh quota."""
    limiter = Limiter(Limit("1/day", per="recipient"), store=opened(OLD))
    assert limiter.acquire(to=ADA)
    again = Limiter(Limit("1/day", per="recipient"), store=opened(OTHER))
    assert not again.acquire(to=ADA)


def test_a_secret_is_changed_in_steps(opened: Opened) -> None:
    """Both secrets open it in either order, then the new one alone once nothing of the old one is left."""
    SuppressionList(opened(OLD)).add(ADA)
    for ring in ((OLD, NEW), (NEW, OLD)):
        assert SuppressionList(opened(*ring)).is_suppressed(ADA)
    with pytest.raises(StoreError, match="older secret"):
        SuppressionList(opened(NEW)).is_suppressed(ADA)
    SuppressionList(opened(NEW, OLD)).remove(ADA)
    assert not SuppressionList(opened(NEW)).is_suppressed(ADA)


def test_who_has_only_the_old_secret_is_told_that_it_was_changed(opened: Opened) -> None:
    """A process that was not restarted with the new secret would miss what is written by it."""
    SuppressionList(opened(OLD)).add(ADA)
    SuppressionList(opened(NEW, OLD)).add("eve@example.org")
    with pytest.raises(StoreError, match="secret"):
        SuppressionList(opened(OLD)).is_suppressed("eve@example.org")


def test_a_secret_of_ones_own_replaces_that_of_the_store(opened: Opened) -> None:
    """What was written by the secret that the store made is found by who gives one, and only by them."""
    SuppressionList(opened()).add(ADA)
    for _ in range(2):
        assert SuppressionList(opened(NEW)).is_suppressed(ADA)
    SuppressionList(opened(NEW)).add("eve@example.org")
    with pytest.raises(StoreError, match="none was given"):
        SuppressionList(opened()).is_suppressed(ADA)
    assert SuppressionList(opened(b"later" * 4, NEW)).is_suppressed(ADA)


def test_the_note_of_the_keys_tells_no_key(opened: Opened) -> None:
    """What is kept to know a secret again is a short hash of it, the same each time."""
    store = opened(OLD)
    store.digest("ada")
    note = store.load("keys")
    assert note is not None
    assert len(note) == 16
    assert OLD not in note
    opened(OLD).digest("ada")
    assert store.load("keys") == note


def _without_note(store: Store) -> None:
    """Make of a store one that an earlier release has written."""
    store.swap("keys", store.load("keys"), None)


def test_a_store_without_the_note_is_known_by_its_documents(opened: Opened) -> None:
    """A store of an earlier release opens with its secret, and with no other."""
    store = opened(OLD)
    SuppressionList(store).add(ADA)
    _without_note(store)
    with pytest.raises(StoreError, match="secret"):
        SuppressionList(opened(OTHER)).is_suppressed(ADA)
    assert SuppressionList(opened(OLD)).is_suppressed(ADA)
    assert store.load("keys")
    assert "keys" not in dict(store.scan(""))


@pytest.mark.parametrize("secret", [(), (NEW,)])
def test_a_store_without_the_note_that_made_its_secret(opened: Opened, secret: tuple[bytes, ...]) -> None:
    """A store of an earlier release that made its secret opens without one, and with a new one."""
    store = opened()
    SuppressionList(store).add(ADA)
    _without_note(store)
    assert SuppressionList(opened(*secret)).is_suppressed(ADA)


def test_what_an_entry_of_a_list_says_is_found_by_the_new_secret(opened: Opened) -> None:
    """A key with two digests in it, the list's and the address's, is found after a change of the secret."""
    SuppressionList(opened(OLD)).add(ADA, reason="unsubscribed", list="news")
    after = SuppressionList(opened(NEW, OLD))
    assert after.is_suppressed(ADA, list="news")
    assert after.remove(ADA, list="news")
    assert not after.is_suppressed(ADA, list="news")


@pytest.mark.parametrize("scope", [{}, {"flow": "marketing"}, {"list": "news"}])
def test_a_person_is_forgotten_after_a_change_of_the_secret(opened: Opened, scope: dict[str, Any]) -> None:
    """What an older secret wrote of somebody is erased, too."""
    SuppressionList(opened(OLD)).add(ADA, **scope)
    after = SuppressionList(opened(NEW, OLD))
    assert after.forget(ADA) == 1
    assert not after.is_suppressed(ADA, **scope)
    assert list(after) == []


def test_a_process_that_goes_on_notices_a_change_within_a_second() -> None:
    """Who was not restarted with the new secret is told so, before it misses what that one wrote."""
    clock, rows = FixedClock(), dict[str, tuple[bytes, float]]()
    store = DictStore(clock, secret=[OLD], kept=rows)
    store._keys = StoreKeys([OLD], timer=clock)
    worker = SuppressionList(store)
    assert not worker.is_suppressed(ADA)
    SuppressionList(DictStore(clock, secret=[NEW, OLD], kept=rows)).add(ADA)
    clock.advance(1.0)
    with pytest.raises(StoreError, match="secret"):
        worker.is_suppressed(ADA)
