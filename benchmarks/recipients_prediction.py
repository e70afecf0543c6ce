"""Whether the 90 % interval of a list holds the true bounce rate, on simulated bases with a hidden truth.

    python benchmarks/recipients_prediction.py

A base is drawn by its history, not by the model: where it came from (a confirmed sign-up, a form, a fair,
a bought file), how old it is, how fast mailboxes and domains die there; then every address gets its own
fate. The predictor sees what a check shows: the classes of the addresses, the dead domains and, for half
of the bases, a history that found a part of the dead mailboxes. The truth is counted, never told.
"""

from __future__ import annotations

import math
import random

from recording import write

from mailflows.recipients._policies import Advice, judge, known_policies
from mailflows.recipients._prediction import predict

BASES = 300

# Source → months of age, monthly loss of mailboxes and of domains, share of made-up addresses.
SOURCES = {
    "confirmed sign-up": ((1, 24), (0.0005, 0.003), (0.0001, 0.0006), (0.0, 0.002)),
    "form": ((1, 36), (0.001, 0.004), (0.0002, 0.001), (0.002, 0.02)),
    "business contacts": ((3, 48), (0.001, 0.006), (0.0002, 0.0015), (0.0, 0.01)),
    "bought file": ((6, 60), (0.002, 0.008), (0.0005, 0.003), (0.005, 0.03)),
}


def binomial(rng: random.Random, trials: int, chance: float) -> int:
    """Return how many of some trials succeed."""
    return sum(rng.random() < chance for _ in range(trials))


def base(rng: random.Random) -> tuple[dict[str, int], dict[str, int], float]:
    """Draw a base: what is seen of it, its history, and its true bounce rate."""
    months, mailboxes, domains, made_up = SOURCES[rng.choice(list(SOURCES))]
    age = rng.uniform(*months)
    gone = 1 - math.exp(-age * rng.uniform(*mailboxes))
    closed = 1 - math.exp(-age * rng.uniform(*domains))
    size = int(10 ** rng.uniform(2.0, 4.3))
    own = binomial(rng, size, rng.uniform(0.2, 0.8))
    dead = binomial(rng, own, closed)
    fake = binomial(rng, size - dead, rng.uniform(*made_up))
    shares = {"typo": (0.5, 0.9), "suspicious": (0.1, 0.5), "disposable": (0.1, 0.6)}
    seen = dict.fromkeys(
        ("ordinary", "undeliverable", "typo", "unknown", "implicit", "suspicious", "disposable"), 0
    )
    seen["undeliverable"] = dead
    bounces = dead
    for _ in range(fake):
        name = rng.choice(list(shares))
        seen[name] += 1
        bounces += rng.random() < rng.uniform(*shares[name])
    for name, share, rate in (("unknown", 0.004, (0.05, 0.4)), ("implicit", 0.01, (0.1, 0.6))):
        seen[name] = binomial(rng, size - dead - fake, share * rng.random())
        bounces += binomial(rng, seen[name], rng.uniform(*rate))
    seen["ordinary"] = size - sum(seen.values())
    lost = binomial(rng, seen["ordinary"], gone)
    history = {"bounced": 0, "delivered": 0}
    if rng.random() < 0.5:
        mailed = rng.uniform(0.05, 0.3)
        history["bounced"] = binomial(rng, lost, mailed)
        history["delivered"] = binomial(rng, seen["ordinary"] - lost, mailed)
        lost -= history["bounced"]
        seen["ordinary"] -= history["bounced"] + history["delivered"]
        seen["delivered"] = history["delivered"]
    total = sum(seen.values())
    return seen, {"dead": dead, "asked": own, **history}, (bounces + lost) / total


def main() -> None:
    """Draw the bases, predict, and compare."""
    rng = random.Random(2026)
    covered = {False: [0, 0], True: [0, 0]}
    widths: dict[bool, list[float]] = {False: [], True: []}
    wrong = {Advice.GO: 0, Advice.STOP: 0}
    said = dict.fromkeys(Advice, 0)
    policies = [policy for policy in known_policies() if policy.max_recipients is None]
    for _ in range(BASES):
        seen, evidence, truth = base(rng)
        prediction = predict(seen, **evidence)
        known = bool(evidence["delivered"])
        covered[known][0] += prediction.low <= truth <= prediction.high
        covered[known][1] += 1
        widths[known].append(prediction.high - prediction.low)
        for policy in policies:
            advice = judge(policy, prediction).advice
            said[advice] += 1
            wrong[Advice.GO] += advice is Advice.GO and truth > policy.hard_bounce
            wrong[Advice.STOP] += advice is Advice.STOP and truth < policy.hard_bounce
    result = {
        "bases": BASES,
        "covered": sum(c for c, _ in covered.values()) / BASES,
        "wanted": 0.88,
        "covered_without_history": covered[False][0] / covered[False][1],
        "covered_with_history": covered[True][0] / covered[True][1],
        "median_width_without_history": sorted(widths[False])[len(widths[False]) // 2],
        "median_width_with_history": sorted(widths[True])[len(widths[True]) // 2],
        "advice": {str(name): count for name, count in said.items()},
        "wrong_go": wrong[Advice.GO],
        "wrong_stop": wrong[Advice.STOP],
    }
    write("recipients_prediction", result)


if __name__ == "__main__":
    main()
