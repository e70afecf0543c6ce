"""The guard: how many promotional blocks in transactional mail are found, how much clean mail is refused.

    python benchmarks/flows_guard.py [SHARED]

Into each transactional message of the open corpus (and of SHARED/corpus) one block is spliced at a
random line: once one written for this purpose (benchmarks/promotional_blocks.tsv; never trained on),
once one cut at run time from a marketing mail in the same language. The block model is trained anew for
each fifth of the sources, without the messages of that fifth, clean and marketing alike.

The kinds are judged on texts that were left out of training: a fifth of corpus/kinds.tsv at a time, as
text, as HTML, and with footers; a whole language at a time; and the messages of sources that were left
out. The whole guard is judged, as it is shipped, on benchmarks/guard_texts.tsv, which was written before
the thresholds were chosen and is never trained on, and on whole mails with footers
(benchmarks/guard_mails.txt), half of which was never looked at while rules and texts were mended.
"""

from __future__ import annotations

import csv
import html
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

import recording
from guard_mails import mails

sys.path.insert(0, str(recording.ROOT / "tasks"))
from train_blocks import Labelled, load, train
from train_kinds import collected, rows_of, written
from train_kinds import train as train_kinds

from mailflows.flows import FlowRoute, FlowSet
from mailflows.flows._advert import (
    BlockModel,
    Core,
    KindModel,
    Reading,
    core_of_text,
    cores,
    known_kinds,
    most_promotional,
    read_kind,
    shipped_blocks,
)
from mailflows.message import Message

FOLDS = 5

Row = tuple[str, int, float, float, float]
"""Source, weights, and the scores of the clean message and of the two with a block."""

Text = tuple[str, str, bool]
"""Subject, text, and whether it is marketing."""

LEAST_WORDS = 25
MOST_LINES = 4


def own_blocks() -> dict[str, list[str]]:
    """Return the blocks written for this, by language."""
    found = defaultdict(list)
    with Path(__file__).with_name("promotional_blocks.tsv").open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened, delimiter="\t"):
            found[row["lang"]].append(row["text"])
    return found


def cut_blocks(mails: list[Labelled], chance: random.Random) -> dict[str, list[str]]:
    """Cut a block from the first half of each marketing mail: there is the advert, not the small print."""
    found = defaultdict(list)
    for mail in mails:
        lines = [line for line in mail.message.body.split("\n") if line.strip()]
        start = chance.randrange(max(1, len(lines) // 2))
        block = lines[start : start + MOST_LINES]
        if len(" ".join(block).split()) >= LEAST_WORDS:
            found[mail.language].append("\n".join(block))
    return found


def spliced(mail: Labelled, blocks: dict[str, list[str]], chance: random.Random) -> Message:
    """Return a message with a block of its language at a random line."""
    choice = blocks.get(mail.language) or blocks.get("en") or next(iter(blocks.values()))
    lines = [line for line in mail.message.body.split("\n") if line.strip()]
    place = chance.randint(0, len(lines))
    text = "\n".join([*lines[:place], chance.choice(choice), *lines[place:]])
    head = f"Subject: {' '.join(mail.message.subject.split())}\nContent-Type: text/plain; charset=utf-8\n\n"
    return Message.read(head + text)


def score(message: Message, model: BlockModel) -> float:
    """Return the score of the most promotional passage."""
    block = most_promotional(cores(message)[0], model=model)
    return block.score if block else model.start


def measure(mails: list[Labelled]) -> list[Row]:
    """Train without each fifth of the sources, and judge that fifth with the shipped thresholds' rule."""
    chance = random.Random(5)
    fold: dict[str, int] = {}
    for label in ("marketing", "transactional"):  # every fifth has both
        sources = sorted({mail.source for mail in mails if mail.label == label})
        chance.shuffle(sources)
        for number, source in enumerate(sources):
            fold.setdefault(source, number % FOLDS)
    rows = []
    for number in range(FOLDS):
        model = train([mail for mail in mails if fold[mail.source] != number])
        held = [mail for mail in mails if fold[mail.source] == number]
        own = own_blocks()
        cut = cut_blocks([mail for mail in held if mail.label == "marketing"], chance)
        for mail in held:
            if mail.label == "transactional":
                scores = (
                    score(mail.message, model),
                    score(spliced(mail, own, chance), model),
                    score(spliced(mail, cut, chance), model),
                )
                rows.append((mail.source, len(model.weights), *scores))
    return rows


FOOTERS = (
    "Northline plc, 8 Viaduct Road, Leeds LS1 4DY",
    "View in browser | Unsubscribe",
    "You receive our news and offers because you have an account.\nUnsubscribe | Manage preferences",
    "Learn more\n(c) 2026 | Northline plc, 8 Viaduct Road | www.northline.example",
    "Follow us: Instagram | YouTube | TikTok",
    "Vous recevez ce message car vous êtes client.\nSe désinscrire | Mentions légales",
)
LANGUAGES = ("de", "fr", "pl", "ru", "ja")


def verdict(core: Core, model: KindModel) -> str:
    """Return what the guard says of a core by its kind, with the settings of the shipped guard."""
    return said_of(read_kind(core, model=model), model)


def said_of(reading: Reading, model: KindModel) -> str:
    """Return what the guard says of a reading, without the second reader that it asks before it refuses."""
    if reading.odds >= model.refuse:
        return "refuse"
    is_named = reading.kind is not None and reading.kind.place != "transactional"
    return "flag" if reading.odds >= model.flag or is_named else "allow"


def as_page(text: str) -> str:
    """Return a text as it reads out of the HTML that a sender would make of it."""
    return Message.read(f"Subject: x\nContent-Type: text/html; charset=utf-8\n\n{page_of(text)}").body


def page_of(text: str) -> str:
    """Return the HTML that a sender would make of a text."""
    blocks = (html.escape(block).replace("\n", "<br>\n") for block in text.split("\n\n"))
    return "".join(f"<p>{block}</p>\n" for block in blocks)


def judge_texts(texts: list[Text], model: KindModel, found: dict[str, Counter[str]]) -> None:
    """Judge texts that the model never saw, as text, as HTML and with footers."""
    for subject, text, is_marketing in texts:
        side = "marketing" if is_marketing else "clean"
        plain = verdict(core_of_text(subject, text), model)
        found[side][plain] += 1
        found[f"{side}, alike in HTML"][
            str(verdict(core_of_text(subject, as_page(text)), model) == plain)
        ] += 1
        for footer in FOOTERS:
            found[f"{side} with a footer"][verdict(core_of_text(subject, f"{text}\n\n{footer}"), model)] += 1


def measure_kinds(folders: list[Path]) -> dict[str, object]:
    """Judge what was left out of training: texts, languages, sources."""
    taught = written()
    rows = [
        (one, (row["subject"], row["text"], one.is_marketing))
        for one, row in zip(taught, rows_of(), strict=True)
    ]
    others = [one for folder in folders for one in collected(folder)]
    chance = random.Random(7)
    fold = {source: chance.randrange(FOLDS) for source in sorted({one.source for one in others})}
    places = [chance.randrange(FOLDS) for _ in rows]
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for number in range(FOLDS):
        seen = [one for (one, _), place in zip(rows, places, strict=True) if place != number]
        model = train_kinds(seen + [one for one in others if fold[one.source] != number])
        judge_texts([text for (_, text), p in zip(rows, places, strict=True) if p == number], model, found)
        for one in others:
            if fold[one.source] == number:
                name, odds = model.read(one.found)
                side = "collected marketing" if one.is_marketing else "collected clean"
                found[side][said_of(Reading(known_kinds().get(name or ""), odds), model)] += 1
    by_language: dict[str, Counter[str]] = defaultdict(Counter)
    for language in LANGUAGES:
        model = train_kinds([one for one, _ in rows if one.language != language] + others)
        judge_texts([text for one, text in rows if one.language == language], model, by_language)
    return {"texts left out": _shares(found), "languages left out": _shares(by_language)}


def measure_guard() -> dict[str, object]:
    """Judge the texts kept aside by the shipped guard: as text and as HTML, and with each footer."""
    flows = FlowSet(FlowRoute("transactional", domains="notify.example.org"))
    found: dict[str, Counter[str]] = defaultdict(Counter)
    refused: dict[str, Counter[str]] = defaultdict(Counter)
    with Path(__file__).with_name("guard_texts.tsv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        side = "clean" if known_kinds()[row["kind"]].place == "transactional" else "marketing"
        plain, page = (
            str(flows.guard(as_message(row, html=html), "transactional").outcome) for html in (False, True)
        )
        found[side][plain] += 1
        found[f"{side}, alike in HTML"][str(plain == page)] += 1
        if row["kind"] in {"double-opt-in", "opt-out"}:
            found["confirmations"][plain] += 1
        if side == "clean":
            refused[row["kind"]][plain] += 1
            refused[row["lang"]][plain] += 1
        for footer in FOOTERS:
            said = str(flows.guard(as_message(row, footer=footer), "transactional").outcome)
            found[f"{side} with a footer"][said] += 1
            found[f"{side}: a footer leads to a refusal"][str(said == "refuse" != plain)] += 1
    worst = max(counts["refuse"] for counts in refused.values())
    return _shares(found) | {"most clean messages refused in a kind or language": worst}


def measure_mails() -> dict[str, object]:
    """Judge whole mails, with their headings, buttons, tables and footers, as text and as HTML."""
    flows = FlowSet(FlowRoute("transactional", domains="notify.example.org"))
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for mail in mails():
        said = [
            str(flows.guard(mail.message(as_html=as_html), "transactional").outcome)
            for as_html in (False, True)
        ]
        found[f"{mail.side}, half {mail.half}"].update(said)
        found[f"{mail.side}, half {mail.half}, alike in HTML"][str(len(set(said)) == 1)] += 1
    return _shares(found)


def as_message(row: dict[str, str], *, footer: str = "", html: bool = False) -> str:
    """Return a text as a message of the flow."""
    text = f"{row['text']}\n\n{footer}" if footer else row["text"]
    kind = "html" if html else "plain"
    head = f"From: no-reply@notify.example.org\nTo: ada@example.net\nSubject: {row['subject']}\n"
    return f"{head}Content-Type: text/{kind}; charset=utf-8\n\n{page_of(text) if html else text}"


def _shares(found: dict[str, Counter[str]]) -> dict[str, dict[str, float]]:
    return {
        name: {"count": sum(counts.values())}
        | {said: round(count / sum(counts.values()), 4) for said, count in sorted(counts.items())}
        for name, counts in sorted(found.items())
    }


def _summary(rows: list[Row]) -> dict[str, object]:
    shipped = shipped_blocks()
    count = len(rows)

    def share(column: int, limit: float) -> float:
        return round(sum(row[column] >= limit for row in rows) / count, 4)

    scores = sorted(row[2] for row in rows)
    limits = {
        "refuse": shipped.refuse,
        "flag": shipped.flag,
        "where 2 % of the clean are refused": round(scores[int(count * 0.98)], 2),
    }
    return {
        "messages": count,
        **{
            name: {
                "threshold": limit,
                "clean": share(2, limit),
                "written blocks found": share(3, limit),
                "cut blocks found": share(4, limit),
            }
            for name, limit in limits.items()
        },
    }


def main() -> None:
    """Measure and write."""
    own = load(recording.ROOT / "corpus")
    outside = load(Path(sys.argv[1]) / "corpus") if len(sys.argv) > 1 else []
    rows = measure(own + outside)
    sources = {mail.source for mail in own}
    result: dict[str, object] = {"all": _summary(rows)}
    result["open corpus"] = _summary([row for row in rows if row[0] in sources])
    if outside:
        result["outside corpus"] = _summary([row for row in rows if row[0] not in sources])
    shared = [Path(sys.argv[1]) / name for name in ("corpus", "corpus-extra/templates")] if outside else []
    result["kinds"] = measure_kinds([recording.ROOT / "corpus", *shared]) | {
        "kept aside": measure_guard(),
        "whole mails": measure_mails(),
    }
    recording.write("flows_guard", result, packages=["scikit-learn"])


if __name__ == "__main__":
    main()
