"""DMARC by RFC 9989: the tree walk, the organisation's domain, and what a record asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailflows._dns import Question
from mailflows.audit._dkim import read_tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailflows._dns import Answer

__all__ = ["REMOVED", "DmarcRecord", "Walk", "walk", "walk_questions"]

REMOVED = ("pct", "rf", "ri")
"""Tags of RFC 7489 that RFC 9989 removed."""

POLICIES = ("none", "quarantine", "reject")
_OPTIONS = r"(?!.*([01ds]).*\1)(?!.*0.*1|.*1.*0)[01ds](?:\s*:\s*[01ds])*"
"""Each option once, and not both 0 and 1 (section 4.7)."""

_VALUES = {
    name: re.compile(value, re.IGNORECASE)
    for name, value in {
        "adkim": "[rs]", "aspf": "[rs]", "fo": _OPTIONS, "psd": "[ynu]", "t": "[yn]",
    }.items()
}  # fmt: skip
_FREE = frozenset({"v", "p", "sp", "np", "rua", "ruf"})
"""Tags whose values are looked at elsewhere."""

_MAILTO = re.compile(r"mailto:[^@\s#]+@([\w-]+(?:\.[\w-]+)+)", re.IGNORECASE)
_OTHER_URI = re.compile(r"(?!mailto:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_LONGEST = 8
_NEXT = 7
"""A domain of more than eight labels is followed by its last seven (section 4.10)."""


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A published policy.

    Attributes:
        domain: Where it is published, without ``_dmarc``.
        tags: All tags, names in lower case.
        problem: What is wrong with it; empty where all is well.
        text: As it was published.
    """

    domain: str
    tags: Mapping[str, str]
    problem: str = ""
    text: str = ""

    @property
    def policy(self) -> str:
        """What to do with failures; a record that only wants reports asks for nothing."""
        return self.tags.get("p", "none").lower()

    def policy_for(self, domain: str) -> str:
        """Return the policy for the record's own domain or one below it."""
        return self.policy if domain == self.domain else self.tags.get("sp", self.policy).lower()

    def is_strict(self, what: str) -> bool:
        """Return whether ``adkim`` or ``aspf`` wants the very same domain."""
        return self.tags.get(what, "r").lower() == "s"

    @property
    def report_domains(self) -> tuple[str, ...]:
        """The domains that aggregate reports go to."""
        return self.domains_of("rua")

    @property
    def ignored(self) -> tuple[str, ...]:
        """What receivers ignore: unknown tags, and values that their tags do not allow (section 4.7)."""
        unknown = [name for name in self.tags if name not in {*_VALUES, *_FREE, *REMOVED}]
        wrong = [
            f"{name}={self.tags[name]}"
            for name, value in _VALUES.items()
            if name in self.tags and not value.fullmatch(self.tags[name])
        ]
        return (*unknown, *wrong)

    def places_of(self, tag: str) -> tuple[str, ...]:
        """Return the URIs that ``rua`` or ``ruf`` names."""
        return tuple(place.strip() for place in self.tags.get(tag, "").split(",") if place.strip())

    def unusable(self, tag: str) -> tuple[str, ...]:
        """Return the entries of ``rua`` and ``ruf`` that are not URIs, such as an address without mailto."""
        places = self.places_of(tag)
        return tuple(p for p in places if not (_MAILTO.fullmatch(p.partition("!")[0]) or _OTHER_URI.match(p)))

    def domains_of(self, tag: str) -> tuple[str, ...]:
        """Return the domains of the addresses that ``rua`` or ``ruf`` names; no other places."""
        places = (place.strip().partition("!")[0] for place in self.tags.get(tag, "").split(","))
        found = (_MAILTO.fullmatch(place) for place in places)
        return tuple(dict.fromkeys(one[1].lower() for one in found if one))


@dataclass(frozen=True, slots=True)
class Walk:
    """What the tree walk from a domain found.

    Attributes:
        domain: Where it began.
        records: The records, from the domain upwards.
        several: Names that have more than one record: then none counts.
        malformed: Names → what is wrong.
        unanswered: Whether some question had no answer.
        stray: Names → texts there that are not a DMARC record.
    """

    domain: str
    records: tuple[DmarcRecord, ...]
    several: tuple[str, ...]
    malformed: dict[str, str]
    unanswered: bool
    stray: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def organisation(self) -> str:
        """The organisation's domain (section 4.10.2); the domain itself where no record says more."""
        for record in self.records:
            psd = record.tags.get("psd", "u").lower()
            if psd == "n":
                return record.domain
            if psd == "y" and record.domain != self.domain:
                below = self.domain.removesuffix("." + record.domain).rpartition(".")[2]
                return f"{below}.{record.domain}"
        return self.records[-1].domain if self.records else self.domain

    @property
    def record(self) -> DmarcRecord | None:
        """The record that holds for the domain: its own, or that of the organisation."""
        if not self.records or self.records[0].domain == self.domain:
            return self.records[0] if self.records else None
        wanted = self.organisation
        return next((r for r in self.records if r.domain == wanted), self.records[-1])


def walk_questions(domain: str) -> tuple[Question, ...]:
    """Return all questions of the tree walk from a domain; they may be asked together.

    >>> [question.name for question in walk_questions("a.example.org")]
    ['_dmarc.a.example.org', '_dmarc.example.org', '_dmarc.org']
    """
    labels = domain.split(".")
    steps = [labels]
    rest = labels[-_NEXT:] if len(labels) > _LONGEST else labels[1:]
    steps += [rest[i:] for i in range(len(rest))]
    return tuple(Question("_dmarc." + ".".join(step), "TXT") for step in steps)


def walk(domain: str, answers: Mapping[Question, Answer]) -> Walk:
    """Read the answers of a tree walk."""
    records = []
    several = []
    malformed = {}
    stray: dict[str, tuple[str, ...]] = {}
    for question in walk_questions(domain):
        texts = [text for text in answers[question].records if _is_record(text)]
        spaced = [text for text in answers[question].records if _is_record(text.lstrip())]
        name = question.name.removeprefix("_dmarc.")
        if texts and len(texts) < len(answers[question].records):
            stray[name] = tuple(text for text in answers[question].records if text not in texts)
        if len(texts) > 1:
            several.append(name)
        elif texts:
            record = _read(name, texts[0])
            if record.problem:
                malformed[name] = record.problem
            else:
                records.append(record)
        elif spaced:
            malformed[name] = "it begins with a space"
    unanswered = not all(answers[question].is_final for question in walk_questions(domain))
    return Walk(domain, tuple(records), tuple(several), malformed, unanswered, stray)


def _is_record(text: str) -> bool:
    """Return whether a TXT record is one of DMARC: its first tag is exactly the version (section 4.8)."""
    name, _, content = text.partition(";")[0].partition("=")
    return name.rstrip() in {"v", "V"} and content.strip() == "DMARC1"


def _read(name: str, text: str) -> DmarcRecord:
    tags = read_tags(text)
    problem = ""
    for tag in ("p", "sp", "np"):
        if tag in tags and tags[tag].lower() not in POLICIES:
            problem = f"{tag}={tags[tag][:20]} is not one of {', '.join(POLICIES)}"
    names = [part.partition("=")[0].strip().lower() for part in text.split(";") if part.strip()]
    if twice := [name for name in tags if names.count(name) > 1]:
        problem = f"{twice[0]}= occurs twice"
    if "p" not in tags and "rua" not in tags:
        problem = "it has neither p= nor rua="
    return DmarcRecord(name, tags, problem, text)
