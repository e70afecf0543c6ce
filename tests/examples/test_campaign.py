"""The example of a campaign: a real SMTP server, a list in a file, counts on disk."""

from __future__ import annotations

import importlib.util
import re
from typing import TYPE_CHECKING, Any

import pytest

from mailflows.content import lint
from mailflows.feedback import SuppressionList
from mailflows.limits import SQLiteStore
from mailflows.pacing import Pacer
from mailflows.testing import FixedClock
from mailflows.tracking import Tracker
from smtp_server import MisbehavingRelay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

PEOPLE = [(str(number), f"reader{number}@host{number}.example") for number in range(10)]
GONE = PEOPLE[3][1]


@pytest.fixture
def example(root: Path) -> ModuleType:
    """Load the example."""
    spec = importlib.util.spec_from_file_location("nightly", root / "examples/campaign/nightly.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server() -> Iterator[MisbehavingRelay]:
    """Start an SMTP server on loopback where one mailbox does not exist."""
    with MisbehavingRelay(rcpt={GONE: "550 5.1.1 no such user"}) as relay:
        yield relay


@pytest.fixture
def parts(example: ModuleType, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Return what a mailing needs beside a server."""
    clock = FixedClock()  # so that waiting for a provider takes no time
    store = SQLiteStore(tmp_path / "campaign.db", clock=clock)
    later = example.Open(str(tmp_path / "open.db"))
    yield {
        "tracker": Tracker([bytes(32)], "https://t.shop.example/"),
        "pacer": Pacer(store, clock=clock, sleep=clock.advance),
        "suppressions": SuppressionList(store, clock=clock),
        "later": later,
    }
    later.close()


def run(
    example: ModuleType, relay: MisbehavingRelay, people: list[tuple[str, str]], name: str, **parts: Any
) -> dict[str, int]:
    """Run the example once."""
    smtp = example.Relay(relay.host, relay.port)
    try:
        return dict(example.send(smtp, people, name, **parts))
    finally:
        smtp.close()


def test_a_campaign_writes_to_nobody_twice_and_skips_dead_addresses(
    example: ModuleType, server: MisbehavingRelay, parts: dict[str, Any]
) -> None:
    """A second start sends nothing, the next campaign leaves out who was refused."""
    counts = [run(example, server, PEOPLE, campaign, **parts) for campaign in ("7", "7", "8")]
    assert counts == [{"sent": 9, "refused": 1}, {}, {"sent": 9, "suppressed": 1}]


def test_a_campaign_survives_its_relay(example: ModuleType, parts: dict[str, Any]) -> None:
    """A relay that ends sessions after ten messages, greylists and drops connections gets forty to forty."""
    people = [(str(number), f"reader{number}@host{number % 7}.example") for number in range(40)]
    greylisted = {"reader5@*": "451 4.7.1 greylisted, try again later"}
    with MisbehavingRelay(close_after=10, first=greylisted, final_dot=["drop"]) as relay:
        counts = [run(example, relay, people, "7", **parts) for _ in range(3)]
        assert counts == [{"open": 2, "sent": 38}, {"sent": 2}, {}]
        assert relay.counts() == {address: 1 for _, address in people}


def test_what_never_works_is_given_up(example: ModuleType, parts: dict[str, Any]) -> None:
    """After ten turns nobody waits any longer."""
    with MisbehavingRelay(rcpt={"*": "451 4.7.1 try again later"}) as relay:
        counts = [run(example, relay, PEOPLE[:1], "7", **parts) for _ in range(11)]
    assert counts == [{"open": 1}] * 9 + [{"given up": 1}, {}]


def test_bad_rows_stop_nobody(example: ModuleType, server: MisbehavingRelay, parts: dict[str, Any]) -> None:
    """What cannot be written to is counted, and those behind it get their message."""
    people = [("1", ""), ("2", "no address"), ("3", "josé@host.example"), ("4", "a@host.example")]
    assert run(example, server, people, "7", **parts) == {"invalid": 3, "sent": 1}
    assert [one.recipients for one in server.deliveries] == [("a@host.example",)]


def test_the_message_on_the_wire(
    example: ModuleType, server: MisbehavingRelay, parts: dict[str, Any]
) -> None:
    """It has no bare line feed, no fault that lint knows, and a return path that names the recipient."""
    run(example, server, PEOPLE[:1], "7", **parts)
    (taken,) = server.deliveries
    assert not re.search(rb"(?<!\r)\n", taken.content)
    assert lint(taken.content, flow="marketing").ok
    assert parts["tracker"].decode(taken.sender, "bounce").recipient == "0"


def test_rows_of_a_file(example: ModuleType, tmp_path: Path) -> None:
    """Each line gives its number and its address."""
    (tmp_path / "base.csv").write_text("name,email\nAda,ada@example.org\n", "utf-8")
    assert list(example.rows(str(tmp_path / "base.csv"))) == [("1", "ada@example.org")]
