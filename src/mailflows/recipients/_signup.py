"""The risk of a sign-up: whether somebody entered their own address, or a bot entered a stranger's.

In a list bomb ("subscription bombing") a bot enters addresses into hundreds of forms: a victim's, shared
mailboxes such as ``info@``, phones behind SMS gateways, or made-up ones. None of these is proof by itself;
from an unknown client it is a reason to ask for more before mail is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from mailflows._result import Result
from mailflows.recipients._report import SLIPS, Deliverability, RecipientReason, Trait, make_reason

if TYPE_CHECKING:
    from mailflows._result import Table
    from mailflows.recipients._report import RecipientReport

__all__ = ["RiskLevel", "SignUpRisk", "looks_random", "signup_risk"]


class RiskLevel(StrEnum):
    """The risk of a sign-up, lowest first."""

    LOW = "low"
    """Send the confirmation message."""

    MEDIUM = "medium"
    """Ask for more before sending, such as a CAPTCHA, or send more slowly."""

    HIGH = "high"
    """Send nothing, and show the same page as for everyone else."""


@dataclass(frozen=True, slots=True)
class SignUpRisk(Result):
    """How risky a sign-up is, and why.

    Attributes:
        level: Low, medium or high.
        reasons: What raised it.
        known_client: Whether the client was known.
    """

    level: RiskLevel
    reasons: tuple[RecipientReason, ...]
    known_client: bool

    def __str__(self) -> str:
        why = "; ".join(reason.sentence.rstrip(".") for reason in self.reasons)
        client = "a known" if self.known_client else "an unknown"
        return f"{self.level} risk from {client} client{f' ({why})' if why else ''}."

    def _table(self) -> Table:
        rows = [(reason.code, reason.sentence, "; ".join(reason.evidence)) for reason in self.reasons]
        return str(self), ["code", "what was found", "evidence"], rows


_BAD = frozenset(
    {Trait.DISPOSABLE, Trait.SUSPICIOUS, Trait.SMS_GATEWAY, Trait.SPAM_TRAP, Trait.NO_REPLY, Trait.MARKUP}
)
_SHARED = frozenset({Trait.ROLE})
_LEVELS = tuple(RiskLevel)


def signup_risk(report: RecipientReport, *, known_client: bool = False) -> SignUpRisk:
    """Assess the risk of sending mail to the address of a sign-up.

    Args:
        report: The report on the address.
        known_client: Whether the client (network, account, device) has confirmed a sign-up before.

    Returns:
        *high* where the address accepts no mail; *medium* for a disposable or made-up address, an SMS gateway
        or a spam trap. An unknown client raises each by one, and makes a role account or a random-looking
        local part *medium*, too.

    Example:
        >>> from mailflows import check_recipient
        >>> shared, made_up = (check_recipient(a, dns=False) for a in ("info@shop.fr", "x7q2kd9v@shop.fr"))
        >>> signup_risk(shared).level.value, signup_risk(shared, known_client=True).level.value
        ('medium', 'low')
        >>> signup_risk(made_up).reasons[0].code
        'random-local-part'
    """
    if report.verdict is Deliverability.UNDELIVERABLE:
        return SignUpRisk(RiskLevel.HIGH, report.reasons[:1], known_client)
    codes = {"disposable-host": Trait.DISPOSABLE}
    found = [(reason, codes.get(reason.code, reason.code)) for reason in report.reasons]
    bad = tuple(reason for reason, code in found if code in _BAD)
    shared = tuple(reason for reason, code in found if code in _SHARED)
    if not bad and not shared and looks_random(report.address.rpartition("@")[0]):
        shared = (make_reason("random-local-part"),)
    step = (1 if bad else 0) + (0 if known_client or not (bad or shared) else 1)
    slips = tuple(reason for reason in report.reasons if bad and reason.code in SLIPS)
    return SignUpRisk(_LEVELS[step], slips + bad + (() if known_client else shared), known_client)


# Letters that stand together in names of many languages without a vowel between them.
_CLUSTERS = re.compile(r"sch|tch|ght|str|szcz|[cst]h|st|ck|ng|rz|sz|cz|ph")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5,}")
_MOST_FLIPS = 3
"""Changes between letters and digits of a name with numbers, such as j2ee.dupont84. Our choice."""

_LONG_MIX = 16
"""Letters and digits in one piece from which no name is that long. Our choice."""


def looks_random(local: str) -> bool:
    """Return whether a local part looks like letters and digits at random; names of any language do not.

    Less strict than what makes an address risky: it counts only together with an unknown client.

    >>> [looks_random(local) for local in ("x7q2kd9v", "xkqjzvwp", "krzysztof.szczepanski", "goldschmidt82")]
    [True, True, False, False]
    """
    plain = local.partition("+")[0].lower()
    pieces = re.findall(r"[a-z0-9]+", plain)
    letters = "".join(c for c in plain if c.isalnum())
    flips = sum(a.isdigit() != b.isdigit() for a, b in pairwise(letters))
    mixed = any(len(p) >= _LONG_MIX and sum(c.isdigit() for c in p) >= _MOST_FLIPS for p in pieces)
    return flips > _MOST_FLIPS or mixed or any(_CONSONANTS.search(_CLUSTERS.sub("c", p)) for p in pieces)
