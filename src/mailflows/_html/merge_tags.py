"""Merge tags: what template languages and mailing tools replace when they fill in a template."""

from __future__ import annotations

import re
import tomllib
from functools import cache

from mailflows import _data

__all__ = ["merge_tag", "merge_tag_mark"]


@cache
def merge_tag() -> re.Pattern[str]:
    """Return the pattern of a whole merge tag of any common template engine.

    >>> merge_tag().findall("Dear *|FNAME|*, your {{ order.number }}")
    ['*|FNAME|*', '{{ order.number }}']
    """
    return _compiled("tag")


@cache
def merge_tag_mark() -> re.Pattern[str]:
    """Return the pattern of what shows that a link contains a merge tag, perhaps cut in two."""
    return _compiled("mark")


def _compiled(kind: str) -> re.Pattern[str]:
    table = tomllib.loads(_data.read("merge-tags.toml"))
    return re.compile("|".join(engine[kind] for engine in table.values()))
