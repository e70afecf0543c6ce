"""What large providers give out before the @-sign; what cannot exist there is risky."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache

from mailflows import _data
from mailflows.recipients._report import RecipientReason, make_reason

__all__ = ["Grammar", "grammar_of"]


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
