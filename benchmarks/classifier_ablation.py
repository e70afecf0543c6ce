"""What each family of signals, and the wording, adds on sources and languages left out of training.

Usage: python benchmarks/classifier_ablation.py CORPUS [--step 2] [--folds 5]

Writes benchmarks/results/classifier_ablation.json. Every *step*-th message of the outside corpus and the
whole open corpus are judged in a few folds of whole sources and languages: smaller and a little harder than
the splits of ``classifier_quality.py``, so compare rows with each other, not with that table.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recording import write

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tasks"))

from corpora import by_language, distinct, outside, own, texts  # noqa: E402 -- a script of the neighbouring folder

from mailflows.signals import SIGNALS  # noqa: E402
from mailflows.training import Recipe  # noqa: E402
from mailflows.training.evaluation import judge  # noqa: E402
from mailflows.training.fitting import Seeing, see  # noqa: E402
from mailflows.training.holdout import LeftOut, fewer_folds, left_out, source_groups  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

FAMILIES = sorted({signal.family for signal in SIGNALS.values()})
VIEWS = ("as_sent", "bare")


def only(seeing: Seeing, is_kept: Callable[[str], bool]) -> Seeing:
    """Return the same with the signals of some families alone."""
    seen = {
        view: tuple(({n: v for n, v in signals.items() if is_kept(n)}, words) for signals, words in rows)
        for view, rows in seeing.seen.items()
    }
    return Seeing(seeing.examples, seen)


def part(judged: LeftOut, wanted: str) -> LeftOut:
    """Keep the judged messages of the outside or of the open corpus."""
    chosen = [i for i, e in enumerate(judged.examples) if e.family.startswith(wanted)]
    return LeftOut(
        tuple(judged.examples[i] for i in chosen),
        tuple(judged.groups[i] for i in chosen),
        {name: rows[chosen] for name, rows in judged.logits.items()},
    )


def main() -> None:
    """Judge the whole recipe, then without each family, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--step", type=int, default=2)
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    examples = distinct(outside(options.corpus))[:: options.step] + distinct(own())
    seeing = see([*examples, *by_language(texts())], views=VIEWS).without_messages()
    names = [
        e.family if e.family.startswith("open") else source
        for e, source in zip(examples, source_groups(examples), strict=True)
    ]
    folds = fewer_folds(names, options.folds)
    recipe = Recipe()
    without_words = dataclasses.replace(recipe, word_share=0.0)
    form = {"layout", "links", "headers"}

    def figures(is_kept: Callable[[str], bool], settings: Recipe) -> dict[str, Any]:
        judged = left_out(only(seeing, is_kept), settings, groups=folds)
        found = {}
        for corpus in ("outside", "open"):
            views = judge(part(judged, corpus)).views
            found[corpus] = {name: round(one.macro_f1, 4) for name, one in views.items()}
        return found

    rows = {"everything": figures(lambda _: True, recipe)}
    for family in FAMILIES:
        rows[f"without {family}"] = figures(lambda name, f=family: SIGNALS[name].family != f, recipe)  # type: ignore[misc]
    rows["without the wording"] = figures(lambda _: True, without_words)
    rows["layout, links and headers alone"] = figures(lambda n: SIGNALS[n].family in form, without_words)
    for name, row in rows.items():
        print(name, row, flush=True)
    write(
        "classifier_ablation",
        {"messages": len(examples), "step": options.step, "folds": options.folds, "macro_f1": rows},
        packages=("scikit-learn",),
    )


if __name__ == "__main__":
    main()
