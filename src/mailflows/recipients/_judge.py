"""From what was found to a verdict, with its reasons: pure, and fast enough for millions of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._mailbox import fold, key_rule
from mailflows.flow import Flow
from mailflows.recipients._domain import NOT_ASKED
from mailflows.recipients._report import (
    DEAD,
    DomainState,
    Reason,
    RecipientReport,
    Trait,
    Verdict,
)
from mailflows.recipients._syntax import (
    MAX_OCTETS,
    Address,
    Unreadable,
    read_address,
    read_plain_local,
    repair,
)
from mailflows.recipients._traits import NONE, PLAIN, domain_traits, is_ordinary, local_traits

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows.recipients._domain import DomainFacts
    from mailflows.recipients._traits import DomainTraits, LocalTraits, Overrides

__all__ = ["Finding", "Judge"]

_ORDER = {verdict: number for number, verdict in enumerate(Verdict)}

_KEPT_DOMAINS = 100_000
_MAX_LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1

_STATES = {
    DomainState.NOT_ASKED: ("The domain was not asked, because the DNS was off.", Verdict.UNKNOWN),
    DomainState.IMPLICIT: (
        "The domain names no mail host; it may not take mail (RFC 5321 section 5.1).",
        Verdict.RISKY,
    ),
    DomainState.NULL_MX: ("The domain says that it takes no mail (RFC 7505).", Verdict.UNDELIVERABLE),
    DomainState.NO_MAIL: ("The domain has no mail host and no public address.", Verdict.UNDELIVERABLE),
    DomainState.NXDOMAIN: ("The domain does not exist.", Verdict.UNDELIVERABLE),
    DomainState.MX_BROKEN: ("None of the domain's mail hosts exists.", Verdict.UNDELIVERABLE),
    DomainState.MX_PRIVATE: (
        "The domain's mail hosts cannot be reached from outside.",
        Verdict.UNDELIVERABLE,
    ),
    DomainState.SPECIAL_USE: ("The domain is a name kept for examples or tests.", Verdict.UNDELIVERABLE),
    DomainState.UNKNOWN: ("The DNS gave no usable answer for the domain; try again later.", Verdict.UNKNOWN),
}

_SUPPRESSED = Reason("suppressed", "The address is known to bounce.", "history", Verdict.UNDELIVERABLE)
_LONG_LOCAL = Reason(
    "long_local",
    "The local part is longer than 64 octets; some servers refuse it.",
    "RFC 5321 4.5.3.1.1",
    Verdict.RISKY,
)
_SMTPUTF8 = Reason(
    "smtputf8", "The local part is not ASCII: every server on the way must speak SMTPUTF8.", "RFC 6531"
)


_DELIVERABLE: tuple[Verdict, tuple[Reason, ...]] = (Verdict.DELIVERABLE, ())
_NOT_ASKED = (Reason("not_asked", _STATES[DomainState.NOT_ASKED][0], "", Verdict.UNKNOWN),)


@dataclass(slots=True)
class Profile:
    """What is known of a domain offline, kept for its next address."""

    ascii: str
    unicode: str
    about: DomainTraits
    rule: tuple[str, int]
    is_plain: bool
    # The verdict on an address of which nothing else is known, and the facts that it was made from.
    facts: DomainFacts | None = None
    weighed: tuple[Verdict, tuple[Reason, ...]] = (Verdict.UNKNOWN, ())


@dataclass(slots=True)
class Finding:
    """An address before the DNS is heard."""

    text: str
    local: str
    profile: Profile | None
    about: LocalTraits | None
    refusal: Unreadable | None
    needs_smtputf8: bool = False

    @property
    def domain(self) -> str | None:
        """The domain to ask about, or `None`."""
        return self.profile.ascii if self.profile else None

    @property
    def key(self) -> str | None:
        """The duplicate key."""
        return fold(self.local, self.profile.rule) if self.profile else None


class Judge:
    """Finds out about addresses offline, and says the verdict when the DNS has been heard.

    Args:
        overrides: What the user knows better than the lists.
        flow: The flow that the address is for; role accounts and no-reply boxes weigh only in marketing.
    """

    def __init__(self, *, overrides: Overrides = NONE, flow: Flow | None = None) -> None:
        self._overrides = overrides
        self._flow = flow
        self._profiles: dict[str, Profile] = {}
        self._plain: dict[str, Profile] = {}  # those whose addresses need no normalising
        self._reasons: dict[DomainFacts, tuple[Reason, ...]] = {}

    def find(self, text: object) -> Finding:
        """Find out about an address offline."""
        if isinstance(text, str):
            local, _, domain = text.partition("@")
            profile = self._plain.get(domain)
            if profile is not None and len(text) <= MAX_OCTETS:
                lowered = local.lower()
                if self._overrides is NONE and is_ordinary(lowered):
                    return Finding(text, local, profile, PLAIN, None)
                plain = read_plain_local(local)
                if plain is None:
                    return self._find_new(text)
                return Finding(text, plain, profile, local_traits(plain.lower(), self._overrides), None)
        return self._find_new(text)

    def _find_new(self, text: object) -> Finding:
        read = read_address(text)
        if isinstance(read, Unreadable):
            return Finding(text if isinstance(text, str) else "", "", None, None, read)
        profile = self._profiles.get(read.ascii_domain) or self._profile(read.ascii_domain, read.domain)
        about = local_traits(read.local.lower(), self._overrides)
        return Finding(str(text), read.local, profile, about, None, read.needs_smtputf8)

    def _profile(self, domain: str, unicode: str) -> Profile:
        about = domain_traits(domain, unicode=unicode, overrides=self._overrides)
        if len(self._profiles) >= _KEPT_DOMAINS:
            self._profiles.clear()
            self._plain.clear()
        profile = self._profiles[domain] = Profile(
            domain, unicode, about, key_rule(domain), domain == unicode
        )
        if "xn--" not in domain:
            self._plain[domain] = profile
        return profile

    def report(
        self, finding: Finding, facts: DomainFacts, *, now: datetime, is_suppressed: bool = False
    ) -> RecipientReport:
        """Say the verdict."""
        profile = finding.profile
        if profile is None or finding.about is None:
            return self._refuse(finding, now)
        local = finding.local
        verdict, reasons = self.weigh(finding, facts, is_suppressed=is_suppressed)
        about = profile.about
        normalized = f"{local}@{profile.unicode}"
        ascii_form = normalized if profile.is_plain else f"{local}@{profile.ascii}"
        return RecipientReport(
            finding.text,
            verdict,
            reasons,
            normalized,
            None if finding.needs_smtputf8 else ascii_form,
            profile.ascii,
            f"{local}@{about.meant}" if about.meant else None,
            about.traits | finding.about.traits if finding.about.traits else about.traits,
            facts.state,
            facts.mail_hosts,
            fold(local, profile.rule),
            finding.needs_smtputf8,
            now,
        )

    def weigh(
        self, finding: Finding, facts: DomainFacts, *, is_suppressed: bool = False
    ) -> tuple[Verdict, tuple[Reason, ...]]:
        """Return the verdict on a readable address and the reasons, the decisive ones first."""
        profile, about = finding.profile, finding.about
        assert profile is not None and about is not None  # noqa: S101, PT018 -- it was readable
        if about is not PLAIN or is_suppressed or finding.needs_smtputf8 or len(finding.local) > _MAX_LOCAL:
            return self._weigh_all(finding, profile, about, facts, is_suppressed=is_suppressed)
        if profile.facts is not facts:
            profile.weighed = self._weigh(self._state_reasons(facts) + profile.about.reasons)
            profile.facts = facts
        return profile.weighed

    def _weigh_all(
        self,
        finding: Finding,
        profile: Profile,
        about: LocalTraits,
        facts: DomainFacts,
        *,
        is_suppressed: bool,
    ) -> tuple[Verdict, tuple[Reason, ...]]:
        reasons = self._state_reasons(facts) + profile.about.reasons + about.reasons
        if is_suppressed:
            reasons = (_SUPPRESSED, *reasons)
        if len(finding.local) > _MAX_LOCAL:
            reasons = (*reasons, _LONG_LOCAL)
        if finding.needs_smtputf8:
            reasons = (*reasons, _SMTPUTF8)
        return self._weigh(reasons)

    def _weigh(self, reasons: tuple[Reason, ...]) -> tuple[Verdict, tuple[Reason, ...]]:
        if not reasons:
            return _DELIVERABLE
        if len(reasons) == 1 and reasons[0].code != Trait.ROLE:
            return reasons[0].verdict or Verdict.DELIVERABLE, reasons
        seen = [self._for_flow(reason) for reason in reasons]
        seen.sort(key=lambda reason: -1 if reason.verdict is None else _ORDER[reason.verdict], reverse=True)
        return seen[0].verdict or Verdict.DELIVERABLE, tuple(seen)

    def _for_flow(self, reason: Reason) -> Reason:
        """Weigh roles by flow: the usual address of a small firm, but a cause of complaints in marketing."""
        if reason.code == Trait.ROLE and self._flow is Flow.MARKETING:
            return Reason(reason.code, reason.sentence, reason.evidence, Verdict.RISKY)
        return reason

    def _state_reasons(self, facts: DomainFacts) -> tuple[Reason, ...]:
        if facts.state is DomainState.OK:
            return ()
        if facts is NOT_ASKED:
            return _NOT_ASKED
        known = self._reasons.get(facts)
        if known is None:
            if len(self._reasons) >= _KEPT_DOMAINS:
                self._reasons.clear()
            sentence, verdict = _STATES[facts.state]
            known = self._reasons[facts] = (Reason(str(facts.state), sentence, facts.evidence, verdict),)
        return known

    def _refuse(self, finding: Finding, now: datetime) -> RecipientReport:
        """Report on what is no address."""
        refusal = finding.refusal or Unreadable("empty", "There is no email address here.")
        reason = Reason(refusal.code, refusal.sentence, "", Verdict.UNDELIVERABLE)
        special = refusal.code == DomainState.SPECIAL_USE
        return RecipientReport(
            address=finding.text,
            verdict=Verdict.UNDELIVERABLE,
            reasons=(reason,),
            normalized=None,
            ascii=None,
            domain=refusal.domain if special else None,
            suggestion=None if special else self.suggest(finding.text),
            traits=frozenset(),
            domain_state=DomainState.SPECIAL_USE if special else DomainState.NOT_ASKED,
            mail_hosts=(),
            duplicate_key=None,
            needs_smtputf8=False,
            checked_at=now,
        )

    def suggest(self, text: str) -> str | None:
        """Return the address that was probably meant by text that is none."""
        from mailflows.recipients import _lists  # noqa: PLC0415 -- only where it is needed
        from mailflows.recipients._typos import correct_domain  # noqa: PLC0415 -- only where it is needed

        mended = repair(text)
        local, at, domain = (mended or text.strip()).partition("@")
        if not at:
            return None
        meant = correct_domain(domain.lower(), known=_lists.well_known() | self._overrides.known)
        if meant and isinstance(read_address(f"{local}@{meant}"), Address):
            return f"{local}@{meant}"
        return mended


def is_dead(state: DomainState) -> bool:
    """Return whether mail to a domain in this state bounces."""
    return state in DEAD
