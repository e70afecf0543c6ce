"""Which networks an SPF record authorises: what two flows share shows only when records are expanded."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

from mailflows._dns import Answer, Conversation, Question
from mailflows._result import number_of
from mailflows.audit._spf import is_askable
from mailflows.audit._spf_record import COUNTED, Mechanism, SpfRecord, SpfSyntaxError, parse_spf, select_spf

__all__ = ["Expansion", "expand_spf", "overlap"]

_MOST_RECORDS = 60
"""Records read of one domain; a correct one includes ten at most. A bound on work."""

_MOST_DEPTH = 12  # bound: keeps work and memory flat

Network = IPv4Network | IPv6Network
_Talk = Generator[tuple[Question, ...], Mapping[Question, Answer], None]


@dataclass(slots=True)
class Expansion:
    """What an SPF record says, with all its includes.

    Attributes:
        domain: Whose record.
        records: The SPF records of the domain itself; one, if all is well.
        networks: Network → the domains whose records name it, from the outside in.
        lookups: Terms that ask the DNS, over all records, as the limit counts them if none matches.
        voids: Names → kind of those questions that found nothing.
        last: The qualifier of ``all``, after redirects; empty where there is none.
        broken: Domain → what is wrong with its record.
        unexpanded: Terms that depend on the message: macros, ``exists``, ``ptr``.
        unanswered: Domains about which the DNS did not answer.
        ignored: Terms that no receiver looks at, because of an ``all`` before them or in the same record.
        mail_hosts: Domain of an ``mx`` term → how many names its MX records hold.
    """

    domain: str
    records: tuple[str, ...] = ()
    networks: dict[Network, tuple[str, ...]] = field(default_factory=dict)
    lookups: int = 0
    voids: dict[str, str] = field(default_factory=dict)
    last: str = ""
    broken: dict[str, str] = field(default_factory=dict)
    unexpanded: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    mail_hosts: dict[str, int] = field(default_factory=dict)


def expand_spf(domain: str) -> Conversation[Expansion]:
    """Read the record of a domain and all that it includes.

    >>> from mailflows.testing import FakeDns
    >>> dns = FakeDns({
    ...     "example.org": {"TXT": ["v=spf1 include:_spf.example.net mx -all"], "MX": ["10 mx.example.org"]},
    ...     "mx.example.org": {"A": ["192.0.2.1"]},
    ...     "_spf.example.net": {"TXT": ["v=spf1 ip4:198.51.100.0/24 ~all"]},
    ... })
    >>> found = next(dns.run([expand_spf("example.org")]))[1]
    >>> [str(network) for network in found.networks], found.lookups, found.last
    (['198.51.100.0/24', '192.0.2.1/32'], 2, '-')
    """
    walk = _Walk(domain)
    yield from walk.domain(domain, (domain,), is_end=True)
    return walk.found


class _Walk:
    """One walk over the records that a domain includes."""

    def __init__(self, domain: str) -> None:
        self.found = Expansion(domain)
        self.read = 0

    def domain(self, domain: str, path: tuple[str, ...], *, is_end: bool) -> _Talk:
        """Read the record of one domain; *is_end* says whether its ``all`` is that of the whole."""
        self.read += 1
        if self.read > _MOST_RECORDS or len(path) > _MOST_DEPTH or domain in path[:-1]:
            self.found.broken[f"include:{domain}"] = "the includes form a loop, or there are too many"
            return
        question = Question(domain, "TXT")
        answer = (yield (question,))[question]
        texts = tuple(select_spf(answer.records))
        if len(path) == 1:
            self.found.records = texts
        if not answer.is_final:
            self.found.unanswered.append(domain)
        elif len(texts) != 1:
            if len(path) > 1:
                self.found.broken[domain] = (
                    f"it has {number_of(len(texts), 'SPF record') if texts else 'no SPF record'}"
                )
        else:
            yield from self.text(texts[0], path, is_end=is_end)

    def text(self, text: str, path: tuple[str, ...], *, is_end: bool) -> _Talk:
        """Process one record."""
        try:
            record = parse_spf(text)
        except SpfSyntaxError as error:
            self.found.broken[path[-1]] = str(error)
            return
        for mechanism in record.mechanisms:
            if mechanism.name == "all":
                if is_end:
                    self.found.last = mechanism.qualifier
                self.found.ignored += record.ignored_terms
                return  # what follows it is never evaluated (RFC 7208 section 5.1)
            yield from self.mechanism(mechanism, path)
        yield from self.redirect(record, path, is_end=is_end)

    def redirect(self, record: SpfRecord, path: tuple[str, ...], *, is_end: bool) -> _Talk:
        """Follow a redirect."""
        if record.redirect is not None:
            self.found.lookups += 1
            if self.is_plain(record.redirect, f"redirect={record.redirect}"):
                target = record.redirect.removesuffix(".").lower()
                yield from self.domain(target, (*path, target), is_end=is_end)

    def mechanism(self, mechanism: Mechanism, path: tuple[str, ...]) -> _Talk:
        """Process one mechanism; only one that passes authorises anybody."""
        self.found.lookups += mechanism.name in COUNTED
        if mechanism.network is not None:
            if mechanism.qualifier == "+":
                self.found.networks.setdefault(mechanism.network, path)
            return
        if mechanism.name in {"exists", "ptr"}:
            self.found.unexpanded.append(f"{mechanism.name}:{mechanism.domain or path[-1]}")
            return
        if not self.is_plain(mechanism.domain, f"{mechanism.name}:{mechanism.domain}"):
            return
        target = (mechanism.domain or path[-1]).removesuffix(".").lower()
        if mechanism.name == "include":
            yield from self.domain(target, (*path, target), is_end=False)
        else:
            yield from self.addresses(mechanism, target, path)

    def is_plain(self, domain: str, term: str) -> bool:
        """Return whether a domain can be asked about without a message, and note it otherwise."""
        if "%" in domain:
            self.found.unexpanded.append(term)
            return False
        return not domain or is_askable(domain.removesuffix("."))

    def addresses(self, mechanism: Mechanism, target: str, path: tuple[str, ...]) -> _Talk:
        """Add the addresses of a name, or those of a domain's mail hosts."""
        names = [target]
        if mechanism.name == "mx":
            question = Question(target, "MX")
            answer = (yield (question,))[question]
            names = [name for name in (r.partition(" ")[2] for r in answer.records) if is_askable(name)]
            self.found.mail_hosts[target] = len(answer.records)
            self.note(question, answer)
        questions = tuple(Question(name, kind) for name in names for kind in ("A", "AAAA"))
        answers = yield questions
        if mechanism.name == "a" and not any(answers[question].records for question in questions):
            self.note(questions[0], answers[questions[0]])
        for question in questions:
            length = mechanism.prefixes[0 if question.kind == "A" else 1]
            for text in answers[question].records if mechanism.qualifier == "+" else ():
                self.found.networks.setdefault(ip_network((text, length), strict=False), path)

    def note(self, question: Question, answer: Answer) -> None:
        """Note a question that found nothing, or was not answered."""
        if not answer.is_final:
            self.found.unanswered.append(question.name)
        elif not answer.records:
            self.found.voids[question.name] = question.kind


def overlap(ones: Mapping[Network, object], others: Mapping[Network, object]) -> list[Network]:
    """Return the networks that two sets have in common, the smaller one of each pair.

    >>> wide, narrow = IPv4Network("192.0.2.0/24"), IPv4Network("192.0.2.8/29")
    >>> overlap({wide: 1}, {narrow: 2})
    [IPv4Network('192.0.2.8/29')]
    """
    found: dict[Network, None] = {}
    for one in ones:
        for other in others:
            if one.version == other.version and one.overlaps(other):
                found[max(one, other, key=lambda network: network.prefixlen)] = None
    return list(found)
