"""SPF: whether an address may send for a domain (RFC 7208), as a conversation with the DNS."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, TypeVar

from mailflows._dns import Answer, Conversation, Question, Status
from mailflows.audit._spf_macros import Facts, expand, expand_domain, needs_name
from mailflows.audit._spf_record import (
    COUNTED,
    Mechanism,
    SpfRecord,
    SpfSyntaxError,
    parse_spf,
    require_macros,
    select_spf,
)

if TYPE_CHECKING:
    from mailflows._clock import Clock

__all__ = ["LOOKUP_LIMIT", "VOID_LIMIT", "SpfCheck", "SpfResult", "check_host", "is_askable"]

LOOKUP_LIMIT = 10
"""Terms that ask the DNS, over all records (section 4.6.4)."""

VOID_LIMIT = 2
"""Questions without an answer; section 4.6.4 names two as the default."""

_NAME_LIMIT = 10
"""Mail hosts and names of an address that are looked at (section 4.6.4)."""

T = TypeVar("T")
_Talk = Generator[tuple[Question, ...], Mapping[Question, Answer], T]


class SpfResult(StrEnum):
    """What came out (section 2.6)."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 -- a word of SPF, no secret
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


@dataclass(frozen=True, slots=True)
class SpfCheck:
    """Whether an address may send for a domain.

    Attributes:
        result: One of the seven words of RFC 7208.
        sentence: The mechanism or error that decided, in words.
        explanation: The domain owner's explanation of a failure (``exp=``); empty if there is none.
        lookups: Number of terms that needed a DNS lookup; more than 10 are a permanent error.
        voids: Number of void lookups, which found no records; more than 2 are a permanent error.
    """

    result: SpfResult
    sentence: str
    explanation: str = ""
    lookups: int = 0
    voids: int = 0

    def __str__(self) -> str:
        return f"{self.result}: {self.sentence}"


class _PermanentError(Exception):
    """The record cannot be evaluated, now or later."""


class _TemporaryError(Exception):
    """The DNS did not answer."""


_QUALIFIERS = {
    "+": SpfResult.PASS,
    "-": SpfResult.FAIL,
    "~": SpfResult.SOFTFAIL,
    "?": SpfResult.NEUTRAL,
}


def check_host(
    ip: str | IPv4Address | IPv6Address,
    *,
    sender: str,
    helo: str,
    receiver: str = "unknown",
    clock: Clock = time.time,
) -> Conversation[SpfCheck]:
    """Evaluate SPF for one SMTP transaction (section 4).

    Args:
        ip: IP address of the client; an IPv4-mapped IPv6 address counts as IPv4.
        sender: MAIL FROM; if it is empty, the name in *helo* is checked (section 2.4).
        helo: The name that the client gave in HELO or EHLO.
        receiver: Name of the checking host, for ``%{r}``.
        clock: Returns the current time for ``%{t}``, in Unix seconds.

    >>> from mailflows.testing import FakeDns
    >>> dns = FakeDns({"example.org": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]}})
    >>> talk = check_host("192.0.2.7", sender="ada@example.org", helo="mx.example.org")
    >>> print(next(dns.run([talk]))[1])
    pass: ip4:192.0.2.0/24 of example.org matches
    """
    address = ip_address(ip)
    address = getattr(address, "ipv4_mapped", None) or address
    local, at, domain = sender.rpartition("@")
    if not at:
        local, domain = "", sender or helo
    facts = Facts(
        ip=address,
        sender=f"{local or 'postmaster'}@{domain}",
        helo=helo,
        domain=domain,
        receiver=receiver,
        seconds=int(clock()),
    )
    return _Evaluation().whole(facts)


class _Evaluation:
    """One evaluation: the counters that all records share."""

    def __init__(self) -> None:
        self.lookups = 0
        self.voids = 0

    def whole(self, facts: Facts) -> Conversation[SpfCheck]:
        """Evaluate from the beginning, and turn errors into results."""
        try:
            result, sentence, explanation = yield from self.domain(facts)
        except _PermanentError as error:
            result, sentence, explanation = SpfResult.PERMERROR, str(error), ""
        except _TemporaryError as error:
            result, sentence, explanation = SpfResult.TEMPERROR, str(error), ""
        return SpfCheck(result, sentence, explanation, self.lookups, self.voids)

    def domain(self, facts: Facts, *, explain: bool = True) -> _Talk[tuple[SpfResult, str, str]]:
        """Evaluate the record of one domain."""
        domain = facts.domain.removesuffix(".").lower()
        if not is_askable(domain) or "." not in domain:
            return SpfResult.NONE, "this is not a valid domain name", ""
        record = yield from self.record(domain)
        if record is None:
            return SpfResult.NONE, f"{domain} has no SPF record", ""
        for mechanism in record.mechanisms:
            self.count(mechanism.name)
            if (yield from self.matches(mechanism, facts)):
                result = _QUALIFIERS[mechanism.qualifier]
                wanted = explain and result is SpfResult.FAIL and record.exp
                said = (yield from self.explanation(record.exp or "", facts)) if wanted else ""
                return result, f"{_written(mechanism)} of {domain} matches", said
        if record.redirect is None:
            return SpfResult.NEUTRAL, f"no mechanism in the record of {domain} matches", ""
        self.count("redirect")
        target = yield from self.target(record.redirect, facts)
        found = yield from self.domain(replace(facts, domain=target), explain=explain)
        if found[0] is SpfResult.NONE:
            msg = f"the redirect of {domain} leads to {target}, which has no record"
            raise _PermanentError(msg)
        return found

    def record(self, domain: str) -> _Talk[SpfRecord | None]:
        """Return the record of a domain (sections 4.4 and 4.5)."""
        texts = select_spf((yield from self.ask(domain, "TXT", counts=False)))
        if len(texts) > 1:
            msg = f"{domain} has {len(texts)} SPF records"
            raise _PermanentError(msg)
        try:
            return parse_spf(texts[0]) if texts else None
        except SpfSyntaxError as error:
            msg = f"the record of {domain} is malformed: {error}"
            raise _PermanentError(msg) from error

    def count(self, name: str) -> None:
        """Count a term that asks the DNS."""
        if name in COUNTED or name == "redirect":
            self.lookups += 1
            if self.lookups > LOOKUP_LIMIT:
                msg = f"more than {LOOKUP_LIMIT} terms need a DNS lookup"
                raise _PermanentError(msg)

    def matches(self, mechanism: Mechanism, facts: Facts) -> _Talk[bool]:
        """Return whether one mechanism matches (section 5)."""
        if mechanism.name == "all":
            return True
        if mechanism.network is not None:
            return facts.ip.version == mechanism.network.version and facts.ip in mechanism.network
        target = yield from self.target(mechanism.domain, facts)
        if mechanism.name == "include":
            return (yield from self.include(target, facts))
        return is_askable(target) and (yield from self.asks(mechanism, target, facts))

    def asks(self, mechanism: Mechanism, target: str, facts: Facts) -> _Talk[bool]:
        """Return whether a mechanism that asks about addresses or names matches."""
        if mechanism.name == "exists":
            return bool((yield from self.ask(target, "A")))
        if mechanism.name == "ptr":
            names = yield from self.validated_names(facts, counts=True)
            return any(name == target or name.endswith("." + target) for name in names)
        found = yield from (self.hosts(target, facts) if mechanism.name == "mx" else self.host(target, facts))
        length = mechanism.prefixes[0 if facts.ip.version == 4 else 1]
        return any(facts.ip in ip_network((text, length), strict=False) for text in found)

    def target(self, written: str, facts: Facts) -> _Talk[str]:
        """Return the domain that a term names."""
        if not written:
            return facts.domain.removesuffix(".").lower()
        if needs_name(written):
            facts = replace(facts, name=(yield from self.name_of(facts)))
        return expand_domain(written, facts)

    def include(self, target: str, facts: Facts) -> _Talk[bool]:
        """Return whether an included record passes (section 5.2)."""
        result, _, _ = yield from self.domain(replace(facts, domain=target), explain=False)
        if result is SpfResult.NONE:
            msg = f"{target or 'an empty name'} is included but has no SPF record"
            raise _PermanentError(msg)
        return result is SpfResult.PASS

    def host(self, target: str, facts: Facts) -> _Talk[tuple[str, ...]]:
        """Return the addresses of a name, of the client's family."""
        return (yield from self.ask(target, "A" if facts.ip.version == 4 else "AAAA"))

    def hosts(self, target: str, facts: Facts) -> _Talk[list[str]]:
        """Return the addresses of the mail hosts of a domain (section 5.4)."""
        records = yield from self.ask(target, "MX")
        names = [name for name in (text.partition(" ")[2] for text in records) if is_askable(name)]
        if len(records) > _NAME_LIMIT:
            msg = f"{target} has more than {_NAME_LIMIT} mail hosts"
            raise _PermanentError(msg)
        kind = "A" if facts.ip.version == 4 else "AAAA"
        answers = yield tuple(Question(name, kind) for name in names)
        found: list[str] = []
        for name in names:
            found += _records(answers[Question(name, kind)], name)
        return found

    def validated_names(self, facts: Facts, *, counts: bool) -> _Talk[list[str]]:
        """Return the names of the client that lead back to its address (section 5.5)."""
        pointer = Question(facts.ip.reverse_pointer, "PTR")
        answer = (yield (pointer,))[pointer]
        if counts and answer.status in _VOID:
            self.count_void(pointer.name)
        names = [name for name in answer.records[:_NAME_LIMIT] if is_askable(name)]
        kind = "A" if facts.ip.version == 4 else "AAAA"
        answers = yield tuple(Question(name, kind) for name in names)
        return [
            name
            for name in names
            if any(ip_address(text) == facts.ip for text in answers[Question(name, kind)].records)
        ]

    def name_of(self, facts: Facts) -> _Talk[str]:
        """Return what ``%{p}`` stands for: the domain itself first, then what is below it (section 7.3)."""
        names = yield from self.validated_names(facts, counts=False)
        domain = facts.domain.lower()
        ranked = sorted(names, key=lambda name: (name != domain, not name.endswith("." + domain)))
        return ranked[0] if ranked else "unknown"

    def explanation(self, written: str, facts: Facts) -> _Talk[str]:
        """Return the explanation of the domain's owner; nothing if it is faulty (section 6.2)."""
        target = yield from self.target(written, facts)
        if not is_askable(target):
            return ""
        question = Question(target, "TXT")
        texts = (yield (question,))[question].records
        if len(texts) != 1 or not texts[0].isascii():
            return ""
        try:
            for word in texts[0].split(" "):
                require_macros(word, texts[0])
        except SpfSyntaxError:
            return ""
        if needs_name(texts[0]):
            facts = replace(facts, name=(yield from self.name_of(facts)))
        return expand(texts[0], facts)

    def ask(self, name: str, kind: str, *, counts: bool = True) -> _Talk[tuple[str, ...]]:
        """Ask one question, and count it where nothing is there."""
        question = Question(name, kind)
        answer = (yield (question,))[question]
        if counts and answer.status in _VOID:
            self.count_void(name)
        return _records(answer, name)

    def count_void(self, name: str) -> None:
        """Count a question that found nothing."""
        self.voids += 1
        if self.voids > VOID_LIMIT:
            msg = f"more than {VOID_LIMIT} void lookups, the last one for {name}"
            raise _PermanentError(msg)


_VOID = frozenset({Status.NODATA, Status.NXDOMAIN})


def _records(answer: Answer, name: str) -> tuple[str, ...]:
    if not answer.is_final:
        msg = f"no answer for {name} ({answer.status})"
        raise _TemporaryError(msg)
    return answer.records


def is_askable(name: str) -> bool:
    """Return whether the DNS can be asked about a name: its labels, and its length.

    >>> is_askable("mail.example.org"), is_askable("a..example.org"), is_askable("")
    (True, False, False)
    """
    if not name.isascii() or len(name) > 253:
        return False
    return all(0 < len(label) <= 63 for label in name.split("."))


def _written(mechanism: Mechanism) -> str:
    argument = mechanism.domain or (str(mechanism.network) if mechanism.network else "")
    sign = "" if mechanism.qualifier == "+" else mechanism.qualifier
    return f"{sign}{mechanism.name}{':' if argument else ''}{argument}"
