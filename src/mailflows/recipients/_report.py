"""The result of a check: verdict words, and the report on one address."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mailflows._result import Reason, Result, printable
from mailflows.recipients._catalogue import best_verdict, sentence, visitor_sentence

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows._result import Table

__all__ = [
    "DEAD",
    "OF_THE_LIST",
    "SLIPS",
    "Deliverability",
    "DomainState",
    "RecipientReason",
    "RecipientReport",
    "Trait",
    "make_reason",
]


class Deliverability(StrEnum):
    """The verdict on an address, best first."""

    DELIVERABLE = "deliverable"
    """The domain receives mail and no issues were found; the mailbox itself was not checked."""

    UNKNOWN = "unknown"
    """Not known: the domain was not looked up, or gave no answer. Try again later."""

    RISKY = "risky"
    """It may bounce or do harm: a probable typing error, a disposable or look-alike domain, …"""

    UNDELIVERABLE = "undeliverable"
    """Not a valid address, a domain that accepts no mail, or an address on the suppression list."""


class DomainState(StrEnum):
    """What the DNS says about a domain."""

    NOT_ASKED = "not-asked"
    """DNS checks were off, or there is no domain to look up."""

    OK = "ok"
    """It has an MX record whose host has a public address."""

    IMPLICIT = "implicit"
    """It has no MX record but a public address of its own (implicit MX, RFC 5321 section 5.1)."""

    NULL_MX = "null-mx"
    """It has a null MX, so it accepts no mail (RFC 7505)."""

    NO_MAIL = "no-mail"
    """It exists, but has neither an MX record nor a public address."""

    NXDOMAIN = "nxdomain"
    """It does not exist."""

    MX_BROKEN = "mx-broken"
    """None of the hosts in its MX records exist."""

    MX_PRIVATE = "mx-private"
    """Its mail hosts have only private addresses, which cannot be reached from the Internet."""

    SPECIAL_USE = "special-use"
    """A name reserved for documentation, tests or private networks (RFC 2606, RFC 6761)."""

    UNKNOWN = "unknown"
    """No usable answer: a timeout, SERVFAIL or REFUSED, or a resolver that is itself broken."""


DEAD = frozenset(
    {
        DomainState.NULL_MX,
        DomainState.NO_MAIL,
        DomainState.NXDOMAIN,
        DomainState.MX_BROKEN,
        DomainState.MX_PRIVATE,
        DomainState.SPECIAL_USE,
    }
)
"""The states in which mail to the domain bounces."""


OF_THE_LIST = frozenset({"suppressed", "do-not-mail"})
"""Codes of reasons that are known of the address itself: it bounced, or its owner wants no mail."""

SLIPS = frozenset({"typo", "confusable"})
"""Codes of reasons that say what was probably meant."""


class Trait(StrEnum):
    """A trait of an address or its domain; most are not bad in themselves."""

    DISPOSABLE = "disposable"
    ALIAS_RELAY = "alias-relay"
    FREE_MAIL = "free-mail"
    ROLE = "role"
    SUBADDRESS = "subaddress"
    NO_REPLY = "no-reply"
    SUSPICIOUS = "suspicious"
    CONFUSABLE = "confusable"
    UNKNOWN_TLD = "unknown-tld"
    SMS_GATEWAY = "sms-gateway"
    PARKED = "parked"
    MARKUP = "markup"
    SERIAL = "serial"
    SPAM_TRAP = "spam-trap"


@dataclass(frozen=True, slots=True)
class RecipientReason(Reason):
    """One thing that was found about an address.

    Attributes:
        verdict: The best verdict that is still possible with it; `None` if it does not affect the verdict.
    """

    verdict: Deliverability | None = None


def make_reason(code: str, *evidence: str, **parameters: Any) -> RecipientReason:  # noqa: ANN401 -- plain data
    """Return a reason with its English sentence and the best verdict that is possible with it.

    >>> make_reason("typo", "gmial.com", meant="gmail.com").sentence
    'The domain is probably a typo for gmail.com.'
    """
    best = best_verdict(code)
    return RecipientReason(
        code,
        sentence(code, **parameters),
        part="recipients",
        parameters=parameters,
        evidence=evidence,
        verdict=None if best is None else Deliverability(best),
    )


@dataclass(frozen=True, slots=True)
class RecipientReport(Result):
    """The report on one address. Every field is always present.

    Attributes:
        address: The address as given; empty if it was not text.
        verdict: What to do with it.
        reasons: Why, the decisive ones first.
        normalized: The address in normalised form, or `None` if it is not valid. Send mail to this one.
        ascii: The same with the domain as A-labels; `None` if the local part is not ASCII.
        domain: The domain as A-labels in lower case, or `None`.
        suggestion: The address that was probably meant, or `None`. It is never applied automatically.
        traits: Traits of the local part and the domain.
        domain_state: What the DNS says about the domain.
        mail_hosts: Names of the mail hosts, the preferred first.
        mail_provider: Who receives the mail, by the mail hosts: a name of our table, such as ``google``, else
        the
            domain that owns them; `None` where no mail host is known.
        duplicate_key: A key shared by all spellings of one mailbox; never send mail to it.
        needs_smtputf8: Whether every server on the way must support SMTPUTF8 (RFC 6531).
        checked_at: When, in UTC.

    Example:
        >>> from mailflows import check_recipient
        >>> report = check_recipient("bob@gmial.com", dns=False)
        >>> str(report.verdict), report.suggestion
        ('risky', 'bob@gmail.com')
    """

    address: str
    verdict: Deliverability
    reasons: tuple[RecipientReason, ...]
    normalized: str | None
    ascii: str | None
    domain: str | None
    suggestion: str | None
    traits: frozenset[Trait]
    domain_state: DomainState
    mail_hosts: tuple[str, ...]
    mail_provider: str | None
    duplicate_key: str | None
    needs_smtputf8: bool
    checked_at: datetime

    @property
    def is_suppressed(self) -> bool:
        """Whether it is on the checker's suppression list, or known to bounce."""
        return any(reason.code in OF_THE_LIST for reason in self.reasons)

    def __str__(self) -> str:
        """Return one line: the verdict, and why."""
        why = "; ".join(reason.sentence.rstrip(".") for reason in self.reasons if reason.verdict is not None)
        meant = f" Did you mean {self.suggestion}?" if self.suggestion else ""
        return (
            f"{_printable(self.address)}: {self.verdict}" + (f" ({why})." if why else ".") + _printable(meant)
        )

    def explain(self, *, language: str | None = "en") -> str:
        """Return the decisive reason as a sentence for the person who typed the address.

        Args:
            language: A language tag (``fr-CA``) or a whole Accept-Language field, whatever it says. The
                sentences are in fourteen languages; `None` and any other language get English.

        Returns:
            An empty string if no issues were found.
        """
        if not self.reasons or self.verdict is Deliverability.DELIVERABLE:
            return ""
        return visitor_sentence(self.reasons[0].code, language, **dict(self.reasons[0].parameters))

    def _table(self) -> Table:
        rows = [
            [reason.code, reason.sentence, "; ".join(reason.evidence), str(reason.verdict or "-")]
            for reason in self.reasons
        ]
        return str(self), ["code", "what was found", "evidence", "at best"], rows


def _printable(text: str) -> str:
    """Replace what would break a terminal or a log line, and cut what nobody reads to the end."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return printable(shown)


_SHOWN = 300  # bound: keeps work and memory flat
