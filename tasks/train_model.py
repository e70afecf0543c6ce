"""Rebuild the shipped model: same data, same bytes.

Usage: python tasks/train_model.py CORPUS [--extra FOLDER] [--out model.json] [--jobs 2]

CORPUS is a folder ``label/source/*.eml``; the open corpus of the project is always added. The figures
of MODEL.md come from ``benchmarks/classifier_quality.py``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from corpora import distinct, extra, outside, own, texts

from mailflows.classifier import Model
from mailflows.training import train

TARGET = Path(__file__).resolve().parent.parent / "src" / "mailflows" / "data" / "model.json"


def main() -> None:
    """Train and write the model file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--extra", type=Path)
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    examples = distinct(outside(options.corpus) + own())
    further = [*(distinct(extra(options.extra)) if options.extra else []), *texts()]
    trained = train(examples, extra=further, n_jobs=options.jobs, about={"name": "mailflows"})
    text = trained.model.dumps()
    options.out.write_text(text, "utf-8")
    about = Model.loads(text).about
    print(f"{options.out}: {len(text.encode())} bytes, {about['messages']} messages, {about['digest']}")


if __name__ == "__main__":
    main()
