"""What mail clients do with the features that a page uses (the data of caniemail.com).

Unknown and untested are not unsupported; every feature is named with the day of its last test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows.content._draft import Note
from mailflows.content._features import uses
from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailflows._html.tree import Element
    from mailflows.content._draft import Draft

__all__ = ["DEFAULT", "Feature", "clients_named", "data_date", "rules"]

DEFAULT = "apple-mail gmail outlook yahoo aol samsung-email thunderbird protonmail orange gmx hey".split()
"""The families that are asked about by default: the widespread ones."""

_LAYOUT_SHARE = 0.1  # choice: see below
"""Share of the clients that must lose a feature before the layout counts as lost."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A row of the support table.

    Attributes:
        slug: The word of caniemail.com, such as ``css-display-flex``.
        title: What it is, for a reader.
        tested: Day of the last test.
        support: One letter for each client: y, a (partly), n, u (unknown), or a dot (untested).
    """

    slug: str
    title: str
    tested: str
    support: str


@cache
def _table() -> tuple[str, tuple[str, ...], dict[str, Feature]]:
    """Return the date, the clients and the features of the bundled table."""
    data = json.loads(_data.read("content/caniemail.json"))
    features = {row[0]: Feature(*row) for row in data["features"]}
    return data["date"], tuple(data["clients"]), features


@cache
def _by_token() -> dict[str, tuple[Feature, ...]]:
    """Return the features that a token shows; one may show several."""
    found: dict[str, tuple[Feature, ...]] = {}
    features = _table()[2]
    for line in _data.read_sections("content/features.txt")[""]:
        slug, *tokens = line.split()
        for token in tokens:
            found[token] = (*found.get(token, ()), features[slug])
    return found


@cache
def _layout() -> frozenset[str]:
    return frozenset(_data.read_sections("content/features.txt")["layout"])


@cache
def _advice() -> frozenset[str]:
    return frozenset(_data.read_sections("content/features.txt")["advice"])


def _is_of_use(feature: Feature, letters: set[str], *, is_conditional: bool) -> bool:
    """Return whether an author can do something: write it in another way, and nobody sees less.

    A picture that some clients show in part, as the first frame of a GIF, is as good as it gets.
    """
    if feature.slug.startswith("image-"):
        return "n" in letters
    return not is_conditional and (feature.slug in _layout() or feature.slug in _advice())


def data_date() -> str:
    """Return the day of the support table."""
    return _table()[0]


def clients_named(wanted: str | Iterable[str]) -> tuple[str, ...]:
    """Return the clients that are meant: families (``gmail``), or one of them (``outlook/windows``).

    Raises:
        ConfigurationError: For a name that the table does not have.
    """
    every = _table()[1]
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    if names in (["all"], ["*"]):
        return every
    if names == ["default"]:
        names = DEFAULT
    found = []
    for name in names:
        meant = [client for client in every if client == name or client.partition("/")[0] == name]
        if not meant:
            families = ", ".join(dict.fromkeys(client.partition("/")[0] for client in every))
            msg = (
                f"there is no client {name!r}; choose from default, all, {families}, "
                "or one client such as outlook/windows"
            )
            raise ConfigurationError(msg, field="clients")
        found += meant
    return tuple(dict.fromkeys(found))


def rules(draft: Draft) -> Iterator[Note]:
    """Yield at most one note for layout, CSS, HTML and image formats each.

    Where nobody asked for certain clients, only features that have an alternative are reported.
    """
    is_asked = set(draft.clients) != set(clients_named("default"))
    columns = [number for number, client in enumerate(_table()[1]) if client in set(draft.clients)]
    groups: dict[str, dict[Feature, Element | None]] = {}
    for token, (element, is_conditional) in _used(draft).items():
        for feature in _by_token().get(token, ()):
            letters = {feature.support[column] for column in columns}
            if letters.isdisjoint("na"):
                continue
            if not is_asked and not _is_of_use(feature, letters, is_conditional=is_conditional):
                continue
            code = _code(feature, columns, is_conditional=is_conditional)
            groups.setdefault(code, {}).setdefault(feature, element)
    for code, features in groups.items():
        yield _note(draft, code, features, columns)


def _used(draft: Draft) -> dict[str, tuple[Element | None, bool]]:
    found = uses(draft.page)
    for name, _ in draft.message.headers:
        found.setdefault(f"header:{name}", (None, False))
    for part in draft.message.parts:
        if part.content_type.startswith("image/") and draft.html:
            found.setdefault(f"image:{part.content_type[6:].partition('+')[0]}", (None, False))
        elif part.content_type == "text/x-amp-html":
            found.setdefault("other:amp", (None, False))
    return found


def _code(feature: Feature, columns: list[int], *, is_conditional: bool) -> str:
    lost = sum(feature.support[column] == "n" for column in columns)
    if feature.slug in _layout() and not is_conditional and lost >= _LAYOUT_SHARE * len(columns):
        return "layout-unsupported"
    kind = feature.slug.partition("-")[0]
    if kind == "image":
        return "image-unsupported" if lost else "html-unsupported"
    return "css-unsupported" if kind == "css" else "html-unsupported"


def _note(draft: Draft, code: str, features: dict[Feature, Element | None], columns: list[int]) -> Note:
    every = _table()[1]
    ranked = sorted(features, key=lambda f: -sum(f.support[c] == "n" for c in columns))
    concerned = [every[c] for c in columns if any(f.support[c] in "na" for f in ranked)]
    evidence = tuple(f"{f.slug}: {_said(f, columns)} (tested {f.tested})" for f in ranked)
    return Note(code, draft.at(features[ranked[0]]), len(features), evidence, tuple(concerned))


def _said(feature: Feature, columns: list[int]) -> str:
    """Return in words how many clients lack a feature."""
    known = [feature.support[c] for c in columns if feature.support[c] in "yna"]
    none, partly = known.count("n"), known.count("a")
    words = [f"not supported by {none}" if none else "", f"partly supported by {partly}" if partly else ""]
    return f"{', '.join(filter(None, words))} of {len(known)} clients"
