"""A store that is only looked at: what is decided and changed stays in memory."""

from __future__ import annotations

from mailflows._stores._read_only import ReadOnlyStore
from mailflows.limits import Limit, Limiter, MemoryStore


def test_a_change_is_seen_here_and_nowhere_else() -> None:
    """Documents read as they were changed here; the store beneath keeps its own."""
    store = MemoryStore()
    store.swap("a/1", None, b"old")
    store.swap("a/2", None, b"other")
    looked_at = ReadOnlyStore(store)
    assert looked_at.digest("ada") == store.digest("ada")
    assert looked_at.load("a/1") == b"old"
    assert looked_at.swap("a/1", b"old", b"new")
    assert looked_at.swap("a/2", b"other", None)
    assert looked_at.swap("b/1", None, b"beside")
    assert (looked_at.load("a/1"), looked_at.load("a/2")) == (b"new", None)
    assert dict(looked_at.scan("a/")) == {"a/1": b"new"}
    assert (store.load("a/1"), store.load("a/2"), store.load("b/1")) == (b"old", b"other", None)


def test_what_somebody_else_changed_is_not_overwritten() -> None:
    """A swap whose old value is not what is there changes nothing, as in every store."""
    looked_at = ReadOnlyStore(MemoryStore())
    assert not looked_at.swap("a", b"other", b"new")
    assert looked_at.load("a") is None


def test_a_decision_takes_nothing() -> None:
    """However often it is asked, the limit of one is not reached."""
    store = MemoryStore()
    limit = Limit("1/hour", per="account")
    looking = Limiter(limit, store=ReadOnlyStore(store))
    assert all(looking.acquire(account="ada") for _ in range(3))
    assert Limiter(limit, store=store).acquire(account="ada")
    assert not looking.acquire(account="ada")
