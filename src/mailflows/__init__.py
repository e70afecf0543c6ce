r"""Keep an organisation's professional, marketing and transactional mail apart.

>>> import mailflows
>>> message = b"From: Ada <ada@lovelace.uk>\nSubject: Tuesday\n\nDear Charles, could we meet at noon? Ada"
>>> mailflows.classify(message).likely
<Flow.PROFESSIONAL: 'professional'>
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.errors import (
    AddressError,
    ConfigurationError,
    LimitExceeded,
    MailflowsError,
    MessageError,
    MissingExtra,
    ModelError,
    Refused,
    StoreError,
    TokenError,
)
from mailflows.flow import Flow

if TYPE_CHECKING:
    from mailflows._context import Context
    from mailflows._result import Reason, Results, Severity
    from mailflows.classifier import Classification, Classifier, classify
    from mailflows.gate import Gate, Verdict
    from mailflows.message import Envelope, Message
    from mailflows.recipients import (
        RecipientChecker,
        acheck_recipient,
        check_list,
        check_recipient,
        ensure_recipient,
    )

__version__ = "0.1.0"

__all__ = [
    "AddressError",
    "Classification",
    "Classifier",
    "ConfigurationError",
    "Context",
    "Envelope",
    "Flow",
    "Gate",
    "LimitExceeded",
    "MailflowsError",
    "Message",
    "MessageError",
    "MissingExtra",
    "ModelError",
    "Reason",
    "RecipientChecker",
    "Refused",
    "Results",
    "Severity",
    "StoreError",
    "TokenError",
    "Verdict",
    "acheck_recipient",
    "check_list",
    "check_recipient",
    "classify",
    "ensure_recipient",
]

# Loaded on first use: a sender that only needs one part does not pay for the others.
_HOMES = {
    "Classification": "classifier",
    "Classifier": "classifier",
    "Context": "_context",
    "Envelope": "message",
    "Gate": "gate",
    "Message": "message",
    "Reason": "_result",
    "Results": "_result",
    "RecipientChecker": "recipients",
    "Severity": "_result",
    "Verdict": "gate",
    "acheck_recipient": "recipients",
    "check_list": "recipients",
    "check_recipient": "recipients",
    "classify": "classifier",
    "ensure_recipient": "recipients",
}


_PACKAGES = frozenset(
    "audit classifier content errors feedback flows gate limits message pacing recipients reputation "
    "senders signals templates testing tracking training".split()
)


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 -- only for the first use of a name

    if name in _PACKAGES:
        return import_module(f"mailflows.{name}")
    if name not in _HOMES:
        msg = f"module 'mailflows' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"mailflows.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES])
