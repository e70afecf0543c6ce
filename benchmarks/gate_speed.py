"""What the gate adds to the classification of a message, in memory.

``python benchmarks/gate_speed.py`` writes ``results/gate_speed.json``.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from hashlib import sha256
from typing import TYPE_CHECKING

from recording import ROOT, write

from mailflows import Classifier, Flow, Gate, Message
from mailflows.feedback import SuppressionList
from mailflows.flows import FlowRoute, FlowSet
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.recipients import RecipientChecker
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.templates import TemplateMemory

if TYPE_CHECKING:
    from mailflows import Verdict

FLOWS = FlowSet(
    FlowRoute("transactional", domains="notify.lovelace.example"),
    FlowRoute("marketing", domains="news.lovelace.example"),
    FlowRoute("professional", domains="lovelace.example"),
)


def full_gate(classifier: Classifier, *, templates: bool = True) -> Gate:
    """Return a gate with every part, in memory, whose limits never refuse."""
    store = MemoryStore()
    return Gate(
        FLOWS,
        classifier=classifier,
        recipients=RecipientChecker(dns=False),
        limiter=Limiter(
            Limit("1000000/day", per="recipient"),
            Limit("1000000/day", per="client"),
            Limit("1000000/day", per="global"),
            store=store,
        ),
        senders=SenderControl(store),
        suppressions=SuppressionList(store),
        reputation=Reputation(store),
        templates=TemplateMemory(store) if templates else None,
    )


def sent_by_us(raw: bytes, flow: Flow) -> bytes:
    """Return a message as one of ours, so that it goes through all parts; each sender stays one."""
    domain = next(route.domains[0] for route in FLOWS if route.flow is flow)
    who = sha256(Message.read(raw).sender.address.encode()).hexdigest()[:12]
    rest = re.sub(rb"(?im)^(?:from|sender):.*(?:\r?\n[ \t].*)*\r?\n", b"", raw)
    return f"From: Ada <{who}@{domain}>\n".encode() + rest


def measured(
    gate: Gate, classifier: Classifier, raw: bytes, flow: Flow
) -> tuple[float, float, float, Verdict]:
    """Return the seconds of asking, of reporting, and of reading and classifying alone, and the verdict.

    Processor time, since nothing here waits, and other programs run on the same machine.
    """
    started = time.process_time()
    classifier.classify(raw)
    alone = time.process_time() - started
    started = time.process_time()
    verdict = gate.check(raw, flow=flow, client="192.0.2.1")
    asked = time.process_time() - started
    gate.report(verdict, "sent")
    return asked, time.process_time() - started - asked, alone, verdict


def spread(seconds: list[float]) -> dict[str, float]:
    """Return median, p90 and p99 in milliseconds."""
    rows = sorted(value * 1000 for value in seconds)
    return {
        "median": round(statistics.median(rows), 3),
        "p90": round(rows[int(len(rows) * 0.9)], 3),
        "p99": round(rows[int(len(rows) * 0.99)], 3),
    }


def main() -> None:
    """Measure messages of the open corpus and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--messages", type=int, default=500)
    options = parser.parse_args()
    found = [
        (sent_by_us(path.read_bytes(), flow), flow)
        for flow in Flow
        for path in sorted((ROOT / "corpus" / flow).rglob("*.eml"))
    ]
    sample = found[:: max(1, len(found) // options.messages)]
    classifier = Classifier()
    gate, without = full_gate(classifier), full_gate(classifier, templates=False)
    for raw, flow in sample[:20]:  # once for caches and lazy imports
        gate.check(raw, flow=flow, client="192.0.2.1")
    rows = [measured(gate, classifier, raw, flow) for raw, flow in sample]
    plain = [measured(without, classifier, raw, flow) for raw, flow in sample]
    write(
        "gate_speed",
        {
            "messages": len(rows),
            "reached_the_limits": sum(any(r.part == "limits" for r in row[3].reasons) for row in rows),
            "classification_cpu_ms": spread([alone for _, _, alone, _ in rows]),
            "check_adds_cpu_ms": spread([asked - alone for asked, _, alone, _ in rows]),
            "without_templates_cpu_ms": spread([asked - alone for asked, _, alone, _ in plain]),
            "report_cpu_ms": spread([reported for _, reported, _, _ in rows]),
        },
    )


if __name__ == "__main__":
    main()
