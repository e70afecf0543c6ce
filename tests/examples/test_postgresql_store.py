"""The example of a store of one's own: PostgreSQL, on a real server."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Gate, StoreError
from mailflows.feedback import SuppressionList, from_reply
from mailflows.limits import Limit, Limiter
from mailflows.senders import SenderControl
from mailflows.testing import store_contract
from postgresql_server import PostgreSQLServer
from three_flows import reset, three_flows

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples" / "postgresql_store"))
example = pytest.importorskip("postgresql_store", reason="psycopg is not installed")
psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQLServer]:
    """Return a server that runs."""
    with PostgreSQLServer() as running:
        yield running


@pytest.fixture
def store(server: PostgreSQLServer) -> Iterator[Any]:
    """Return a store of the example."""
    opened = example.PostgreSQLStore(server.url)
    yield opened
    opened.close()


def test_it_keeps_the_contract(server: PostgreSQLServer, store: Any) -> None:
    """It does all that limits and documents rely on, and opens with no other secret."""
    store_contract(store)
    opened: list[Any] = []

    def again(secret: bytes) -> Any:
        opened.append(example.PostgreSQLStore(server.url, secret=secret))
        return opened[-1]

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DELETE FROM mailflows")
        store_contract(again(b"the secret of the store"), again=again)
        connection.execute("DELETE FROM mailflows")
    for one in opened:
        one.close()


def test_two_processes_share_it(server: PostgreSQLServer, store: Any) -> None:
    """What one object wrote, another reads: hashes, counters, suppressed addresses."""
    other = example.PostgreSQLStore(server.url)
    assert other.digest("ada") == store.digest("ada")
    SuppressionList(store).apply(from_reply(550, "5.1.1 User unknown", recipient="eve@example.org"))
    assert SuppressionList(other).is_suppressed("Eve@example.org")
    other.close()


def test_threads_take_no_more_than_there_is(store: Any) -> None:
    """Of forty who ask at once for seven, seven get one, in two limits that are decided on together."""
    limits = (Limit("7/day", per="account", name="threads"), Limit("9/day", per="form", name="threads too"))
    limiter = Limiter(*limits, store=store)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(limiter.acquire, account="ada", form="contact") for _ in range(40)]
        assert sum(bool(one.result()) for one in asked) == 7


def test_a_gate_stands_on_it(store: Any) -> None:
    """The gate, its limits and its sender control work with it as with any store."""
    gate = Gate(
        three_flows(),
        limiter=Limiter(Limit("1/hour", per="recipient"), store=store),
        senders=SenderControl(store),
    )
    assert gate.check(reset(), flow="transactional")
    assert not gate.check(reset(), flow="transactional")


def test_what_has_ended_goes(store: Any) -> None:
    """A document with an end is not found behind it, and is deleted."""
    assert store.swap("senders:x", None, b"1", ttl=-1.0)
    assert (store.load("senders:x"), dict(store.scan("senders:"))) == (None, {})
    assert store.purge() >= 1


def test_a_server_that_is_down(server: PostgreSQLServer, store: Any) -> None:
    """It is a StoreError, so that policies decide; when it is back, it is used again."""
    assert store.load("nothing") is None
    server.stop()
    try:
        with pytest.raises(StoreError, match="PostgreSQL"):
            store.load("nothing")
    finally:
        server.start()
    assert store.load("nothing") is None
