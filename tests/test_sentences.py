"""No branch depends on a sentence: in other words, the library decides, counts and ends as before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rewording import compiled, is_sentence, reworded

if TYPE_CHECKING:
    from collections.abc import Iterator

WAY = Path(__file__).with_name("worded_way.py")

TOLD = frozenset({"sentence", "advice"})
"""Keys of what is written for people only."""

LABELS = frozenset({"hits"})
"""Tables by what they are labelled with."""


@cache
def ways() -> list[list[tuple[str, Any]]]:
    """Return what the whole way says, as it is written and in other words."""
    running = [
        subprocess.Popen(
            [sys.executable, str(WAY), *how],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for how in ((), ("--reworded",))
    ]
    return [json.loads(process.communicate(timeout=300)[0]) for process in running]


def differences(one: Any, other: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield where two answers differ, with both values."""
    if isinstance(one, dict) and isinstance(other, dict) and path.rpartition("/")[2] in LABELS:
        one, other = [*one.values()], [*other.values()]
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key, value in one.items():
            yield from differences(value, other[key], f"{path}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, value in enumerate(one):
            yield from differences(value, other[number], path)
    elif one != other:
        yield path, one, other


def sentences(value: Any, key: str = "") -> Iterator[str]:
    """Yield all that is written for people."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from sentences(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from sentences(one, key)
    elif key in TOLD and isinstance(value, str) and is_sentence(value):
        yield value


def test_only_sentences_change() -> None:
    """Decisions, codes, counts, kinds of errors, exit statuses stay; only texts of several words differ."""
    as_written, in_other_words = ways()
    assert [name for name, _ in as_written] == [name for name, _ in in_other_words]
    found = differences([v for _, v in as_written], [v for _, v in in_other_words], "")
    assert [one for one in found if not (isinstance(one[1], str) and " " in one[1].strip())] == []


def test_every_sentence_changes() -> None:
    """What is compared was really said in other words; only the system's and a user's own texts stay."""
    as_written, in_other_words = (set(sentences([value for _, value in way])) for way in ways())
    ours = [one for one in as_written & in_other_words if "No such file" not in one and "evil" not in one]
    assert ours == []
    assert len(as_written) > 150


def test_a_branch_on_a_sentence_is_seen() -> None:
    """What looks for a word of its own sentence decides in another way, so that the comparison fails."""
    source = "why = 'the record is not public'\nfound = 'not public' in why\n"
    plain: dict[str, object] = {}
    other: dict[str, object] = {}
    exec(source, plain)  # noqa: S102 -- two lines of this test
    exec(compiled(source), other)  # noqa: S102
    assert (plain["found"], other["found"]) == (True, False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("the store failed to answer", True),
        (" recipients: ", True),
        ("not-asked", False),
        ("SELECT key FROM documents", False),
        (r"user (?:unknown|not found)", False),
        ("Content-Type: text/plain; charset=utf-8", False),
        ("3/hour; 10/day", False),
    ],
)
def test_what_is_a_sentence(text: str, told: bool) -> None:  # noqa: FBT001 -- an expectation
    """Text for people is told from codes, patterns, queries, headers and rates."""
    assert (is_sentence(text), reworded(text) != text and told) == (told, told)
