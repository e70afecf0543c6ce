"""``mailflows train``: learn from your own labelled mail, and write a model file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._result import number_of
from mailflows.cli._terminal import STATUS, complain, say, say_json

if TYPE_CHECKING:
    import argparse

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "train",
        help="train a classifier on labelled mail of your own",
        description="Train a classifier on a folder FLOW/SOURCE/*.eml, and write its model file. With "
        "--judge, first report how well it does on sources that it has not seen.",
        epilog=STATUS,
    )
    command.add_argument(
        "folder", metavar="FOLDER", help="a folder with professional/, marketing/ and transactional/"
    )
    command.add_argument("--out", metavar="MODEL.json", help="where to write the model")
    command.add_argument(
        "--judge", action="store_true", help="evaluate the recipe by leaving out each source in turn"
    )
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; -1 for every core")
    command.add_argument("--json", action="store_true", help="write JSON")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Judge and train as asked."""
    from mailflows.training import evaluate, load_corpus, train  # noqa: PLC0415 -- loads scikit-learn

    if not (options.out or options.judge):
        complain("nothing to do: pass --out MODEL.json, --judge, or both")
        return 2
    examples = load_corpus(options.folder)
    sources = len({one.source for one in examples})
    told: dict[str, object] = {"messages": len(examples), "sources": sources}
    if not options.json:
        say(f"{number_of(len(examples), 'message')} of {number_of(sources, 'source')}")
    if options.judge:
        evaluation = evaluate(examples, n_jobs=options.jobs)
        told["evaluation"] = evaluation.to_dict()
        if not options.json:
            say(evaluation)
    if options.out:
        try:
            train(examples, n_jobs=options.jobs).model.save(options.out)
        except OSError as problem:
            complain(f"{options.out}: {problem.strerror or problem}")
            return 2
        told["model"] = options.out
        if not options.json:
            say(f"written to {options.out}; use it with classify --model {options.out}")
    if options.json:
        say_json(told)
    return 0
