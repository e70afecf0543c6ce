"""'Did you mean': the domain that a typing error, or a look-alike, stands for; from the spelling alone.

The DNS is not asked, because misspelt domains of large providers often have mail hosts that catch what
was meant for others. A suggestion is for the person who typed the address; nothing is ever put right
by itself. Look-alikes in other letters are UTS #39's "confusables".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection  # noqa: TC003 -- read by a cached function's signature
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations, groupby

from mailflows._providers import free_mail_domains, large_mailbox_domains
from mailflows.recipients import _reference

__all__ = ["correct_domain", "looks_like"]

# Neighbours on the keyboards in use (QWERTY, AZERTY and QWERTZ differ in few of these).
_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
# Shapes that are read one for the other.
_ALIKE = frozenset(map(frozenset, ("gq", "il", "i1", "l1", "o0", "mn", "uv", "vw", "ij", "ce", "rn")))
_VOWELS = frozenset("aeiouy")

_SWAP = 0.5
_DOUBLE = 0.4
_DROP = 0.8
_ADD = 0.8
_NEAR = 0.7
_VOWEL = 0.8
_OTHER = 1.0
_FIRST = 1.3
"""Cost of slips: a doubled letter is likelier than a wrong one, and the first letter is seldom wrong.
Our choice."""

_ENDINGS = tuple("com net org fr de it es eu be ch nl uk info ru pl br jp at se dk ca au us in cz pt".split())
"""Endings to which an unknown one is mended, the most used first."""

_RARER_ENDINGS = tuple("no fi hu gr ro sk bg lt lv ee hr si ie il tr za mx nz ua".split())
"""Endings to which an unknown one is mended where it only doubles a letter."""

_SECOND_LEVEL = tuple(
    "co.uk com.br com.au co.jp co.in com.mx co.id com.ar com.tr com.cn co.nz co.za com.tw com.hk com.sg "
    "co.kr com.co com.my com.ph com.vn com.pe com.ve com.ec com.uy com.ua com.pl com.pt co.il co.th "
    "org.uk ac.uk gov.uk net.au org.au edu.au net.br org.br gov.br ne.jp or.jp ac.jp com.sa com.eg "
    "com.pk com.ng co.ke".split()
)
"""Endings of two labels to which an unknown one is mended, the most used first; all stand in the public
suffix list."""

_REGISTRY_WORDS = ("com", "co", "net", "org")

_DOTLESS = ("com", "net", "org", "fr", "de")

_SLIPS_OF_COM = frozenset({"co", "cm", "om", "cn", "ocm", "comm", "con", "cim", "cpm", "vom", "xom"})
_OPEN_ENDINGS = frozenset({"com", "net", "org", "info", "biz", "co", "cm", "om"})
"""Endings under which a name with one ending is a slip; .edu and .gov are given out by rule."""

_LARGEST = frozenset({"gmail", "googlemail", "hotmail", "icloud", "outlook", "yahoo"})
"""So many people mean these that a rarer slip is still likelier than a domain of that spelling."""

_LONG = 7
"""Letters from which a name bears two slips and is still known. Our choice."""

_LONGEST = 40  # bound: keeps work and memory flat
_LONGEST_NAME = 12  # bound: keeps work and memory flat
_REPEATED = re.compile(r"(.{3,})\1$")


def correct_domain(domain: str, *, known: Collection[str]) -> str | None:
    """Return the domain that was probably meant, or `None` where this one is as likely.

    Args:
        domain: In lower case; may lack a dot.
        known: Domains that are never called a typing error.

    Example:
        >>> correct_domain("gmial.com", known=()), correct_domain("acme.con", known=())
        ('gmail.com', 'acme.com')
        >>> correct_domain("gmx.de", known=()) is None
        True
    """
    if not domain or domain in known or domain in _labels() or len(domain) > _LONGEST:
        return None
    meant = _mended(domain)
    if meant is None or meant in known or meant in _labels():
        return meant
    return _mended(meant) or meant  # one slip may hide another: www.gmial.com


def _mended(domain: str) -> str | None:
    return (
        _without_www(domain)
        or _same_letters(domain)
        or _split(domain)
        or _same_name(domain)
        or _by_parts(domain)
        or _mend_ending(domain)
    )


def _without_www(domain: str) -> str | None:
    """Return the mail domain where the host of a web site was typed: ``www.gmail.com``."""
    rest = domain.removeprefix("www.")
    return rest if rest != domain and "." in rest and not _reference.is_real_ending(rest) else None


def _same_name(domain: str) -> str | None:
    """Mend the ending of a name that is known: the mail must never go to a stranger's provider.

    >>> _same_name("mail.ruu"), _same_name("gmx.con"), _same_name("yahoo.xom.br"), _same_name("charter.ne")
    ('mail.ru', 'gmx.com', 'yahoo.com.br', 'charter.net')
    """
    name, _, ending = domain.partition(".")
    endings = _endings().get(name)
    if endings is None or not ending or ending in endings:
        return None
    if len(ending) == 1:
        return f"{name}.{endings[0]}"
    country = ending.rpartition(".")[2]
    costs = [
        (
            _SWAP if ending == known.replace(".", "") else _distance(ending, known),
            known.rpartition(".")[2] != country,
        )
        for known in endings
    ]
    # The country is seldom wrong: hotmail.com.uk is meant for hotmail.co.uk, not for hotmail.com.hk.
    rank = min(range(len(costs)), key=lambda place: (costs[place][0] + _NEAR * costs[place][1], place))
    cost, best = costs[rank][0], endings[rank]
    return f"{name}.{best}" if cost <= _ending_bound(name, ending, best) else None


def _ending_bound(name: str, ending: str, meant: str) -> float:
    """Return the cost of slips up to which a known name with another ending is mended."""
    if not _reference.is_real_ending(ending):
        return _OTHER + _DOUBLE
    if _SLIPS.get(ending) == meant and f"{name}.{meant}" in _labels().keys() | large_mailbox_domains():
        return _OTHER
    has_no_owner = len(ending) > 2 and name in _LARGEST
    return _DROP if has_no_owner else -1.0


_SLIPS = {"ne": "net", "cm": "com", "om": "com"}
"""Countries that hardly anybody means who types the name of a large provider."""


@cache
def _endings() -> dict[str, tuple[str, ...]]:
    """Return the endings of every known name, those of the large providers first."""
    found: dict[str, dict[str, None]] = {}
    groups = (
        [domain for domain, _ in _targets()],
        large_mailbox_domains(),
        _reference.well_known(),
        free_mail_domains(),
    )
    alone = {domain.partition(".")[0] for domain, section in _targets() if section == "one ending"}
    for group in groups:
        for domain in group if isinstance(group, list) else sorted(group):
            name, _, ending = domain.partition(".")
            if name not in alone or domain in _labels():
                found.setdefault(name, {})[ending] = None
    return {name: tuple(endings) for name, endings in found.items()}


def _same_letters(domain: str) -> str | None:
    """Mend a dot that is missing or moved: ``gmailc.om``, ``gmailcom``."""
    found = _undotted().get(domain.replace(".", ""))
    if found or "." in domain:
        return found
    for target, section in _targets():
        if section != "short" and domain == target.partition(".")[0]:
            return target
    return next(
        (
            f"{domain[: -len(end)]}.{end}"
            for end in _DOTLESS
            if domain.endswith(end) and len(domain) > len(end) + 3
        ),
        None,
    )


def _split(domain: str) -> str | None:
    """Cut what follows a whole domain: ``gmail.com.com``, ``gmail.com.co``."""
    first, _, rest = domain.partition(".")
    head, _, tail = rest.partition(".")
    whole = f"{first}.{head}"
    section = _labels().get(whole)
    if not tail or section is None or section == "short":
        return None
    return whole if section == "one ending" or tail == head or tail in _SLIPS_OF_COM else None


def _by_parts(domain: str) -> str | None:
    """Mend the name, its ending, or both."""
    name, _, ending = domain.partition(".")
    real = _reference.is_known_tld(ending.rpartition(".")[2]) if ending else False
    best: tuple[float, int, str] | None = None
    if name not in _endings():
        name = _REPEATED.sub(r"\1", name)  # hotmailmail
    for meant in _possible_names(name, is_real=real):
        slips = _name_cost(name, meant)
        if slips < _TOO_MUCH:
            for rank, target, section in _names()[meant].targets:
                cost = slips + _ending_cost(ending, target, section, real=real)
                if cost < _TOO_MUCH and (best is None or (cost, rank) < best[:2]):
                    best = cost, rank, target
    if best:
        return best[2]
    for large in _LARGEST:
        if name in (f"{large}com", f"{large}co") and ending == "com":
            return f"{large}.com"
    return None


def _possible_names(name: str, *, is_real: bool) -> Collection[str]:
    """Return the names that may be meant: a known one is itself, unless only its ending makes it known."""
    if name in _names():
        return (name,)
    return () if name in _endings() and not is_real else _candidates(name)


_TOO_MUCH = 100.0  # by definition: more than any word costs
_FAR = 2.5
"""Slips from which an ending is another one, such as that of a host below a company: mail.acme.con.
Our choice."""


def _name_cost(name: str, meant: str) -> float:
    """Return the cost of the slips from one name to another, beyond bounds if they are not alike."""
    cost = _distance(name, meant)
    bound = _names()[meant].bound
    if meant in _LARGEST and name[0] == meant[0] and _bones(name) == _bones(meant):
        bound = 2 * _OTHER  # only vowels differ
    return cost if cost <= bound + 1e-9 else _TOO_MUCH


def _bound(meant: str, section: str) -> float:
    """Return the cost of slips from which another name was meant."""
    if section == "short":
        return _SWAP
    if meant in _LARGEST:
        return 2 * _DROP if len(meant) >= _LONG else _OTHER
    return _DROP if len(meant) < _LONG + 2 else _DROP + _DOUBLE


def _ending_cost(ending: str, target: str, section: str, *, real: bool) -> float:
    """Return the cost of another ending; a real one under which the name may exist costs too much."""
    name, _, wanted = target.partition(".")
    if ending == wanted:
        return 0.0
    if not real:
        slips = _distance(ending, wanted)
        if section == "one ending" and "." not in ending:
            slips = min(slips, _FAR)  # there is but one mailbox provider of that name
        elif slips > _least_slips(ending):
            return _TOO_MUCH  # another ending is nearer, and with it another provider
        return 0.1 + slips / 10 if slips <= _FAR else _TOO_MUCH
    if wanted == "com" and ending in _SLIPS_OF_COM:
        return 0.5
    is_open = ending in _OPEN_ENDINGS or (name in _LARGEST and ending.partition(".")[0] in ("co", "com"))
    return 0.6 if section == "one ending" and is_open else _TOO_MUCH


def _mend_ending(domain: str) -> str | None:  # noqa: PLR0911 -- one line a kind of slip
    """Mend the ending of any domain: an unknown one, or a slip before the code of a country.

    >>> [_mend_ending(f"acme.{end}") for end in ("con", "co.ukk", "comau", "con.br", "com.com", "de")]
    ['acme.com', 'acme.co.uk', 'acme.com.au', 'acme.com.br', 'acme.com', None]
    """
    labels = domain.split(".")
    if len(labels) < 2 or not all(labels):
        return None
    *rest, last = labels
    if not _reference.is_known_tld(last):
        if len(rest) > 1 and rest[-1] in _REGISTRY_WORDS:
            meant = _nearest(f"{rest[-1]}.{last}", _SECOND_LEVEL, _OTHER)
            if meant:
                return ".".join([*rest[:-1], meant])
        joined = next((two for two in _SECOND_LEVEL if last == two.replace(".", "")), None)
        meant = joined or _mend_top_level(last)
        return ".".join([*rest, meant]) if meant else None
    if len(rest) > 1 and rest[-1] == last == "com":
        return ".".join(rest)
    if len(rest) > 1 and not _reference.is_real_ending(f"{rest[-1]}.{last}"):
        return _mend_second_level(rest, last)
    head, tail = rest[-1][:-1], rest[-1][-1:] + last
    if tail in ("com", "net") and len(head) > 2 and last in ("om", "et"):
        return ".".join([*rest[:-1], head, tail])
    return None


def _mend_second_level(rest: list[str], last: str) -> str | None:
    """Mend ``firma.con.br``: the registry of the country gives names below ``com.br``."""
    if len(rest[-1]) > 4 or not _reference.is_real_ending(f"com.{last}") or len(last) > 2:
        return None
    slips = _distance(rest[-1], "com")
    return ".".join([*rest[:-1], "com", last]) if slips <= _DROP and rest[-1][:1] in "cxv" else None


@lru_cache(maxsize=4096)
def _mend_top_level(last: str) -> str | None:
    if len(last) < 2:
        return None
    meant = _nearest(last, _RARER_ENDINGS, _DOUBLE) or _nearest(last, _ENDINGS, _OTHER)
    if meant is None and last.startswith("com") and len(last) <= _LONGEST_TAIL:
        return "com"
    return meant


_LONGEST_TAIL = 6
"""Letters of an unknown ending that begins with com and is still a slip: comcom, com123. Our choice."""


@lru_cache(maxsize=4096)
def _least_slips(ending: str) -> float:
    """Return the cost of slips to the ending that is nearest."""
    return min(_distance(ending, end) for end in _ENDINGS + _RARER_ENDINGS + _SECOND_LEVEL)


def _nearest(typed: str, known: tuple[str, ...], bound: float) -> str | None:
    cost, _, best = min((_distance(typed, end), rank, end) for rank, end in enumerate(known))
    return best if cost <= bound else None


@cache
def _bones(name: str) -> str:
    """Return the consonants of a name, doubled ones once.

    >>> _bones("gmaill"), _bones("gmiel")
    ('gml', 'gml')
    """
    return "".join(letter for letter, _ in groupby(key for key in name if key not in _VOWELS))


def _distance(typed: str, meant: str) -> float:
    """Return the least cost of slips that turn *meant* into *typed* (optimal string alignment).

    >>> _distance("gmial", "gmail"), _distance("gmaill", "gmail")
    (0.5, 0.4)
    """
    before: list[float] = []
    row = [j * _ADD for j in range(len(typed) + 1)]
    for i, letter in enumerate(meant, 1):
        older, before = before, row
        row = [before[0] + _DROP]
        for j, key in enumerate(typed, 1):
            best = before[j - 1] + _wrong(letter, key, first=i == j == 1)
            best = min(best, before[j] + (_DOUBLE if i > 1 and meant[i - 2] == letter else _DROP))
            best = min(best, row[j - 1] + (_DOUBLE if j > 1 and typed[j - 2] == key else _ADD))
            if i > 1 and j > 1 and letter == typed[j - 2] and meant[i - 2] == key:
                best = min(best, older[j - 2] + _SWAP)
            row.append(best)
    return row[-1]


def _wrong(letter: str, key: str, *, first: bool) -> float:
    if letter == key:
        return 0.0
    if frozenset((letter, key)) in _near():
        return _NEAR
    if not first and letter in _VOWELS and key in _VOWELS:
        return _VOWEL
    return _FIRST if first else _OTHER


@cache
def _near() -> frozenset[frozenset[str]]:
    places = {key: (x + y * 0.5, y) for y, row in enumerate(_ROWS) for x, key in enumerate(row)}
    return _ALIKE | {
        frozenset(pair)
        for pair in combinations(places, 2)
        if abs(places[pair[0]][0] - places[pair[1]][0]) <= 1
        and abs(places[pair[0]][1] - places[pair[1]][1]) <= 1
    }


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that is often meant: the letters it has as bits, and the domains of that name."""

    letters: int
    bound: float
    targets: tuple[tuple[int, str, str], ...]


def _candidates(name: str) -> list[str]:
    """Return the names that may be within the bounds, by length and letters alone.

    A wrong letter changes at most two of the letters that occur, a missing or further one at most one.
    """
    lengths = range(len(name) - 2, min(len(name) + 3, _LONGEST_NAME))
    if not lengths:
        return []
    letters = _letters(name)
    return [
        meant
        for length in lengths
        for meant, bits, most in _by_length().get(length, ())
        if (bits ^ letters).bit_count() <= most
    ]


def _letters(name: str) -> int:
    bits = 0
    for letter in name:
        bits |= 1 << (ord(letter) & 63)
    return bits


@cache
def _names() -> dict[str, _Name]:
    found: dict[str, list[tuple[int, str, str]]] = {}
    for rank, (target, section) in enumerate(_targets()):
        found.setdefault(target.partition(".")[0], []).append((rank, target, section))
    return {
        meant: _Name(_letters(meant), _bound(meant, targets[0][2]), tuple(targets))
        for meant, targets in found.items()
    }


@cache
def _by_length() -> dict[int, tuple[tuple[str, int, int], ...]]:
    lengths: dict[int, list[tuple[str, int, int]]] = {}
    for meant, name in _names().items():
        most = 0 if name.bound <= _SWAP else 4 if meant in _LARGEST else 2
        lengths.setdefault(len(meant), []).append((meant, name.letters, most))
    return {length: tuple(names) for length, names in lengths.items()}


@cache
def _targets() -> tuple[tuple[str, str], ...]:
    return _reference.typo_targets()


@cache
def _labels() -> dict[str, str]:
    return dict(_targets())


@cache
def _undotted() -> dict[str, str]:
    return {target.replace(".", ""): target for target, section in reversed(_targets()) if section != "short"}


# Letters that are read as a Latin one. From the shapes in Unicode's UTS #39 confusables.txt, kept to
# what occurs in letters of Cyrillic, Greek, Armenian, Cherokee and Latin extensions; 2026-11-23.
_SHAPES = {
    "a": "аɑα",
    "b": "ЬƅƄ",
    "c": "сϲᴄ",
    "d": "ԁɗ",
    "e": "еҽ℮",
    "f": "ƒẝք",
    "g": "ɡɢցԍ",
    "h": "һհ",
    "i": "іıιӏɩ",
    "j": "јϳ",
    "k": "κкⲕ",
    "l": "ӏⅼǀ",
    "m": "мⅿ",
    "n": "ոռ",
    "o": "оοօ০ჿ",
    "p": "рρ",
    "q": "ԛզ",
    "r": "гᴦ",
    "s": "ѕꜱ",
    "t": "тτ",
    "u": "υսᴜ",
    "v": "νѵᴠ",
    "w": "ԝѡᴡ",
    "x": "хχ",
    "y": "уүγʏ",
    "z": "ᴢʐ",
}
_TABLE = str.maketrans({shape: letter for letter, shapes in _SHAPES.items() for shape in shapes})


def looks_like(domain: str) -> str | None:
    """Return the well-known domain that a Unicode domain looks like, or `None`.

    Only look-alikes of large mailbox providers and well-known services count: else every Cyrillic or
    accented name would be suspicious.

    >>> looks_like("gm\N{CYRILLIC SMALL LETTER A}il.com")
    'gmail.com'
    >>> looks_like("münchen.de") is None
    True
    """
    if domain.isascii():
        return None
    skeleton = _skeleton(domain)
    return skeleton if skeleton != domain and skeleton in _reference.well_known() else None


def _skeleton(domain: str) -> str:
    """Return the Latin letters that a domain is read as: marks off, shapes mapped."""
    plain = "".join(
        c
        for c in unicodedata.normalize("NFKD", domain.lower().translate(_TABLE))
        if not unicodedata.combining(c)
    )
    return plain.translate(_TABLE)
