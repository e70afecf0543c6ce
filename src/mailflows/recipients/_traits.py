"""What is known of an address from lists, its spelling and its provider's rules; nobody is asked."""

from __future__ import annotations

import itertools
import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows._providers import is_free_mail
from mailflows.errors import ConfigurationError
from mailflows.recipients import _reference
from mailflows.recipients._repair import strip_markup
from mailflows.recipients._report import RecipientReason, Trait, make_reason
from mailflows.recipients._spelling import correct_domain, looks_like

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DomainTraits",
    "Grammar",
    "LocalTraits",
    "Overrides",
    "domain_traits",
    "grammar_of",
    "local_traits",
]


@dataclass(frozen=True, slots=True)
class Overrides:
    """Your corrections to the built-in lists.

    Attributes:
        disposable: Domains to treat as disposable, including their subdomains.
        not_disposable: Domains never to treat as disposable.
        traps: Addresses and domains that you know to be spam traps.
        roles: Further local parts of role accounts.
        not_roles: Local parts that are not role accounts for you.
        known: Domains that are not typos, such as your own and your partners'.
        internal_domains: Domains that exist only inside your own network, such as ``firm.lan``, including
            their subdomains: they accept mail, and are not looked up in the DNS.

    Example:
        >>> from mailflows.recipients import RecipientChecker
        >>> checker = RecipientChecker(dns=False, overrides=Overrides.of(known={"gmial.com"}))
        >>> checker.check("bob@gmial.com").suggestion is None
        True
    """

    disposable: frozenset[str] = frozenset()
    not_disposable: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    not_roles: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    traps: frozenset[str] = frozenset()
    internal_domains: frozenset[str] = frozenset()

    @classmethod
    def of(  # noqa: PLR0913 -- what a user may know better
        cls,
        *,
        disposable: Iterable[str] = (),
        not_disposable: Iterable[str] = (),
        roles: Iterable[str] = (),
        not_roles: Iterable[str] = (),
        known: Iterable[str] = (),
        traps: Iterable[str] = (),
        internal_domains: Iterable[str] = (),
    ) -> Overrides:
        """Return overrides from any collections, or from open files with a word a line; case is ignored.

        Raises:
            ConfigurationError: If one of them is a single string.
        """
        given = (disposable, not_disposable, roles, not_roles, known, traps, internal_domains)
        for words in given:
            if isinstance(words, str):
                msg = f"overrides must be collections of words, not one string: {words!r}"
                raise ConfigurationError(msg, field="overrides")
        lower = [frozenset(word.strip().lower() for word in words) - {""} for words in given]
        lower[2], lower[3] = (frozenset(map(_reference.squeeze, words)) for words in lower[2:4])
        return cls(*lower)

    def is_internal(self, domain: str) -> bool:
        """Return whether a domain, or one above it, is in the sender's own network alone.

        >>> Overrides.of(internal_domains={"lan"}).is_internal("mail.firm.lan")
        True
        """
        labels = domain.split(".")
        return any(".".join(labels[at:]) in self.internal_domains for at in range(len(labels)))


NONE = Overrides()


@dataclass(frozen=True, slots=True)
class DomainTraits:
    """What is known of a domain.

    Attributes:
        traits: The traits.
        reasons: The same, for a reader.
        meant: The domain that was probably meant, or `None`.
    """

    traits: frozenset[Trait]
    reasons: tuple[RecipientReason, ...]
    meant: str | None


@dataclass(frozen=True, slots=True)
class LocalTraits:
    """What is known of a local part: as for a domain."""

    traits: frozenset[Trait]
    reasons: tuple[RecipientReason, ...]


def parents(domain: str) -> list[str]:
    """Return a domain and those above it, without the top-level domain.

    >>> parents("a.b.example.org")
    ['a.b.example.org', 'b.example.org', 'example.org']
    """
    if domain.count(".") < 2:
        return [domain]
    labels = domain.split(".")
    return [".".join(labels[i:]) for i in range(len(labels) - 1)]


def domain_traits(domain: str, *, unicode: str, overrides: Overrides = NONE) -> DomainTraits:
    """Return what is known of a domain.

    Args:
        domain: As A-labels in lower case.
        unicode: The same in Unicode.
        overrides: What the user knows better.

    Example:
        >>> sorted(domain_traits("mx.yopmail.com", unicode="mx.yopmail.com").traits)
        [<Trait.DISPOSABLE: 'disposable'>]
        >>> domain_traits("gmial.com", unicode="gmial.com").meant
        'gmail.com'
    """
    # What was meant comes first: lists of disposable domains hold typing errors, too, and that helps nobody.
    meant, reasons = _spelling(domain, unicode, overrides)
    listed = _listed(domain, overrides)
    if listed is not None:
        reasons.append(listed)
    if is_free_mail(domain) and (listed is None or listed.code != Trait.DISPOSABLE):
        reasons.append(make_reason("free-mail", domain))
    if not reasons:
        return NOTHING
    traits = frozenset(_TRAITS[reason.code] for reason in reasons if reason.code in _TRAITS)
    return DomainTraits(traits, tuple(reasons), meant)


NOTHING = DomainTraits(frozenset(), (), None)
_TRAITS = {str(trait): trait for trait in Trait}


def _listed(domain: str, overrides: Overrides) -> RecipientReason | None:
    """Return what a list says about a domain or one above it: disposable, a relay, or nothing."""
    disposable, relays = _reference.disposable(), _reference.alias_relays()
    for name in parents(domain):
        if name in overrides.not_disposable:
            return None
        if name in overrides.disposable:
            return _disposable_reason(name, own=True)
        if name in relays:
            return make_reason("alias-relay", name)
        if name in _reference.sms_gateways():
            return make_reason("sms-gateway", name)
        if name in disposable:
            return _disposable_reason(name, own=False)
    return None


def _disposable_reason(name: str, *, own: bool) -> RecipientReason:
    where = "your own list" if own else f"the list of {_reference.disposable_date()}"
    return make_reason("disposable", f"{name} in {where}")


def _spelling(domain: str, unicode: str, overrides: Overrides) -> tuple[str | None, list[RecipientReason]]:
    """Return what was probably meant, and what is odd about the spelling."""
    reasons = []
    known = _reference.well_known()
    meant = looks_like(unicode)
    if meant:
        reasons.append(make_reason("confusable", domain, meant=meant))
    elif domain not in overrides.known and not is_free_mail(domain):
        meant = correct_domain(domain, known=known)
        if meant:
            reasons.append(make_reason("typo", domain, meant=meant))
    ending = domain.rpartition(".")[2]
    if not _reference.is_known_tld(ending):
        reasons.append(make_reason("unknown-tld", f".{ending}"))
    return meant, reasons


_NO_REPLY = make_reason("no-reply")
_SUBADDRESS = make_reason("subaddress")
_MARKUP = make_reason("markup")
PLAIN = LocalTraits(frozenset(), ())

_SPLIT = re.compile(r"[._\-]+")
_NUMBERED = re.compile(r"([a-z]{3,})\d{1,2}\Z")


def local_traits(local: str, overrides: Overrides = NONE) -> LocalTraits:
    """Return what is known of a local part, given in lower case.

    >>> sorted(local_traits("service-client").traits), sorted(local_traits("ada").traits)
    ([<Trait.ROLE: 'role'>], [])
    """
    if overrides is NONE and is_ordinary(local):
        return PLAIN
    return _look_closely(local, overrides)


def is_ordinary(local: str) -> bool:
    """Return whether there is nothing to find, for the most of local parts: names, with a year perhaps.

    It may say "no" of anything, but must say "yes" only of a dot-atom in lower case in which
    `_look_closely` finds nothing.
    """
    shape = _NAME.match(local)
    if shape is None:
        return False
    stem, head = shape.groups()
    if head is not None:
        if head in _FIRST_WORDS or head == "www":
            return False
        stem = stem.replace(".", "").replace("-", "").replace("_", "")
    return (
        stem not in _marked()
        and "rep" not in stem
        and not stem.startswith("nbsp")
        and (len(stem) < _RUN or (_HARSH.search(stem) is None and stem.count(stem[0]) < len(stem)))
    )


@cache
def _marked() -> frozenset[str]:
    """Return every stem that has to be looked at closely."""
    runs = {
        row[i : i + n]
        for keys in _KEYBOARD
        for row in (keys, keys[::-1])
        for n in range(_RUN, len(row) + 1)
        for i in range(len(row) - n + 1)
    }
    fillers = {word.rstrip("0123456789") for word in _FILLER}
    return frozenset(runs | fillers | _reference.roles() | _reference.no_replies())


@lru_cache(maxsize=4096)
def _look_closely(local: str, overrides: Overrides) -> LocalTraits:
    cleaned = strip_markup(local)
    base, plus, _ = (cleaned or local).partition("+")
    reasons = [] if cleaned is None else [_MARKUP]
    if plus and base:
        reasons.append(_SUBADDRESS)
    else:
        base = cleaned or local
    squeezed = _reference.squeeze(base)
    if _is_no_reply(squeezed):
        reasons.append(_NO_REPLY)
    role = None if squeezed in _FILLER else _role_word(base, squeezed, overrides)
    if role:
        reasons.append(make_reason("role", role))
    else:
        reasons += _suspicious(base)
    if not reasons:
        return PLAIN
    return LocalTraits(frozenset(_TRAITS[reason.code] for reason in reasons), tuple(reasons))


def _is_no_reply(squeezed: str) -> bool:
    if squeezed in _reference.no_replies():
        return True
    return "noreply" in squeezed or "donotreply" in squeezed or "nepasrepondre" in squeezed


def _role_word(local: str, squeezed: str, overrides: Overrides) -> str | None:
    """Return the word that makes a local part a role account: whole, numbered, or next to a place.

    A word among others counts only at the beginning and only where it can hardly be a name.
    """
    roles = _reference.roles()

    def is_role(word: str) -> bool:
        return word not in overrides.not_roles and (word in roles or word in overrides.roles)

    if is_role(squeezed):
        return squeezed
    numbered = _NUMBERED.match(squeezed)
    if numbered and is_role(numbered[1]):
        return numbered[1]
    first, *rest = _SPLIT.split(local)
    return first if rest and first in _FIRST_WORDS and is_role(first) else None


_FIRST_WORDS = frozenset(
    "info infos contact kontakt contato contacto sales vente ventes ventas vendas vendite "
    "vertrieb support service "
    "admin administration accueil secretariat office hello bonjour billing marketing commercial "
    "commerciale presse "
    "press jobs rh hr team newsletter news compta comptabilite facturation segreteria ufficio "
    "amministrazione "
    "noreply webmaster postmaster all".split()
)


# Local parts that look made up. Each rule is strict: real names of many languages pass it.
_KEYBOARD = (
    "qwertyuiop",
    "azertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "qsdfghjklm",
    "yxcvbnm",
    "zxcvbnm",
    "wxcvbn",
)
_RUN = 5
"""Neighbouring keys, or the same one, from which it is not an accident. Our choice."""
_SERIAL = re.compile(r"[a-z]{0,3}(?:\d{5,}|\d*(?:12345|23456|34567|45678|56789|98765)\d*)\Z")
_FILLER = frozenset(
    "test tests testing tester testtest test1 test123 testuser asdf asdfasdf qwerty azerty foo foobar".split()
)
_HARSH = re.compile(r"[bcdfghjklmnpqrstvwxz]{7,}")
_MIXED = re.compile(r"(?=(?:.*\d){4})(?=(?:.*[a-z]){4})[a-z0-9]{12,}\Z")
# Words with single separators, and a year at most.
_NAME = re.compile(r"((?:([a-z]+)[._-](?:[a-z]+[._-])*)?[a-z]+)\d{0,4}\Z")
_FLIPS = 5
"""Changes between letters and digits from which a local part looks random: a7k2m9x. Our choice."""


def _suspicious(local: str) -> list[RecipientReason]:
    """Return what looks made up about a local part."""
    pattern = _pattern(local)
    if pattern is None:
        return []
    return [make_reason("suspicious", f"looks {pattern}", pattern=f"it looks {pattern}")]


def _pattern(local: str) -> str | None:
    letters = local.replace(".", "").replace("_", "").replace("-", "")
    if letters in _FILLER:
        return "like a test"
    if len(letters) >= _RUN and _keyboard_run(letters):
        return "like a run of neighbouring keys"
    if _SERIAL.match(letters) and not letters.isdigit():
        return "like a number in a series"
    if len(letters) >= _RUN and len(set(letters)) == 1:
        return "like one key held down"
    if _HARSH.search(letters) or _is_random(letters):
        return "random"
    return None


def _keyboard_run(letters: str) -> bool:
    """Return whether a local part is mostly neighbouring keys.

    >>> _keyboard_run("asdfgh"), _keyboard_run("qwertz12"), _keyboard_run("property")
    (True, True, False)
    """
    stem = letters.rstrip("0123456789")
    return len(stem) >= _RUN and any(stem in row or stem[::-1] in row for row in _KEYBOARD)


def _is_random(letters: str) -> bool:
    """Return whether letters and digits change places too often for a name with a year."""
    if not _MIXED.match(letters):
        return False
    flips = sum(a.isdigit() != b.isdigit() for a, b in itertools.pairwise(letters))
    return flips >= _FLIPS


@dataclass(frozen=True, slots=True)
class Grammar:
    """One provider's rule for local parts; see `data/recipients/grammar.toml`."""

    name: str
    shortest: int
    longest: int
    pattern: re.Pattern[str]
    tag: str
    ignores_dots: bool
    reason: RecipientReason

    def allows(self, local: str) -> bool:
        """Return whether the provider gives out a local part, given in lower case.

        >>> rule = grammar_of("gmail.com")
        >>> rule.allows("ada.lovelace+news"), rule.allows("ada_lovelace"), rule.allows("abc")
        (True, False, False)
        """
        base = local.partition(self.tag)[0]
        length = len(base) - (base.count(".") if self.ignores_dots else 0)
        return self.shortest <= length <= self.longest and self.pattern.fullmatch(base) is not None


def grammar_of(domain: str) -> Grammar | None:
    """Return the rule of the mailbox provider of a domain, or `None`."""
    return _grammars().get(domain)


@cache
def _grammars() -> dict[str, Grammar]:
    found = {}
    for entry in tomllib.loads(_data.read("recipients/grammar.toml"))["provider"]:
        rule = Grammar(
            entry["name"],
            entry["min"],
            entry["max"],
            re.compile(entry["pattern"]),
            entry["tag"],
            entry.get("ignores_dots", False),
            make_reason("provider-grammar", entry["rule"], provider=entry["name"], rule=entry["rule"]),
        )
        found.update(dict.fromkeys(entry["domains"], rule))
    return found
