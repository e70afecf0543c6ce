"""The messages the shipped model is made from: an outside corpus, the open one, and extra material.

The outside corpus is other people's mail and is never part of the project; the scripts beside this
file take its folder as an argument. ``labels-corrected.tsv`` holds labels that were changed after
reading the message, ``families.tsv`` names sources that resemble each other.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from mailflows import Flow, MessageError
from mailflows.message import Message
from mailflows.training import Example, load_corpus

HERE = Path(__file__).resolve().parent
OPEN_CORPUS = HERE.parent / "corpus"
KINDS = HERE.parent / "src" / "mailflows" / "data" / "flows" / "kinds.toml"
EXTRA_WEIGHT = 0.3
"""Templates and unsolicited adverts teach layout, but are not the mail of the three flows."""

TEXT_WEIGHT = 0.15
"""Texts of two sentences are no messages; choice: on sources left out, more of them costs bare mail."""


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def _family(source: str, patterns: list[dict[str, str]]) -> str:
    """Return the family of a source; small test fixtures of programs fall into four pools."""
    for row in patterns:
        if fnmatch(source, row["source"]):
            return row["family"]
    return f"fixtures {hashlib.sha256(source.encode()).digest()[0] % 4}"


def outside(folder: Path) -> list[Example]:
    """Read the outside corpus with corrected labels."""
    corrected = {
        row["file"]: None if row["label"] == "-" else Flow(row["label"])
        for row in _rows(HERE / "labels-corrected.tsv")
    }
    patterns = _rows(HERE / "families.tsv")
    examples = load_corpus(folder, relabel=corrected)
    return [dataclasses.replace(e, family="outside " + _family(e.source, patterns)) for e in examples]


def own() -> list[Example]:
    """Read the open corpus; a tool family in one language is a source, the language is the family."""
    return [
        dataclasses.replace(e, source=f"open {e.source} {e.language}", family=f"open {e.language}")
        for e in load_corpus(OPEN_CORPUS)
    ]


def extra(folder: Path) -> list[Example]:
    """Read templates and adverts, to learn from at a low weight."""
    found: list[Example] = []
    for path in sorted((folder / "commercial-spam").glob("*/*.eml")):
        family = "outside spamassassin" if "spamassassin" in path.parent.name else "adverts"
        try:
            message = Message.read(path)
        except MessageError:
            continue
        found.append(
            Example(
                path.name, Flow.MARKETING, f"adverts {path.parent.name}", family, "", message, EXTRA_WEIGHT
            )
        )
    for row in _rows(folder / "templates" / "MANIFEST.tsv"):
        path = folder / "templates" / row["file"]
        if path.is_file():
            message = Message.read(
                b"Content-Type: text/html; charset=utf-8\nX-Template: 1\n\n" + path.read_bytes()
            )
            source = f"templates {row['source']}"
            found.append(
                Example(
                    row["file"], Flow(row["label"]), source, "templates", row["lang"], message, EXTRA_WEIGHT
                )
            )
    return found


def texts() -> list[Example]:
    """Read the short texts by kind, which teach words and subjects alone: they have no sender."""
    kinds = tomllib.loads(KINDS.read_text("utf-8"))
    return [
        Example(
            f"kinds {number}",
            Flow(kinds[row["kind"]]["place"]),
            f"kinds {row['lang']}",
            "texts",
            row["lang"],
            Message.read(
                f"Subject: {row['subject']}\nContent-Type: text/plain; charset=utf-8\n\n{row['text']}\n"
            ),
            TEXT_WEIGHT,
            ("words-", "subject-"),
        )
        for number, row in enumerate(_rows(OPEN_CORPUS / "kinds.tsv"))
        if kinds[row["kind"]]["place"] != "depends"
    ]


def by_language(further: list[Example]) -> list[Example]:
    """Put texts into the family of their language, so that they are left out with it."""
    return [
        dataclasses.replace(e, family=f"open {e.language}") if e.family == "texts" else e for e in further
    ]


def distinct(examples: list[Example]) -> list[Example]:
    """Leave out messages whose text was seen before: one campaign lies in several folders."""
    seen: set[str] = set()
    kept = []
    for example in examples:
        letters = re.sub(r"\W+|\d+", "", example.message.body.lower())[:600]
        key = letters if len(letters) > 40 else example.file
        if key not in seen:
            seen.add(key)
            kept.append(example)
    return kept
