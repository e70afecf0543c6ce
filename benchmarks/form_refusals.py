"""How many real messages the gate refuses or holds for their form alone.

Usage: python benchmarks/form_refusals.py [FOLDER ...]

Writes benchmarks/results/form_refusals.json. The messages (``*.eml``) of the project and of the folders are
checked on a flow of their sender's domain: the one that their folder names, else the transactional one, which
is the strictest. A folder that is not there is skipped, and said. A message without any address in From
(``no-from``) is no message of anybody, and is counted apart. Nothing of a message is printed but its path.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from recording import ROOT, write

from mailflows import Flow, MessageError
from mailflows.flows import FlowRoute, FlowSet
from mailflows.gate import Gate, GateDecision
from mailflows.message import Envelope, Message

FORM = frozenset(
    "several-from unreadable-from no-normal-form unread-text unreadable-message no-recipients".split()
)
"""Reasons of the gate that speak of the form of a message, not of what it says or to whom it goes."""


def flow_of(path: Path) -> Flow:
    """Return the flow that a folder above the message names."""
    named = [Flow(name) for name in path.parts if name in set(Flow)]
    return named[-1] if named else Flow.TRANSACTIONAL


def codes(raw: bytes, flow: Flow) -> set[str]:
    """Return why the gate refuses or holds a message for its form; empty where it does not."""
    try:
        message = Message.read(raw)
    except MessageError:
        return {"unreadable-message"}
    if not message.sender.address:
        return {"no-from"}
    domain = message.sender.domain or "oak.example"
    try:
        gate = Gate(FlowSet(FlowRoute(flow, domains=domain)), held=None)
    except ValueError:  # a domain that no flow can have; what the gate says of From is the same
        gate = Gate(FlowSet(FlowRoute(flow, domains="oak.example")), held=None)
    verdict = gate.check(raw, flow=flow, envelope=Envelope("", ("ada@example.net",)))
    return {r.code for r in verdict.why if r.code in FORM and r.decision is not GateDecision.ACCEPT}


def main() -> None:
    """Check every message, and write what was found."""
    parser = argparse.ArgumentParser(description="What the gate refuses for its form.")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--show", action="store_true", help="print the paths and the codes")
    options = parser.parse_args()
    skipped = [str(folder) for folder in options.folders if not folder.is_dir()]
    found: Counter[str] = Counter()
    read = refused = 0
    for folder in (ROOT / "corpus", *options.folders):
        for path in sorted(folder.rglob("*.eml")):
            read += 1
            if reasons := codes(path.read_bytes(), flow_of(path)):
                refused += reasons != {"no-from"}
                found.update(reasons)
                if options.show:
                    print(path, *sorted(reasons))
    result = {"messages": read, "refused": refused, "share": round(refused / max(read, 1), 5)}
    write("form_refusals", result | {"reasons": dict(found), "folders skipped": len(skipped)})
    for name in skipped:
        print(f"skipped, since it is not there: {name}")


if __name__ == "__main__":
    main()
