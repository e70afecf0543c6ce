"""A relay whose scheme does not fit its port: two sides that wait for each other, and a hint in the log."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from delivery_scenes import ADA, KINDS, flows, raw
from mailflows import Flow, Gate
from mailflows.integrations._relay_outcome import failure_of
from mailflows.integrations.smtplib import GateSMTP

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("relay", "problem", "hint"),
    [
        ("smtp://mail.example.net:465", TimeoutError("timed out"), 'write relay = "smtps://…:465"'),
        ("smtp://mail.example.net:465", smtplib.SMTPServerDisconnected(), 'write relay = "smtps://…:465"'),
        ("smtps://mail.example.net:587", TimeoutError("timed out"), 'write relay = "smtp://…:587"'),
        ("smtps://mail.example.net:25", ConnectionResetError(), 'write relay = "smtp://…:25"'),
        ("smtps://mail.example.net:587", ssl.SSLEOFError(8, "EOF"), 'write relay = "smtp://…:587"'),
        ("smtp://mail.example.net:587", TimeoutError("timed out"), None),
        ("smtp://mail.example.net", TimeoutError("timed out"), None),
        ("smtps://mail.example.net", TimeoutError("timed out"), None),
        ("smtps://mail.example.net:2465", TimeoutError("timed out"), None),
    ],
)
def test_the_log_says_what_to_write(
    relay: str, problem: Exception, hint: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the error is, where scheme and port do not fit; and nothing where they do."""
    gate = Gate(flows(relay))
    with caplog.at_level(logging.ERROR):
        outcome = failure_of(problem, gate.flows[Flow.TRANSACTIONAL], gate)
    assert outcome.code == 451
    (line,) = [record.getMessage() for record in caplog.records]
    assert (hint in line) if hint else ("write relay" not in line)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Listen, accept in the kernel, and say nothing: as a port that waits for TLS."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_port_that_says_nothing_is_told_from_one_that_cannot_be_reached(
    silent: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection was made, so it is not the network: the log says that the greeting is missing."""
    gate = Gate(flows(f"smtp://127.0.0.1:{silent.getsockname()[1]}"))
    with GateSMTP(gate, timeout=0.2) as smtp, pytest.raises(smtplib.SMTPException):
        smtp.sendmail(KINDS["reset"][1], [ADA], raw(ADA), flow="transactional")
    assert "sent no greeting, like a port that expects implicit TLS" in caplog.text
