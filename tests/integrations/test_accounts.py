"""Every recipient is accounted for: who is accepted gets the message once, of any other somebody is told.

The relay, which is made of sockets, counts what was delivered; the application counts what it was told.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from delivery_scenes import INTEGRATIONS, KINDS, raw, sending
from mailflows import StoreError
from mailflows.feedback import SuppressionList
from mailflows.gate import Tally
from mailflows.held import HeldMail
from mailflows.limits import Limit, Limiter, MemoryStore, SQLiteStore
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from smtp_server import MisbehavingRelay

if TYPE_CHECKING:
    from pathlib import Path

    from delivery_scenes import Sender

MESSAGES = 9
SENDER = KINDS["reset"][1]


class Down(MemoryStore):
    """A store that cannot be reached."""

    name = "Redis at 192.0.2.9"

    def _fail(self, *_: Any, **__: Any) -> Any:
        msg = "Redis at 192.0.2.9: Error 111, connection refused"
        raise StoreError(msg, store=self.name)

    load = swap = decide = settle = scan = _fail


class Dying(MemoryStore):
    """A store that is lost after some calls, in the middle of a message."""

    name = "Redis at 192.0.2.9"
    left = 40

    def _spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            msg = "Redis at 192.0.2.9: connection reset"
            raise StoreError(msg, store=self.name)

    def load(self, key: str) -> bytes | None:
        """Return a document, while it lives."""
        self._spend()
        return super().load(key)

    def swap(self, key: str, old: bytes | None, new: bytes | None, **how: Any) -> bool:
        """Change a document, while it lives."""
        self._spend()
        return super().swap(key, old, new, **how)


def every_part(store: Any) -> dict[str, Any]:
    """Return all parts of a gate that keep something, in one store."""
    return {
        "limiter": Limiter(Limit("1000/day", per="recipient"), store=store),
        "suppressions": SuppressionList(store),
        "reputation": Reputation(store),
        "senders": SenderControl(store),
        "held": HeldMail(store),
        "tally": Tally(store),
    }


def full(folder: Path) -> SQLiteStore:
    """Return a store on a disk that is full: SQLite says "database or disk is full" to whoever writes."""
    store = SQLiteStore(folder / "state.db")
    store.swap("first", None, b"1")
    cursor = store._file._cursor
    assert cursor is not None
    (pages,) = cursor.execute("PRAGMA page_count").fetchone()
    cursor.execute(f"PRAGMA max_page_count = {pages}")
    number = 0
    while True:
        try:
            store.swap(f"filler{number}", None, b"x" * 500)
        except StoreError:
            return store
        number += 1


def account(sender: Sender, relay: MisbehavingRelay) -> tuple[int, int]:
    """Send, and return how many recipients have the message, and of how many somebody was told."""
    everybody = set()
    for number in range(MESSAGES):
        to = [f"reader{number}@a.example.com", f"gone{number}@b.example.com"]
        sender.send(SENDER, to, raw(*to, number=number), attempts=1)
        everybody |= set(to)
    counts = relay.counts()
    reports = counts.pop(SENDER, 0)
    delivered = set(counts)
    assert max(counts.values(), default=1) == 1, "nobody has it twice"
    assert delivered | sender.told == everybody, "nobody is left out"
    assert not delivered & sender.told, "nobody has it who was told that it was not sent"
    assert reports == 0, "each was told at once"
    return len(delivered), len(sender.told)


@pytest.mark.parametrize("by", INTEGRATIONS)
@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        ({}, (18, 0)),
        ({"is_down": True}, (0, 18)),
        ({"mail": "451 4.3.0 not now"}, (0, 18)),
        ({"mail": "550 5.7.1 not you"}, (0, 18)),
        ({"final_dot": ["451 4.3.0 not now", "250 ok"] * 9}, (8, 10)),
        ({"final_dot": ["421 4.3.0 closing", "250 ok"] * 9}, (8, 10)),
        ({"final_dot": ["250 ok", "drop", "554 5.7.1 no"] * 9}, (6, 12)),
        ({"close_after": 2}, (18, 0)),
        ({"rcpt": {"gone*": "550 5.1.1 no such user"}}, None),  # after some, the sender is stopped
        ({"rcpt": {"gone*": "452 4.2.2 full"}}, (9, 9)),
        ({"first": {"gone*": "421 4.3.0 closing"}}, None),  # who named them to the gate one by one loses one
    ],
    ids=[
        *("well", "down", "mail-4xx", "mail-5xx", "data-4xx", "data-421", "drop-and-5xx", "close-between"),
        *("half-refused", "half-deferred", "421-in-the-middle"),
    ],
)
def test_a_relay_that_fails(
    by: str,
    relay: dict[str, Any],
    expected: tuple[int, int] | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Wherever it fails, delivered and told are everybody."""
    parts = every_part(SQLiteStore(tmp_path / "state.db"))
    with MisbehavingRelay(**relay) as server, sending(by, server, monkeypatch, **parts) as sender:
        found = account(sender, server)
        assert sum(found) == 2 * MESSAGES
        assert expected is None or found == expected


@pytest.mark.parametrize("by", INTEGRATIONS)
@pytest.mark.parametrize("how", ["down", "dying", "full"])
def test_a_store_that_fails(
    by: str, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Down, lost in the middle, or on a full disk: everybody is accounted for, and the log has one outage."""
    store: Any = {"down": Down, "dying": Dying}[how]() if how != "full" else full(tmp_path)
    caplog.set_level(logging.INFO, logger="mailflows")
    with MisbehavingRelay() as relay, sending(by, relay, monkeypatch, **every_part(store)) as sender:
        delivered, told = account(sender, relay)
    assert delivered + told == 2 * MESSAGES
    if how == "down":
        assert (delivered, told) == (0, 18), "suppressions that cannot be read defer"
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if line.startswith("the store is failing")]) == 1
    assert len([line for line in lines if line.startswith("message-id=") and " at=" not in line]) == MESSAGES
    assert not any(line.startswith("the store works again") for line in lines)
