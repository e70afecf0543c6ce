"""Every error that mailflows raises, in one tree.

::

    MailflowsError
    ├── MessageError(ValueError)        these bytes are not a message we can read
    ├── AddressError(ValueError)        raised only by ``ensure_*``; ``check_*`` returns a report
    ├── ModelError(RuntimeError)        a model file of another version, or damaged
    ├── ConfigurationError(ValueError)  arguments or settings that contradict themselves
    ├── LimitExceeded                   raised only by the raise-style helpers of a limiter
    ├── Refused                         the gate said no, inside an integration
    ├── StoreError(OSError)             the store could not answer
    ├── TokenError(ValueError)          a tracking, unsubscribe or bounce token that is not valid
    └── MissingExtra(ImportError)       names the pip command to type

A refusal or an unsure answer is a return value; exceptions are for misuse and faults. Each error is also a
subclass of the built-in error that it resembles, and carries its details as attributes.
"""

from __future__ import annotations

from typing import Any

from mailflows._log import loggable

__all__ = [
    "AddressError",
    "ConfigurationError",
    "LimitExceeded",
    "MailflowsError",
    "MessageError",
    "MissingExtra",
    "ModelError",
    "Refused",
    "StoreError",
    "TokenError",
]


class MailflowsError(Exception):
    """The root of every error of this library."""

    def __reduce__(self) -> tuple[object, ...]:
        # By default an error is made again from its text alone, without its facts.
        return _made_again, (type(self), self.args, self.__dict__)


def _made_again(
    kind: type[MailflowsError], args: tuple[object, ...], facts: dict[str, object]
) -> MailflowsError:
    """Return an error as it was in the process that raised it."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


class MessageError(MailflowsError, ValueError):
    """Raised for input that is not a message: empty, a missing file, bytes without a header.

    Attributes:
        position: Offset in bytes at which reading stopped, or `None` if nothing was read.
    """

    def __init__(self, message: str, *, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class AddressError(MailflowsError, ValueError):
    """Raised by ``ensure_*`` for an address that mail should not be sent to.

    The message is a sentence for the person who typed the address; it does not repeat the address, so it is
    safe to log.

    Attributes:
        address: What was given.
        reason: Code of the reason that decided, such as ``nxdomain``.
    """

    def __init__(self, message: str, *, address: object = None, reason: str) -> None:
        super().__init__(message)
        self.address = address
        self.reason = reason


class ModelError(MailflowsError, RuntimeError):
    """Raised for a model file that is damaged or has a different schema version.

    Attributes:
        expected: What the library needs.
        found: What the file holds.
    """

    def __init__(self, message: str, *, expected: object = None, found: object = None) -> None:
        super().__init__(message)
        self.expected = expected
        self.found = found


class ConfigurationError(MailflowsError, ValueError):
    """Raised for settings that are invalid or contradict each other.

    Attributes:
        field: The name of the setting to look at.
    """

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class LimitExceeded(MailflowsError):  # noqa: N818 -- says what happened, not what is wrong
    """Raised by the raise-style helpers of a limiter, such as ``sending()``, for a refusal.

    Attributes:
        decision: The `mailflows.limits.Decision`: which limit refused, and when to try again.
    """

    def __init__(self, message: str, *, decision: Any) -> None:  # noqa: ANN401 -- errors know no part
        super().__init__(message)
        self.decision = decision


class Refused(MailflowsError):  # noqa: N818 -- says what happened, not what is wrong
    """Raised by an integration when the gate does not let a message be sent.

    Attributes:
        verdict: The gate's verdict, with the reasons of every part.
    """

    def __init__(self, message: str, *, verdict: Any) -> None:  # noqa: ANN401 -- errors know no part
        super().__init__(message)
        self.verdict = verdict


class StoreError(MailflowsError, OSError):
    """Raised when a store cannot answer: unreachable, damaged, full, read-only or too slow.

    What happens without a store is for you to decide (``on_error``), never a silent default.

    Attributes:
        store: Which one, such as ``SQLite /var/lib/app/limits.db``.
        is_busy: Whether it is up, but other callers kept it busy beyond the timeout. Nothing was changed
            then.
        is_lost: Whether its content can no longer be read, such as after the server was flushed: starting
            from zero would grant fresh quota.
        is_logged: Whether the outage that caused it has been logged already.
    """

    def __init__(self, message: str, *, store: str, is_busy: bool = False, is_lost: bool = False) -> None:
        super().__init__(loggable(message))  # every part writes it into its log
        self.store = store
        self.is_busy = is_busy
        self.is_lost = is_lost
        self.is_logged = False


class TokenError(MailflowsError, ValueError):
    """Raised for a tracking, unsubscribe or bounce token that is not valid or has expired.

    Attributes:
        reason: ``malformed``, ``signature``, ``purpose``, ``expired`` or ``version``.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class MissingExtra(MailflowsError, ImportError):  # noqa: N818 -- names what is missing
    """Raised when an optional package is needed; the message names the extra that provides it.

    Attributes:
        extra: Name of the extra, as in ``pip install '.[extra]'`` in a copy of the repository.
    """

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(f"{package} is needed here; in your copy of mailflows: pip install '.[{extra}]'")
        self.extra = extra
