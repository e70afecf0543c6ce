"""The guard: how many promotional blocks in transactional mail are found, how much clean mail is refused.

    python benchmarks/flows_guard.py [SHARED]

Into each transactional message of the open corpus (and of SHARED/corpus) one block is spliced at a random
line: once one written for this purpose (benchmarks/promotional_blocks.tsv; never trained on), once one cut
at run time from a marketing mail in the same language. The block model is trained anew for each fifth of
the sources, without the messages of that fifth, clean and marketing alike.
"""

from __future__ import annotations

import csv
import random
import sys
from collections import defaultdict
from pathlib import Path

import recording

sys.path.insert(0, str(recording.ROOT / "tasks"))
from train_blocks import Labelled, load, train

from mailflows.flows._blocks import BlockModel, most_promotional, shipped_blocks
from mailflows.flows._core import cores
from mailflows.message import Message

FOLDS = 5

Row = tuple[str, int, float, float, float]
"""Source, weights, and the scores of the clean message and of the two with a block."""

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
    recording.write("flows_guard", result, packages=["scikit-learn"])


if __name__ == "__main__":
    main()
