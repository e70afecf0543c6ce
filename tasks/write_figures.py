"""Write the measured figures into README.md, MODEL.md and docs/: no number there is typed by hand.

Usage: python tasks/write_figures.py [--check]

Reads benchmarks/results/*.json and the shipped model, and runs the README's first command on the bundled
messages. With --check it writes nothing and ends with status 1 if a file would change.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import os
from pathlib import Path
from typing import Any

from figures import MORE, number, percent, result, table

from mailflows.__main__ import main as command
from mailflows.classifier import Model

ROOT = Path(__file__).resolve().parent.parent
FLOWS = ("professional", "marketing", "transactional")
VIEWS = {"as_sent": "as sent, with headers", "bare": "bare", "partial": "half of the headers"}
SPLITS = {
    ("source", "outside"): "collected mail, one source left out",
    ("family", "outside"): "collected mail, all resembling sources left out",
    ("random", "outside"): "collected mail, random split (flatters)",
    ("source", "open"): "open corpus, one language left out",
    ("tool", "open"): "open corpus, one tool family left out",
    ("random", "open"): "open corpus, random split (flatters)",
}


def first_command() -> str:
    """Return what the README's first command prints."""
    out = io.StringIO()
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        with contextlib.redirect_stdout(out):
            command(["classify", "examples/messages"])
    finally:
        os.chdir(here)
    short = [line if len(line) <= 160 else line[:157] + "..." for line in out.getvalue().rstrip().split("\n")]
    return "```text\n" + "\n".join(short) + "\n```"


def quality(found: dict[str, Any]) -> str:
    """Return the short table of quality for the README."""
    rows = []
    for (split, corpus), words in SPLITS.items():
        if "random" in split or split == "family":
            continue
        views = found["splits"][split][corpus]["views"]
        rows.append([words, *(number(views[v]["macro_f1"]) for v in ("as_sent", "bare"))])
    peers = found["splits"]["source"]["outside"]["peers"]
    rules = peers["header rules"]
    rows.append(["collected mail, by header rules", number(rules["as_sent"]), number(rules["bare"])])
    tfidf = number(peers["TF-IDF + logistic regression"])
    rows.append(["collected mail, by TF-IDF + logistic regression", tfidf, tfidf])
    kept = found["splits"]["source"]["outside"]["views"]["as_sent"]
    return (
        table(["macro-F1, balanced by source", "with headers", "bare"], rows)
        + f"\n\nThe model is sure about {percent(kept['coverage'])} of collected mail as sent,\n"
        f"and right about {percent(kept['kept_accuracy'])} of that."
    )


def speed(found: dict[str, Any]) -> str:
    """Return the table of speed."""
    blocks = []
    for kind in (k for k in found if k.startswith(("html", "plain"))):
        rows = [
            [name, f"{row['microseconds'] / 1000:.2f}", f"{row['ratio']:.2f}"]
            for name, row in found[kind]["candidates"].items()
        ]
        header = [f"{kind}, {found[kind]['messages']} messages", "ms", "relative to compat32"]
        blocks.append(table(header, rows))
    cost = found["import"]
    if archive := found.get("archive"):
        walls = archive["seconds_of_4000_by_n_jobs"]
        blocks.append(
            f"In an archive of {archive['messages']:,} messages the second half takes "
            f"{archive['last_half_to_first_half']:.2f} times as long\nas the first; 4,000 messages take "
            f"{walls['1']} s in one process and {walls['2']} s in two."
        )
    blocks.append(
        f"`import mailflows` adds {cost['import_ms']} ms and {cost['import_mib']} MiB to Python; the first\n"
        f"verdict takes {cost['first_verdict_ms']} ms more, once. Medians, {found['machine']}, Python\n"
        f"{found['python']}, {found['date']}."
    )
    return "\n\n".join(blocks)


def splits(found: dict[str, Any]) -> str:
    """Return the full table of splits and views."""
    rows = []
    for (split, corpus), words in SPLITS.items():
        for view, view_words in VIEWS.items():
            m = found["splits"][split][corpus]["views"][view]
            rows.append(
                [
                    words,
                    view_words,
                    number(m["macro_f1"]),
                    *(f"{m['precision'][f]:.2f} / {m['recall'][f]:.2f}" for f in FLOWS),
                    number(m["calibration_error"]),
                    percent(m["coverage"]),
                    percent(m["kept_accuracy"]),
                    percent(m["kept_confusion"]),
                ]
            )
    header = [
        "split",
        "view",
        "macro-F1",
        *(f"{f} P / R" for f in FLOWS),
        "ECE",
        "kept",
        "right of the kept",
        "marketing ↔ transactional of the kept",
    ]
    return table(header, rows)


def languages(found: dict[str, Any]) -> str:
    """Return the figures per language of the open corpus, each judged without its own language."""
    rows = [
        [language, int(row["messages"]), number(row["as_sent"]), number(row["bare"])]
        for language, row in found["splits"]["source"]["open"]["languages"].items()
    ]
    return table(["language", "messages", "macro-F1 with headers", "macro-F1 bare"], rows)


def sources(found: dict[str, Any]) -> str:
    """Return the training data by family."""
    rows = [[family, *(row[f] for f in FLOWS)] for family, row in found["by_source"].items()]
    return table(["family", *FLOWS], rows)


def feedback() -> str:
    """Return what was measured of reading bounces."""
    found, speed, fuzz = result("feedback_quality"), result("feedback_speed"), result("fuzz_bounces")
    apart = [f"{n} {row['suppressed']} of {sum(row.values())}" for n, row in found["debatable"].items()]
    rows: list[list[object]] = [
        ["exactly the expected recipients", f"{found['files_with_exact_recipients']} of {found['files']}"],
        [
            "non-bounces in which a bounce is found",
            f"{found['found_in_non_bounces']} of {found['non_bounces']}",
        ],
        ["suppressions that are right", percent(found["suppress_precision"])],
        ["hard bounces that are suppressed", percent(found["suppress_recall"])],
        ["debatable cases suppressed (sisimai's terms)", "; ".join(apart)],
        ["bounces a second, one core", speed["bounces_per_second"]],
        ["a returned message of 30 MB", f"{speed['thirty_megabytes_seconds']} s"],
        ["mutated bounces that raised or hung", f"{fuzz['failures']} of {fuzz['mutations']}"],
    ]
    return table(["on collected bounces", "measured"], rows)


def replies() -> str:
    """Return how three readers understand the open corpus of replies."""
    found = result("replies")
    words = {"code": "reply code alone", "status": "enhanced status alone", "mailflows": "mailflows"}
    rows: list[list[object]] = [
        [
            words[name],
            percent(row["class_accuracy"]),
            percent(row["suppress_precision"]),
            percent(row["suppress_recall"]),
            percent(row["own_fault_known"]),
            row["own_fault_suppressed"],
        ]
        for name, row in found["readers"].items()
    ]
    head = [f"{found['replies']} replies of {found['providers']} providers and servers", "class recognised"]
    head += ["suppressions that are right", "unknown recipients suppressed", "sender faults recognised"]
    return table([*head, "sender faults that suppress"], rows)


def attacked() -> str:
    """Return in a sentence what the attacks on the example's shop came to."""
    scenes = result("shop")["scenes"]
    tried, came = (sum(scene[key] for scene in scenes) for key in ("tried", "arrived"))
    sent, got = (sum(sum(scene[key].values()) for scene in scenes) for key in ("honest", "in_the_end"))
    twice = sum(scene["twice"] for scene in scenes)
    return (
        f"Of {tried:,} messages that five attacks caused, {came} were sent. Of {sent} orders, letters and\n"
        f"newsletters in the same hours, and in an hour in which a relay was down, {got} arrived, "
        f"{twice or 'none'} of\nthem twice."
    )


def kinds() -> str:
    """Return how the hard kinds fare in a language that was left out."""
    found = result("classifier_kinds")["kinds"]
    rows = []
    for name, row in found.items():
        for view, words in (("as_sent", "with headers"), ("bare", "bare")):
            its = row[view]
            wrong = f"{its['wrong_of_the_kept']} of {its['kept']}"
            rows.append([name, words, row["messages"], its["right"], its["kept"], wrong])
    return table(["kind", "view", "messages", "right", "kept", "wrong of the kept"], rows)


def fresh_mails() -> str:
    """Return how the shipped model judges mails that were never taught."""
    found = result("classifier_kinds")["fresh"]
    rows = [
        [name, row["messages"], row["right"], row["kept"], f"{row['wrong_of_the_kept']} of {row['kept']}"]
        for name, row in found.items()
    ]
    return table(["bare messages", "number", "right", "kept", "wrong of the kept"], rows)


def open_benchmark() -> str:
    """Return the baselines on the open corpus."""
    found = result("classifier_open")["candidates"]
    rows = [
        [name, *(f"{row[s]['macro_f1']:.3f} / {row[s]['calibration_error']:.3f}" for s in row)]
        for name, row in found.items()
    ]
    return table(["macro-F1 / ECE", "languages", "tool families", "confusers"], rows)


def corrected() -> str:
    """Return the labels that were changed after reading the message."""
    path = ROOT / "tasks" / "labels-corrected.tsv"
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    changed = [[f"`{r['file']}`", r["label"].replace("-", "left out"), r["why"]] for r in rows]
    return table(["file", "label now", "why"], changed)


def ablation() -> str:
    """Return what is lost without each family."""
    rows = result("classifier_ablation")["macro_f1"]
    return table(
        ["signals", "collected, with headers", "collected, bare", "open, with headers", "open, bare"],
        [
            [
                name,
                *(
                    number(row[corpus][view])
                    for corpus in ("outside", "open")
                    for view in ("as_sent", "bare")
                ),
            ]
            for name, row in rows.items()
        ],
    )


def card(found: dict[str, Any]) -> dict[str, str]:
    """Return the figures of MODEL.md by mark."""
    model = Model.shipped()
    size = (ROOT / "src" / "mailflows" / "data" / "model.json").stat().st_size
    facts = [
        ["file", f"`src/mailflows/data/model.json`, {size} bytes, JSON"],
        ["digest (SHA-256 of the weights)", f"`{model.about['digest']}`"],
        ["digest of the training data", f"`{model.about['data_digest']}`"],
        [
            "messages / further messages and texts at low weights",
            f"{model.about['messages']} / {model.about['extra_messages']}",
        ],
        ["sources", model.about["sources"]],
        ["weights: signals / words", f"{len(model.signals)} / {len(model.words)}"],
        ["temperature", model.temperature],
        ["threshold", model.threshold],
    ]
    return {
        "ablation": ablation(),
        "facts": table(["what", "value"], facts),
        "splits": splits(found),
        "peers": quality(found),
        "languages": languages(found),
        "sources": sources(found),
        "labels": corrected(),
    }


def filled(text: str, marks: dict[str, str]) -> str:
    """Put each figure between its marks."""
    for name, content in marks.items():
        start = text.index(f"<!-- figures: {name} -->")
        end = text.index("<!-- end -->", start)
        text = f"{text[:start]}<!-- figures: {name} -->\n\n{content}\n\n{text[end:]}"
    return text


def main() -> int:
    """Fill the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    found = result("classifier_quality")
    marks = {
        "README.md": {
            "first-command": first_command(),
            "quality": quality(found),
            "speed": speed(result("classifier_speed")),
            "replies": replies(),
            "shop": attacked(),
        },
        "MODEL.md": card(found),
        "docs/classifier.md": {"kinds": kinds(), "fresh": fresh_mails(), "open": open_benchmark()},
        "docs/feedback.md": {"feedback": feedback(), "replies": replies()},
        **{page: {name: make() for name, make in makers.items()} for page, makers in MORE.items()},
    }
    changed = False
    for name, figures in marks.items():
        path = ROOT / name
        before = path.read_text("utf-8")
        after = filled(before, figures)
        changed |= before != after
        if not options.check:
            path.write_text(after, "utf-8")
    return int(options.check and changed)


if __name__ == "__main__":
    raise SystemExit(main())
