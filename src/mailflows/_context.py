"""What is known about an attempt to send: one small record that is passed to every part."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailflows.flow import Flow

__all__ = ["Context"]


@dataclass(frozen=True, slots=True)
class Context:
    """The context of an attempt to send; anything unknown is `None`.

    Attributes:
        client: IP address of the client that caused the message to be sent.
        form: The form or endpoint that the message comes from.
        account: The account that sends it, as authenticated.
        template: The template that it is made from.
        campaign: The mailing that it belongs to.
        tenant: The customer on whose behalf it is sent, where several share a system.
        flow: The flow that was declared.

    Example:
        >>> Context(client="192.0.2.7", form="sign-up").form
        'sign-up'
    """

    client: object = None
    form: object = None
    account: object = None
    template: object = None
    campaign: object = None
    tenant: object = None
    flow: Flow | None = None

    def known(self) -> dict[str, object]:
        """Return the known fields, by name."""
        return {name: value for name in _NAMES if (value := getattr(self, name)) is not None}


_NAMES = tuple(one.name for one in fields(Context))
