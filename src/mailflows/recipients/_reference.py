"""The lists behind the traits: where each comes from, how old it is, and what is in it."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import cache

from mailflows import _data
from mailflows._domain import is_known_ending, registrable_domain
from mailflows._providers import free_mail_domains, large_mailbox_domains

__all__ = ["DataSource", "sources"]

_DATE = re.compile(r"\b(20\d\d)-(\d\d)-(\d\d)\b")
_FILES = (
    "alias-relays",
    "disposable",
    "mail-hosts",
    "no-reply",
    "roles",
    "roles-by-language",
    "sms-gateways",
    "typo-targets",
    "well-known",
)


@dataclass(frozen=True, slots=True)
class DataSource:
    """One reference list behind the verdicts.

    Attributes:
        name: File or package.
        entries: Number of entries.
        version: Version of the package, or the date of the file.
        date: When it was compiled or, for a package, installed; `None` if not known.
    """

    name: str
    entries: int
    version: str
    date: dt.date | None

    def age(self, today: dt.date) -> int | None:
        """Return the age in days, or `None` where the date is not known."""
        return None if self.date is None else (today - self.date).days


@cache
def sources() -> tuple[DataSource, ...]:
    """Return every list that verdicts rest on, with its age.

    >>> [source.name for source in sources()][:2]
    ['publicsuffixlist', 'providers.toml']
    """
    own = tuple(_own(f"recipients/{name}.txt", len(_words(name))) for name in _FILES)
    return (
        _package("publicsuffixlist", 0),
        _own("providers.toml", len(large_mailbox_domains())),
        _own("free-mail.txt", len(free_mail_domains() - large_mailbox_domains())),
        *own,
    )


def _own(path: str, entries: int) -> DataSource:
    day = _date_of(path)
    return DataSource(path, entries, str(day), day)


def _date_of(path: str) -> dt.date | None:
    head = "\n".join(line for line in _data.read(path).splitlines() if line.startswith("#"))
    found = _DATE.search(head)
    return dt.date(*map(int, found.groups())) if found else None


def _package(name: str, entries: int) -> DataSource:
    from importlib.metadata import distribution  # noqa: PLC0415 -- only for a reason or a report

    found = distribution(name)
    record = found.locate_file(next(iter(found.files or ()), ""))
    try:
        day = dt.date.fromtimestamp(record.stat().st_mtime)  # type: ignore[attr-defined] # noqa: DTZ012 -- a day
    except (AttributeError, OSError):
        day = None
    return DataSource(name, entries, found.version, day)


@cache
def _words(name: str) -> frozenset[str]:
    return frozenset(
        word
        for lines in _data.read_sections(f"recipients/{name}.txt").values()
        for line in lines
        for word in line.split()
    )


@cache
def disposable() -> frozenset[str]:
    """Return the domains of services that give out addresses for a few hours."""
    return _words("disposable")


@cache
def disposable_date() -> dt.date | None:
    """Return the day of the list of disposable domains."""
    return _date_of("recipients/disposable.txt")


@cache
def alias_relays() -> frozenset[str]:
    """Return the domains of services that forward to a real mailbox."""
    return _words("alias-relays")


@cache
def sms_gateways() -> frozenset[str]:
    """Return the domains that turn mail into text messages."""
    return _words("sms-gateways")


def kind_of_mail_host(host: str) -> str | None:
    """Return what a mail host says of the domains whose mail goes there: disposable, parked, or nothing.

    >>> kind_of_mail_host("mail.mailinator.com"), kind_of_mail_host("mx.parkingcrew.net")
    ('disposable', 'parked')
    """
    labels = host.split(".")
    for place in range(len(labels) - 1):
        name = ".".join(labels[place:])
        for kind, names in _mail_hosts().items():
            if name in names:
                return kind
        if name in disposable():
            return "disposable"
    return None


@cache
def _mail_hosts() -> dict[str, frozenset[str]]:
    sections = _data.read_sections("recipients/mail-hosts.txt")
    return {kind: frozenset(" ".join(lines).split()) for kind, lines in sections.items() if kind}


@cache
def well_known() -> frozenset[str]:
    """Return the domains that are never called disposable or a typing error."""
    return _words("well-known") | _words("typo-targets") | large_mailbox_domains()


@cache
def typo_targets() -> tuple[tuple[str, str], ...]:
    """Return (domain, section) of what people mean when they mistype, the most used first."""
    sections = _data.read_sections("recipients/typo-targets.txt")
    return tuple((domain, name) for name, domains in sections.items() for domain in domains)


@cache
def roles() -> frozenset[str]:
    """Return the words that name a function, in lower case without separators."""
    return (
        frozenset(squeeze(word) for name in ("roles", "roles-by-language") for word in _words(name))
        - _too_short()
    )


@cache
def no_replies() -> frozenset[str]:
    """Return the local parts that nobody reads, without separators."""
    return _words("no-reply")


def _too_short() -> frozenset[str]:
    # Initials of people are more usual than these.
    return frozenset({"ap", "bd", "cs", "ir", "pm", "rd", "bod", "eng", "sac", "reg", "hi"})


_SEPARATORS = str.maketrans("", "", "._-")


def squeeze(local: str) -> str:
    """Return a local part without separators.

    >>> squeeze("service-client")
    'serviceclient'
    """
    return local.translate(_SEPARATORS)


def is_real_ending(ending: str) -> bool:
    """Return whether names are given out under an ending of one or two labels, by a registry or a firm.

    >>> is_real_ending("com.br"), is_real_ending("con.br"), is_real_ending("ne"), is_real_ending("co.ua")
    (True, False, True, True)
    """
    if "." not in ending:
        return is_known_tld(ending)
    # Below `co.ua` a firm gives out names: the private part of the public suffix list.
    below = f"not-a-registry.{ending}"
    return is_known_tld(ending.rpartition(".")[2]) and registrable_domain(below) == below


@cache
def is_known_tld(label: str) -> bool:
    """Return whether a last label, as an A-label, is a top-level domain of the public suffix list.

    >>> is_known_tld("com"), is_known_tld("con")
    (True, False)
    """
    # Some registries have rules for the second level only, such as .za.
    return any(is_known_ending(f"{second}{label}") for second in ("", "co.", "com.", "org.", "ac.", "gov."))
