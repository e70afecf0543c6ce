"""What the patterns of a whole list mean: the sentence and the severity of each finding."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import TYPE_CHECKING, Protocol

from mailflows import _data
from mailflows._result import Counted, Reason, Severity
from mailflows.recipients._status import SUPPRESSED

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

__all__ = ["list_finding"]


class Counts(Protocol):
    """What is counted of a list."""

    rows: int
    checked: int
    marks: Counter[str]


def list_finding(code: str, count: int, examples: Sequence[str], *, tally: Counts) -> Reason:
    """Return a finding with its numbers and what to do.

    Args:
        code: What was found, as in ``data/recipients/findings.toml``.
        count: How many rows it concerns.
        examples: Some of them, or the columns or the domain that it is about.
        tally: The counts of the whole list.
    """
    entry = _entries()[code]
    of_rows = code in {"marked-rows", "mostly-not-to-mail", "suppressed-rows", "consent-unsaid"}
    total = tally.rows if of_rows else tally.checked
    text = entry["sentence"].format(
        count=Counted(count),
        total=Counted(total),
        share=f"{count / max(1, total):.0%}",
        lines=", ".join(examples) + (", …" if count > len(examples) else ""),
        first=examples[0] if examples else "",
        columns=_in_a_row([f'"{name}"' for name in examples]),
        kinds=", ".join(f"{times} {why}" for why, times in tally.marks.most_common() if why != SUPPRESSED),
    )
    parameters: dict[str, object] = {"count": count}
    if code == "one-domain":
        parameters["domain"] = examples[0]
    return Reason(
        code,
        text,
        part="recipients",
        parameters=parameters,
        severity=Severity(entry["severity"]),
        evidence=tuple(examples),
    )


def _in_a_row(names: Sequence[str]) -> str:
    """Return names as a sentence has them.

    >>> _in_a_row(["A", "B", "C"]), _in_a_row(["A", "B"]), _in_a_row(["A"])
    ('A, B and C', 'A and B', 'A')
    """
    *before, last = names or [""]
    return f"{', '.join(before)} and {last}" if before else last


@cache
def _entries() -> dict[str, dict[str, str]]:
    return tomllib.loads(_data.read("recipients/findings.toml"))
