"""Every error that mailflows raises, in one tree.

::

    MailflowsError
    ├── MessageError(ValueError)        these bytes are not a message we can read
    ├── AddressError(ValueError)        raised only by ``ensure_*``; ``check_*`` returns a report
    ├── ModelError(RuntimeError)        a model file of another version, or damaged
    ├── ConfigurationError(ValueError)  arguments or settings that contradict themselves
    └── MissingExtra(ImportError)       names the pip command to type

A refusal or an unsure answer is a return value; these are for misuse and faults. Each error also is
the built-in one that it resembles, and carries what is known as data.
"""

from __future__ import annotations

__all__ = [
    "AddressError",
    "ConfigurationError",
    "MailflowsError",
    "MessageError",
    "MissingExtra",
    "ModelError",
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
    """Raised for what is not a message: empty, a missing file, bytes without a header.

    Attributes:
        position: Offset in bytes at which reading stopped, or `None` where none was read.
    """

    def __init__(self, message: str, *, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class AddressError(MailflowsError, ValueError):
    """Raised by ``ensure_*`` for an address that should not be written to.

    The message is a sentence for the person who typed the address; it does not repeat the address,
    so that it can stand in a log.

    Attributes:
        address: What was given.
        reason: Code of the reason that decided, such as ``nxdomain``.
    """

    def __init__(self, message: str, *, address: object = None, reason: str) -> None:
        super().__init__(message)
        self.address = address
        self.reason = reason


class ModelError(MailflowsError, RuntimeError):
    """Raised for a model file that is damaged or of another schema.

    Attributes:
        expected: What the library needs.
        found: What the file holds.
    """

    def __init__(self, message: str, *, expected: object = None, found: object = None) -> None:
        super().__init__(message)
        self.expected = expected
        self.found = found


class ConfigurationError(MailflowsError, ValueError):
    """Raised for settings that contradict themselves or cannot be met.

    Attributes:
        field: The name of the setting to look at.
    """

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class MissingExtra(MailflowsError, ImportError):  # noqa: N818 -- names what is missing
    """Raised when an optional package is needed; the message is the command that installs it.

    Attributes:
        extra: Name of the extra, as in ``pip install 'mailflows[extra]'``.
    """

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(f"{package} is needed here: pip install 'mailflows[{extra}]'")
        self.extra = extra
