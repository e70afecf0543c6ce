"""What the gate adds to the classification of a message, in memory, compared with parsing it.

``python benchmarks/gate_speed.py`` writes ``results/gate_speed.json``. The bar is 1.5 times what the standard
library takes to parse the message (``email`` with its policy ``compat32``), and 0.3 ms; both are measured in
the same run, message by message, so that a slow moment of the machine strikes both.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from email import message_from_bytes, policy
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

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
    from collections.abc import Iterable

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


class Cost(NamedTuple):
    """Seconds of processor time that one message took.

    Processor time, since nothing here waits, and other programs run on the same machine.

    Attributes:
        parsed: By the standard library.
        alone: To read and classify it.
        asked: For the gate's verdict, which reads and classifies it, too.
        reported: To report that it was sent.
    """

    parsed: float
    alone: float
    asked: float
    reported: float


def measured(gate: Gate, classifier: Classifier, raw: bytes, flow: Flow) -> tuple[Cost, Verdict]:
    """Return what a message costs, and the gate's verdict."""
    moments = [time.process_time()]
    message_from_bytes(raw, policy=policy.compat32)
    moments.append(time.process_time())
    classifier.classify(raw)
    moments.append(time.process_time())
    verdict = gate.check(raw, flow=flow, client="192.0.2.1")
    moments.append(time.process_time())
    gate.report(verdict, "sent")
    moments.append(time.process_time())
    return Cost(*(after - before for before, after in pairwise(moments))), verdict


def median_of(costs: Iterable[Cost]) -> Cost:
    """Return the median of each part over several rounds with one message."""
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


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
    parser.add_argument("--rounds", type=int, default=3, help="each with a new gate")
    options = parser.parse_args()
    found = [
        (sent_by_us(path.read_bytes(), flow), flow)
        for flow in Flow
        for path in sorted((ROOT / "corpus" / flow).rglob("*.eml"))
    ]
    sample = found[:: max(1, len(found) // options.messages)]
    classifier = Classifier()
    full: list[list[Cost]] = []
    plain: list[list[Cost]] = []
    limited = 0
    for _ in range(options.rounds):
        for templates, rounds in ((True, full), (False, plain)):
            gate = full_gate(classifier, templates=templates)
            for raw, flow in sample[:20]:  # once for caches and lazy imports
                gate.check(raw, flow=flow, client="192.0.2.1")
            rows = [measured(gate, classifier, raw, flow) for raw, flow in sample]
            rounds.append([cost for cost, _ in rows])
            limited = sum(any(r.part == "limits" for r in verdict.reasons) for _, verdict in rows)
    costs = [median_of(each) for each in zip(*full, strict=True)]
    others = [median_of(each) for each in zip(*plain, strict=True)]
    adds = spread([one.asked - one.alone for one in costs])
    parsed = spread([one.parsed for one in costs])
    bar = round(1.5 * parsed["median"] + 0.3, 3)
    write(
        "gate_speed",
        {
            "rounds": options.rounds,
            "messages": len(costs),
            "reached_the_limits": limited,
            "classification_cpu_ms": spread([one.alone for one in costs]),
            "compat32_parse_cpu_ms": parsed,
            "check_adds_cpu_ms": adds,
            "bar_cpu_ms": bar,
            "check_adds_times_bar": round(adds["median"] / bar, 2),
            "without_templates_cpu_ms": spread([one.asked - one.alone for one in others]),
            "report_cpu_ms": spread([one.reported for one in costs]),
        },
    )


if __name__ == "__main__":
    main()
