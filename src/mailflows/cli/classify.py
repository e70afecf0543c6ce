"""``mailflows classify``: classify messages by flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._result import printable
from mailflows.classifier import Classifier
from mailflows.cli._terminal import STATUS, complain, counted, say, say_json, say_table
from mailflows.cli.messages import messages
from mailflows.errors import MessageError
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows.classifier import Classification
    from mailflows.cli._terminal import Tone

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    classify = commands.add_parser(
        "classify",
        help="classify messages by flow",
        description="Classify messages as professional, marketing or transactional.",
        epilog=STATUS,
    )
    classify.add_argument(
        "paths", nargs="+", metavar="PATH", help="a file, a folder, an mbox, or - for standard input"
    )
    classify.add_argument(
        "--json", action="store_true", help="write one JSON object per message, one per line"
    )
    classify.add_argument("--explain", action="store_true", help="show every reason with its weight")
    classify.add_argument("--model", metavar="FILE", help="a model file of your own")
    classify.add_argument(
        "--heuristic", action="store_true", help="use the readable rules only, no trained model"
    )
    classify.add_argument(
        "--threshold", type=float, metavar="P", help="confidence in [0, 1] below which the answer is unsure"
    )
    classify.set_defaults(run=_classify)


def _classify(options: argparse.Namespace) -> int:
    """Classify everything that is named; a bad file is said and the others go on."""
    classifier = _classifier(options)
    rows: list[list[str]] = []
    failed = False
    for name, content in counted(messages(options.paths), "messages"):
        try:
            if isinstance(content, MessageError):
                raise content
            result = classifier.classify(content)
        except MessageError as problem:
            failed = True
            _say_error(name, str(problem), as_json=options.json)
            continue
        if result.likely is None:
            failed = True
        if options.json:
            say_json({"file": name, **result.to_dict()})
        elif options.explain:
            say(f"{printable(name)}\n{_explained(result)}\n")
        else:
            rows.append(
                [
                    name,
                    _named(result),
                    f"{result.confidence:.0%}" if result.likely else "-",
                    _why(result),
                ]
            )
    if rows:
        tones: list[Tone] = ["" if flow in set(Flow) else "doubtful" for _, flow, *_ in rows]
        say_table(["message", "flow", "sure", "why"], rows, tones)
    return 2 if failed else 0


def _classifier(options: argparse.Namespace) -> Classifier:
    if options.heuristic:
        return Classifier.heuristic(threshold=options.threshold)
    if options.model is not None:
        try:
            return Classifier.load(options.model, threshold=options.threshold)
        except OSError as problem:
            msg = f"{options.model}: {problem.strerror or problem}"
            raise MessageError(msg) from problem
    return Classifier(threshold=options.threshold)


def _say_error(name: str, reason: str, *, as_json: bool) -> None:
    """Say which input could not be read, on standard error, and in the stream where it is JSON."""
    if as_json:
        say_json({"file": name, "error": reason})
    complain(f"{printable(name)}: {reason}")


def _named(result: Classification) -> str:
    """Return the flow, or "unsure" with the likely one."""
    if result.flow:
        return result.flow.value
    return f"unsure, perhaps {result.likely.value}" if result.likely else "unsure"


def _why(result: Classification) -> str:
    """Return the strongest reasons as one line, without repeating flow and confidence."""
    return str(result).partition(": ")[2]


def _explained(result: Classification) -> str:
    """Return the paragraph, the probabilities, and each reason with the side that it takes."""
    shares = ", ".join(f"{flow.value} {p:.1%}" for flow, p in result.probabilities.items())
    rows = [f"  {side:>10}  {sentence}  [{code}]" for side, code, sentence in result.rows()]
    defects = [f"  defect: {defect}" for defect in result.defects]
    return "\n".join([f"  {result.explain()}", f"  {shares}", *rows, *defects])
