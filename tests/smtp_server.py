"""A real SMTP server on loopback that remembers what came, and from where."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Delivery", "SmtpServer"]


@dataclass(frozen=True)
class Delivery:
    """One message that was taken."""

    source: str
    ehlo: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes


class SmtpServer:
    """Takes every message but those for ``unknown@…`` (550) and ``busy@…`` (450).

    Args:
        host: Address to listen on.
        handler: Another aiosmtpd handler in its place.
    """

    def __init__(self, host: str = "127.0.0.1", *, handler: object = None, **settings: Any) -> None:
        self.deliveries: list[Delivery] = []
        self.host = host
        with socket.socket() as probe:
            probe.bind((host, 0))
            self.port = probe.getsockname()[1]
        self._controller = Controller(
            self if handler is None else handler, hostname=host, port=self.port, ready_timeout=10, **settings
        )

    @property
    def url(self) -> str:
        """The server as a relay."""
        return f"smtp://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, _server: object, _session: object, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Answer a recipient."""
        if address.startswith("unknown@"):
            return "550 5.1.1 User unknown"
        if address.startswith("busy@"):
            return "450 4.2.1 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: object, session: Any, envelope: Any) -> str:  # noqa: N802 -- as above
        """Remember a message."""
        self.deliveries.append(
            Delivery(
                session.peer[0],
                session.host_name,
                envelope.mail_from,
                tuple(envelope.rcpt_tos),
                envelope.content,
            )
        )
        return "250 2.0.0 Ok"
