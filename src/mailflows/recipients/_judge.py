"""From what was found to a verdict, with its reasons: pure, and fast enough for millions of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mailflows._mailbox import fold, key_rule
from mailflows._providers import provider_of
from mailflows.flow import Flow
from mailflows.recipients import _reference
from mailflows.recipients._domain import NOT_ASKED, DomainFacts
from mailflows.recipients._repair import repair, strip_markup
from mailflows.recipients._report import (
    DEAD,
    SLIPS,
    Deliverability,
    DomainState,
    RecipientReason,
    RecipientReport,
    Trait,
    make_reason,
)
from mailflows.recipients._spelling import correct_domain
from mailflows.recipients._syntax import (
    MAX_OCTETS,
    Unreadable,
    is_example,
    is_special_use,
    read_address,
    read_internal,
    read_plain_local,
)
from mailflows.recipients._traits import (
    NONE,
    NOTHING,
    PLAIN,
    domain_traits,
    grammar_of,
    is_ordinary,
    local_traits,
)

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows.recipients._traits import DomainTraits, Grammar, LocalTraits, Overrides

__all__ = ["Finding", "Judge"]

_ORDER = {verdict: number for number, verdict in enumerate(Deliverability)}

_KEPT_DOMAINS = 100_000  # bound: keeps work and memory flat
_MAX_LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1

_TRAP = make_reason("spam-trap", "your own list")
_LONG_LOCAL = make_reason("long-local-part", "RFC 5321 section 4.5.3.1.1", limit=_MAX_LOCAL)
_SPECIAL_USE = make_reason("special-use", "RFC 2606")
_EXAMPLE = make_reason("documentation", "RFC 2606")
_SMTPUTF8 = make_reason("smtputf8", "RFC 6531")

_DELIVERABLE: tuple[Deliverability, tuple[RecipientReason, ...]] = (Deliverability.DELIVERABLE, ())
_NOT_ASKED = (make_reason("not-asked"),)
SPECIAL = DomainFacts(DomainState.SPECIAL_USE, "RFC 2606, RFC 6761")
INTERNAL = DomainFacts(DomainState.OK, "one of your internal domains")

_IN_MARKETING = frozenset({str(Trait.ROLE), str(Trait.SMS_GATEWAY)})
"""What is risky in marketing only: the usual address of a small firm, but a cause of complaints there."""


@dataclass(slots=True)
class Profile:
    """What is known of a domain offline, kept for its next address."""

    ascii: str
    unicode: str
    about: DomainTraits
    rule: tuple[str, int]
    is_plain: bool
    grammar: Grammar | None = None
    is_special: bool = False
    is_example: bool = False
    is_internal: bool = False
    # The verdict on an address of which nothing else is known, and the facts that it was made from.
    facts: DomainFacts | None = None
    weighed: tuple[Deliverability, tuple[RecipientReason, ...]] = (Deliverability.UNKNOWN, ())
    provider: str | None = None
    traits: frozenset[Trait] = frozenset()


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
        profile = self.profile
        return profile.ascii if profile and not (profile.is_special or profile.is_internal) else None

    @property
    def meant_domain(self) -> str | None:
        """The domain that was probably meant, where it is worth asking about: no provider that we know."""
        meant = self.profile.about.meant if self.profile else None
        return None if meant is None or meant in _reference.well_known() else meant

    @property
    def is_simple(self) -> bool:
        """Whether nothing but the domain decides: all such addresses of a domain are judged alike."""
        profile = self.profile
        return (
            profile is not None
            and self.about is PLAIN
            and profile.grammar is None
            and profile.about.meant is None
            and not self.needs_smtputf8
            and len(self.local) <= _MAX_LOCAL
        )

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
        self._reasons: dict[DomainFacts, tuple[RecipientReason, ...]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process without what was learned here; there one judge serves all that is sent."""
        return _judge_of, (self._overrides, self._flow)

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
        if isinstance(read, Unreadable) and read.domain and self._overrides.is_internal(read.domain):
            read = read_internal(str(text)) or read
        if isinstance(read, Unreadable):
            return Finding(text if isinstance(text, str) else "", "", None, None, read)
        profile = self._profiles.get(read.ascii_domain) or self._profile(read.ascii_domain, read.domain)
        about = local_traits(read.local.lower(), self._overrides)
        return Finding(str(text), read.local, profile, about, None, read.needs_smtputf8)

    def _profile(self, domain: str, unicode: str) -> Profile:
        is_internal = bool(self._overrides.internal_domains) and self._overrides.is_internal(domain)
        about = NOTHING if is_internal else domain_traits(domain, unicode=unicode, overrides=self._overrides)
        if len(self._profiles) >= _KEPT_DOMAINS:
            self._profiles.clear()
            self._plain.clear()
        profile = self._profiles[domain] = Profile(
            domain,
            unicode,
            about,
            key_rule(domain),
            domain == unicode,
            grammar_of(domain),
            is_special_use(domain) and not is_internal,
            is_example(domain) and not is_internal,
            is_internal,
        )
        if "xn--" not in domain:
            self._plain[domain] = profile
        return profile

    def report(  # noqa: PLR0913 -- what is known of an address
        self,
        finding: Finding,
        facts: DomainFacts,
        *,
        now: datetime,
        suppression: RecipientReason | None = None,
        meant: DomainFacts = NOT_ASKED,
        further: tuple[RecipientReason, ...] = (),
    ) -> RecipientReport:
        """Say the verdict.

        Args:
            finding: What was found offline.
            facts: What the DNS says of the domain.
            now: The present moment.
            suppression: Why it is not to be mailed, by what is known of the address itself.
            meant: What the DNS says of the domain that was probably meant, where it was asked.
            further: Reasons that come from the rest of a list.
        """
        profile = finding.profile
        if profile is None or finding.about is None:
            return self._refuse(finding, now)
        local = finding.local
        facts = SPECIAL if profile.is_special else INTERNAL if profile.is_internal else facts
        verdict, reasons = self.weigh(finding, facts, suppression=suppression, further=further)
        normalized = f"{local}@{profile.unicode}"
        ascii_form = normalized if profile.is_plain else f"{local}@{profile.ascii}"
        more = finding.about.traits.union(
            Trait(reason.code) for reason in further if reason.code in _TRAIT_CODES
        )
        return RecipientReport(
            address=finding.text,
            verdict=verdict,
            reasons=reasons,
            normalized=normalized,
            ascii=None if finding.needs_smtputf8 else ascii_form,
            domain=profile.ascii,
            suggestion=self._suggestion(finding, facts, meant)
            if verdict is not Deliverability.DELIVERABLE
            else None,
            traits=profile.traits | more if more else profile.traits,
            domain_state=DomainState.SPECIAL_USE if profile.is_example else facts.state,
            mail_hosts=facts.mail_hosts,
            mail_provider=profile.provider,
            duplicate_key=fold(local, profile.rule),
            needs_smtputf8=finding.needs_smtputf8,
            checked_at=now,
        )

    def _suggestion(self, finding: Finding, facts: DomainFacts, meant: DomainFacts) -> str | None:
        """Return what was probably meant: an address at a domain that takes mail, or `None`."""
        profile, about = finding.profile, finding.about
        assert profile is not None and about is not None  # noqa: S101, PT018 -- it was readable
        domain = profile.about.meant if _drops_ending(profile, facts) is None else None
        cleaned = strip_markup(finding.local) if Trait.MARKUP in about.traits else None
        if domain is None and cleaned is None:
            return None
        suggested = f"{cleaned or finding.local}@{domain or profile.unicode}"
        known = meant if domain else facts
        if known.state not in _MAY_TAKE_MAIL:
            return None
        return suggested if self._is_good(suggested, known) else None

    def _is_good(self, suggested: str, facts: DomainFacts) -> bool:
        """Return whether the domain of a suggestion is one that takes mail, as far as is known.

        What the typed local part brings along, such as a role, is not the suggestion's fault.
        """
        found = self.find(suggested)
        if (
            found.profile is None
            or found.profile.is_special
            or found.profile.is_example
            or found.profile.about.meant
        ):
            return False
        verdict, _ = self._weigh(self._domain_reasons(found.profile, facts))
        return verdict in (Deliverability.DELIVERABLE, Deliverability.UNKNOWN)

    def weigh(
        self,
        finding: Finding,
        facts: DomainFacts,
        *,
        suppression: RecipientReason | None = None,
        further: tuple[RecipientReason, ...] = (),
    ) -> tuple[Deliverability, tuple[RecipientReason, ...]]:
        """Return the verdict on a readable address and the reasons, the decisive ones first."""
        profile = finding.profile
        assert profile is not None  # noqa: S101 -- it was readable
        if profile.facts is not facts:
            self._hear(profile, facts)
        if (
            finding.about is PLAIN
            and suppression is None
            and not further
            and not finding.needs_smtputf8
            and len(finding.local) <= _MAX_LOCAL
            and not self._overrides.traps
            and (profile.grammar is None or profile.grammar.allows(finding.local.lower()))
        ):
            return profile.weighed
        return self._weigh_all(finding, facts, suppression=suppression, further=further)

    def _hear(self, profile: Profile, facts: DomainFacts) -> None:
        """Keep what the DNS says of a domain, for its next addresses."""
        reasons = self._domain_reasons(profile, facts)
        profile.weighed = self._weigh(reasons)
        profile.traits = frozenset(_TRAIT_OF[reason.code] for reason in reasons if reason.code in _TRAIT_OF)
        provider = provider_of(profile.ascii, mail_hosts=facts.mail_hosts)
        profile.provider = provider.name if provider.is_known or facts.mail_hosts else None
        profile.facts = facts

    def _domain_reasons(self, profile: Profile, facts: DomainFacts) -> tuple[RecipientReason, ...]:
        about = profile.about.reasons
        dropped = _drops_ending(profile, facts)
        if dropped is not None:
            about = tuple(reason for reason in about if reason.code not in dropped)
        if facts.mail_hosts and not profile.about.traits & _KNOWN_SERVICES:
            about = (*about, *self._host_reasons(facts.mail_hosts[0]))
        if profile.is_example:
            # Its own resolver may serve it, as in a test; where the DNS is the world's, it takes no mail.
            return (_SPECIAL_USE if facts.state in DEAD else _EXAMPLE, *about)
        return self._state_reasons(facts) + about

    def _host_reasons(self, host: str) -> tuple[RecipientReason, ...]:
        kind = _reference.kind_of_mail_host(host)
        if kind is None:
            return ()
        return (make_reason("disposable-host" if kind == "disposable" else "parked", f"MX {host}"),)

    def _weigh_all(
        self,
        finding: Finding,
        facts: DomainFacts,
        *,
        suppression: RecipientReason | None = None,
        further: tuple[RecipientReason, ...] = (),
    ) -> tuple[Deliverability, tuple[RecipientReason, ...]]:
        profile, about = finding.profile, finding.about
        assert profile is not None and about is not None  # noqa: S101, PT018 -- it was readable
        reasons = self._domain_reasons(profile, facts) + about.reasons + further
        if suppression is not None:
            reasons = (suppression, *reasons)
        if self._overrides.traps and self._is_trap(finding, profile):
            reasons = (_TRAP, *reasons)
        if profile.grammar is not None and not profile.grammar.allows(finding.local.lower()):
            reasons = (*reasons, profile.grammar.reason)
        if len(finding.local) > _MAX_LOCAL:
            reasons = (*reasons, _LONG_LOCAL)
        if finding.needs_smtputf8:
            reasons = (*reasons, _SMTPUTF8)
        return self._weigh(reasons)

    def _is_trap(self, finding: Finding, profile: Profile) -> bool:
        traps = self._overrides.traps
        return profile.ascii in traps or f"{finding.local}@{profile.ascii}".lower() in traps

    def _weigh(
        self, reasons: tuple[RecipientReason, ...]
    ) -> tuple[Deliverability, tuple[RecipientReason, ...]]:
        if not reasons:
            return _DELIVERABLE
        if len(reasons) == 1 and reasons[0].code not in _IN_MARKETING:
            return reasons[0].verdict or Deliverability.DELIVERABLE, reasons
        seen = [self._for_flow(reason) for reason in reasons]
        seen.sort(key=_gravity, reverse=True)
        return seen[0].verdict or Deliverability.DELIVERABLE, tuple(seen)

    def _for_flow(self, reason: RecipientReason) -> RecipientReason:
        """Weigh by flow what counts in marketing only."""
        if reason.code in _IN_MARKETING and self._flow is Flow.MARKETING:
            return replace(reason, verdict=Deliverability.RISKY)
        return reason

    def _state_reasons(self, facts: DomainFacts) -> tuple[RecipientReason, ...]:
        if facts.state is DomainState.OK:
            return ()
        if facts is NOT_ASKED:
            return _NOT_ASKED
        known = self._reasons.get(facts)
        if known is None:
            if len(self._reasons) >= _KEPT_DOMAINS:
                self._reasons.clear()
            known = self._reasons[facts] = (make_reason(str(facts.state), facts.evidence),)
        return known

    def _refuse(self, finding: Finding, now: datetime) -> RecipientReport:
        """Report on what is not an address."""
        refusal = finding.refusal or Unreadable("empty")
        reason = make_reason(refusal.code, **dict(refusal.parameters))
        special = refusal.code == DomainState.SPECIAL_USE
        return RecipientReport(
            address=finding.text,
            verdict=Deliverability.UNDELIVERABLE,
            reasons=(reason,),
            normalized=None,
            ascii=None,
            domain=refusal.domain if special else None,
            suggestion=None if special else self.suggest(finding.text),
            traits=frozenset(),
            domain_state=DomainState.SPECIAL_USE if special else DomainState.NOT_ASKED,
            mail_hosts=(),
            mail_provider=None,
            duplicate_key=None,
            needs_smtputf8=False,
            checked_at=now,
        )

    def suggest(self, text: str) -> str | None:
        """Return the address that was probably meant by text that is none."""
        mended = repair(text)
        local, at, domain = (mended or text.strip()).partition("@")
        if not at or len(domain) > MAX_OCTETS:
            return None
        meant = correct_domain(domain.lower(), known=_reference.well_known() | self._overrides.known)
        suggested = f"{local}@{meant}" if meant else mended
        return suggested if suggested and self._is_good(suggested, NOT_ASKED) else None


@lru_cache(maxsize=8)
def _judge_of(overrides: Overrides, flow: Flow | None) -> Judge:
    # `NONE` is known by its identity, which another process has not.
    return Judge(overrides=NONE if overrides == NONE else overrides, flow=flow)


def _gravity(reason: RecipientReason) -> tuple[int, bool]:
    """Return what decides first: the verdict, then what was meant, as that is what the person can mend."""
    return -1 if reason.verdict is None else _ORDER[reason.verdict], reason.code in SLIPS


_MAY_TAKE_MAIL = frozenset({DomainState.OK, DomainState.NOT_ASKED, DomainState.UNKNOWN})
_KNOWN_SERVICES = frozenset({Trait.ALIAS_RELAY, Trait.FREE_MAIL, Trait.DISPOSABLE})
_TRAIT_CODES = frozenset(map(str, Trait))
_TRAIT_OF = {str(trait): trait for trait in Trait} | {"disposable-host": Trait.DISPOSABLE}
_OF_THE_ENDING = frozenset({"unknown-tld", "typo"})


def _drops_ending(profile: Profile, facts: DomainFacts) -> frozenset[str] | None:
    """Return the codes that no longer hold because the DNS answered with a mail host.

    A top-level domain that our list does not know exists once a name below it has an MX.
    """
    if facts.state is DomainState.OK and Trait.UNKNOWN_TLD in profile.about.traits:
        return _OF_THE_ENDING
    return None
