"""The command line: ``python -m mailflows`` with a command for each part; ``--help`` lists them.

Exit status of ``classify``: 0 every message was read (sure or not), 1 some input could not be read,
2 wrong usage.
"""

from __future__ import annotations

import argparse
import io
import json
import mailbox
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows import Classifier, ConfigurationError, MailflowsError, MessageError
from mailflows._report import to_text
from mailflows._source import SIZE_LIMIT
from mailflows.content import _command as content_commands
from mailflows.flows import _command as flow_commands
from mailflows.gate import _command as gate_commands
from mailflows.recipients import _command as recipient_commands

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailflows.classifier import Classification

__all__ = ["main"]

MESSAGE_ENDINGS = (".eml", ".msg", ".txt", ".mbox", "")
"""Endings of the files that are looked at in a folder; a file that is named is always read."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot write must not end a run
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough
        sys.stderr.close()
        return 0
    except ConfigurationError as problem:
        print(f"mailflows: {problem}", file=sys.stderr)
        return 2
    except MailflowsError as problem:
        print(f"mailflows: {problem}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mailflows", description="Keep professional, marketing and transactional mail apart."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    classify = commands.add_parser(
        "classify",
        help="tell which flow messages belong to",
        description="Tell which flow messages belong to.",
        epilog="Exit status: 0 all were read, 1 some could not be read, 2 wrong usage.",
    )
    classify.add_argument(
        "paths", nargs="+", metavar="PATH", help="a file, a folder, an mbox, or - for standard input"
    )
    classify.add_argument("--json", action="store_true", help="one JSON object per message and line")
    classify.add_argument("--explain", action="store_true", help="show every reason with its weight")
    classify.add_argument("--model", metavar="FILE", help="a model file of your own")
    classify.add_argument(
        "--heuristic", action="store_true", help="use the readable rules only, no trained model"
    )
    classify.add_argument(
        "--threshold", type=float, metavar="P", help="confidence in [0, 1] below which the answer is unsure"
    )
    classify.set_defaults(run=_classify)
    recipient_commands.add_commands(commands)
    flow_commands.add_command(commands)
    content_commands.add_commands(commands)
    gate_commands.add_command(commands)
    return parser


def _classify(options: argparse.Namespace) -> int:
    """Classify everything that is named; a bad file is said and the others go on."""
    classifier = _classifier(options)
    rows: list[list[str]] = []
    failed = False
    for name, content in _messages(options.paths):
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
            print(json.dumps({"file": name, **result.to_dict()}, ensure_ascii=False))
        elif options.explain:
            print(f"{name}\n{_explained(result)}\n")
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
        print(to_text(["message", "flow", "sure", "why"], rows))
    return int(failed)


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


def _messages(paths: Sequence[str]) -> Iterator[tuple[str, bytes | Path | MessageError]]:
    """Yield (name, bytes) of every message, or (name, error) of what cannot be read."""
    for name in paths:
        path = Path(name)
        if name == "-":
            yield from _standard_input()
        elif path.is_dir():
            inside = [
                p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix.lower() in MESSAGE_ENDINGS
            ]
            if not inside:
                yield (
                    name,
                    MessageError(
                        f"no messages in this folder (looked for {', '.join(filter(None, MESSAGE_ENDINGS))})"
                    ),
                )
            for file in inside:
                yield from _file_messages(file)
        else:
            yield from _file_messages(path)


def _file_messages(path: Path) -> Iterator[tuple[str, bytes | Path | MessageError]]:
    """Yield the message of a file, or every message of an mbox, whatever the file is called."""
    try:
        with path.open("rb") as handle:
            is_mbox = handle.read(len(_MBOX)) == _MBOX
        if is_mbox:
            yield from _mbox_messages(path, str(path))
        else:
            yield str(path), path
    except (OSError, ValueError, mailbox.Error) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        yield str(path), MessageError(reason)


_MBOX = b"From "


def _mbox_messages(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the messages of an mbox, numbered from one."""
    with closing(mailbox.mbox(path, create=False)) as box:
        for number, key in enumerate(box.keys(), 1):
            yield f"{name}:{number}", box.get_bytes(key)


def _standard_input() -> Iterator[tuple[str, bytes]]:
    """Yield what comes on standard input: a message, or the messages of an mbox."""
    content = sys.stdin.buffer.read(SIZE_LIMIT + 1)
    if not content.startswith(_MBOX):
        yield "-", content
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mbox"
        path.write_bytes(content)
        yield from _mbox_messages(path, "-")


def _say_error(name: str, reason: str, *, as_json: bool) -> None:
    """Say which input could not be read, on standard error, and in the stream where it is JSON."""
    if as_json:
        print(json.dumps({"file": name, "error": reason}, ensure_ascii=False))
    print(f"{name}: {reason}", file=sys.stderr)


def _named(result: Classification) -> str:
    """Return the flow, or «unsure» with the likely one."""
    if result.flow:
        return result.flow.value
    return f"unsure, perhaps {result.likely.value}" if result.likely else "unsure"


def _why(result: Classification) -> str:
    """Return the strongest reasons as one line, without repeating flow and confidence."""
    return str(result).partition(": ")[2]


def _explained(result: Classification) -> str:
    shares = ", ".join(f"{flow.value} {p:.0%}" for flow, p in result.probabilities.items())
    named = result.flow.value if result.flow else "unsure"
    lines = [f"  {named} ({shares})", *(f"  {w:>6}  {s}  [{c}]" for w, c, s in result.rows())]
    return "\n".join([*lines, *(f"  defect: {defect}" for defect in result.defects)])


if __name__ == "__main__":
    raise SystemExit(main())
