"""A turn to send one message to a provider, and its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from mailflows.errors import StoreError
from mailflows.feedback import Action, BounceReason, Reply, read_reply

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Slot"]

_LOST = Reply(None, reason=BounceReason.CONNECTION, action=Action.RETRY)


class Slot:
    """A turn to send one message; report its outcome once: `sent`, `skipped`, `failed` or `result`.

    It is false where no turn was booked, because it would have been later than *within*.

    Attributes:
        provider: Name of the provider.
        delay: Seconds to wait, counted from when it was booked; infinity if nothing was booked.
        not_before: The same as a moment, in seconds of the pacer's clock (since 1970 by default).
        connections: Connections to the provider that may be open at once.
        open: Connections that were open when a stream yielded this turn; 0 outside of a stream.

    Example:
        >>> from mailflows.pacing import Pacer
        >>> slot = Pacer().schedule("ada@gmail.com")
        >>> slot.provider, slot.delay, str(slot.result(250, "2.0.0 Ok").action)
        ('google', 0.0, 'none')
    """

    __slots__ = ("_tell", "connections", "delay", "not_before", "open", "provider")

    def __init__(
        self,
        provider: str,
        *,
        delay: float,
        not_before: float,
        connections: int,
        tell: Callable[[Slot, Reply], None],
    ) -> None:
        self.provider = provider
        self.delay = delay
        self.not_before = not_before
        self.connections = connections
        self.open = 0
        self._tell = [tell]

    def result(self, code: int, text: str | bytes = "") -> Reply:
        """Report the server's reply, and return its meaning.

        Args:
            code: The last reply code, such as 250 or 421.
            text: The text of the reply.

        Raises:
            ValueError: If it is not a reply code; see `mailflows.feedback.read_reply`.
            StoreError: If the store could not answer; report it again.
        """
        return self._report(read_reply(code, text, provider=self.provider))

    def sent(self) -> None:
        """Report that the message was accepted."""
        self._report(Reply(250))

    def skipped(self) -> None:
        """Report that nothing was sent, for example because the address is suppressed by now.

        The message is done, its connection is free, and the pace is unchanged.
        """
        self._report(Reply(250))

    def failed(self, problem: BaseException) -> Reply:
        """Report an exception of smtplib or aiosmtplib, and return its meaning.

        An exception without a reply, such as a lost connection, says nothing about the pace.
        """
        code, text = _reply_of(problem)
        return self.result(code, text) if code else self._report(_LOST)

    def _report(self, reply: Reply) -> Reply:
        """Tell everybody who waits for this, once; the pace first, since the others may go on then.

        An observer that failed is notified again if the caller retries.
        """
        waiting, self._tell = self._tell, []
        problems: list[StoreError] = []
        for tell in waiting:
            try:
                tell(self, reply)
            except StoreError as problem:
                problems.append(problem)
                self._tell.append(tell)
        if problems:
            raise problems[0]
        return reply

    def _also(self, tell: Callable[[Slot, Reply], None]) -> None:
        """Have somebody else told, too."""
        self._tell.append(tell)

    def __bool__(self) -> bool:
        return self.delay != float("inf")

    def __repr__(self) -> str:
        return f"<Slot for {self.provider} in {self.delay:.3g} s>"


def _reply_of(problem: BaseException) -> tuple[int, str | bytes]:
    """Return the reply that an exception holds; 0 for none."""
    refused = getattr(problem, "recipients", None)
    if isinstance(refused, dict) and refused:
        reply = next(iter(refused.values()))  # of smtplib.SMTPRecipientsRefused
        return reply if _is_reply(reply) else (0, "")
    code = getattr(problem, "smtp_code", None) or getattr(problem, "code", None)
    text = getattr(problem, "smtp_error", None) or getattr(problem, "message", None) or str(problem)
    found = (code, text)
    return found if _is_reply(found) else (0, "")


def _is_reply(reply: object) -> TypeGuard[tuple[int, str | bytes]]:
    """Return whether something is the code and the text of a reply."""
    if not isinstance(reply, tuple) or len(reply) != 2:
        return False
    code, text = reply
    return isinstance(code, int) and code in range(200, 600) and isinstance(text, str | bytes)
