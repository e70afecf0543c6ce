"""Relays for three flows, each a real server on an address of its own."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from smtp_server import SmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTS = {"transactional": "127.0.0.2", "marketing": "127.0.0.3", "professional": "127.0.0.4"}


@pytest.fixture
def relays() -> Iterator[dict[str, SmtpServer]]:
    """Start a relay for each flow."""
    with ExitStack() as stack:
        yield {flow: stack.enter_context(SmtpServer(host)) for flow, host in HOSTS.items()}


@pytest.fixture
def urls(relays: dict[str, SmtpServer]) -> dict[str, str]:
    """Return the relays as a route names them."""
    return {flow: relay.url for flow, relay in relays.items()}
