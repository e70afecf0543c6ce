"""The example of a campaign: a real SMTP server, a list in a file, counts on disk."""

from __future__ import annotations

import importlib.util
import re
import smtplib
import socket
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller

from mailflows.content import lint
from mailflows.feedback import SuppressionList
from mailflows.limits import SQLiteStore
from mailflows.pacing import Pacer
from mailflows.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

PEOPLE = [(str(number), f"reader{number}@host{number}.example") for number in range(10)]
GONE = PEOPLE[3][1]


class Server:
    """Keeps envelopes; one mailbox does not exist."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def handle_RCPT(  # noqa: N802 -- the name and the arguments are aiosmtpd's
        self, _server: object, _session: object, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Take every recipient but the one that is gone."""
        if address == GONE:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        """Keep the message."""
        self.taken.append(envelope)
        return "250 OK"


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
def server() -> Iterator[tuple[Server, int]]:
    """Start an SMTP server on loopback, and stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    handler = Server()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield handler, port
    finally:
        controller.stop()


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, Any]:
    """Return what a mailing needs beside a server."""
    store = SQLiteStore(tmp_path / "campaign.db")
    return {
        "tracker": Tracker([bytes(32)], "https://t.shop.example/"),
        "pacer": Pacer(store),
        "suppressions": SuppressionList(store),
    }


def test_a_campaign_writes_to_nobody_twice_and_skips_the_dead(
    example: ModuleType, server: tuple[Server, int], parts: dict[str, Any]
) -> None:
    """A second start sends nothing, the next campaign leaves out who was refused."""
    _, port = server
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        counts = [example.send(smtp, PEOPLE, campaign, **parts) for campaign in ("7", "7", "8")]
    assert counts == [{"sent": 9, "refused": 1}, {}, {"sent": 9, "suppressed": 1}]


def test_bad_rows_stop_nobody(example: ModuleType, server: tuple[Server, int], parts: dict[str, Any]) -> None:
    """What cannot be written to is counted, and those behind it get their message."""
    handler, port = server
    people = [("1", ""), ("2", "no address"), ("3", "josé@host.example"), ("4", "a@host.example")]
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        assert example.send(smtp, people, "7", **parts) == {"invalid": 3, "sent": 1}
    assert [envelope.rcpt_tos for envelope in handler.taken] == [["a@host.example"]]


def test_the_message_on_the_wire(
    example: ModuleType, server: tuple[Server, int], parts: dict[str, Any]
) -> None:
    """It has no bare line feed, no fault that lint knows, and a return path that names the recipient."""
    handler, port = server
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        example.send(smtp, PEOPLE[:1], "7", **parts)
    (envelope,) = handler.taken
    assert not re.search(rb"(?<!\r)\n", envelope.content)
    assert lint(envelope.content, flow="marketing").ok
    assert parts["tracker"].decode(envelope.mail_from, "bounce").recipient == "0"


def test_rows_of_a_file(example: ModuleType, tmp_path: Path) -> None:
    """Each line gives its number and its address."""
    (tmp_path / "base.csv").write_text("name,email\nAda,ada@example.org\n", "utf-8")
    assert list(example.rows(str(tmp_path / "base.csv"))) == [("1", "ada@example.org")]
