"""The second set of outside cases: lists, cells, files, typing errors and kinds of faults."""

from __future__ import annotations

import io
import json

from mailflows.recipients import Advice, ListReport, RecipientChecker, check_recipient
from mailflows.testing import FakeDns
from shared_cases import cases

MX = {"MX": ["10 mx.host.fr"]}
WORLD = {"shop.fr": MX, "gmail.com": MX, "mx.host.fr": {"A": ["93.184.216.34"]}}


def rows(name: str) -> list[dict[str, object]]:
    """Return the cases of one file."""
    return [json.loads(line) for line in cases(f"recipients-2/{name}.jsonl").splitlines()]


def missing(report: ListReport, wanted: object) -> list[str]:
    """Return the addresses that a report neither judged nor suggests."""
    seen = {text.lower() for _, r, _ in report.reports() for text in (r.address, r.suggestion or "")}
    return [address for address in wanted if address not in seen]  # type: ignore[attr-defined]


def test_cells_and_files() -> None:
    """No address of a cell or a file vanishes."""
    checker = RecipientChecker(resolver=FakeDns(WORLD))
    lost = [
        row["cell"] for row in rows("cells") if missing(checker.check_list([row["cell"]]), row["addresses"])
    ]
    for row in rows("files"):
        report = checker.check_list(io.StringIO(str(row["text"])))
        if missing(report, row["addresses"]) or row.get("column", report.column) != report.column:
            lost.append(row["name"])
    assert lost == []


def test_typing_errors() -> None:
    """At least nine in ten are mended, and hardly one wrongly."""
    for name in ("typo_pairs", "typo_endings"):
        pairs = rows(name)
        found = [(row, check_recipient(f"ada@{row['domain']}", dns=False).suggestion) for row in pairs]
        meant = [(row["expect"], text and text.rpartition("@")[2]) for row, text in found]
        assert sum(expected == got for expected, got in meant) >= 0.9 * len(pairs)
        assert sum(expected != got for expected, got in meant if got) <= 0.005 * len(pairs)


def test_each_kind_of_fault_has_a_code() -> None:
    """None is shared by two kinds."""
    kinds: dict[str, set[object]] = {}
    for row in rows("syntax_kinds"):
        code = check_recipient(str(row["address"]), dns=False).reasons[0].code
        kinds.setdefault(code, set()).add(row["kind"])
    assert [code for code, shared in kinds.items() if len(shared) > 1] == []


def test_addresses() -> None:
    """Grammar, hosts, remains of markup and names that are kept apart."""
    wrong = []
    for row in rows("addresses"):
        address, mx = str(row["address"]), str(row.get("mx", "mx.host.fr"))
        domain = address.rpartition("@")[2]
        dns = FakeDns({**WORLD, domain: {"MX": [f"10 {mx}"]}, mx: {"A": ["93.184.216.34"]}})
        report = RecipientChecker(resolver=dns).check(address)
        good = str(report.verdict) in row["verdicts"]  # type: ignore[operator]
        good &= row.get("suggestion", report.suggestion) == report.suggestion
        good &= row.get("trait") in (None, *map(str, report.traits))
        good &= row["kind"] != "special" or str(report.domain_state) == "special-use"
        if not good:
            wrong.append(address)
    assert wrong == []


def test_no_list_gets_better_by_being_worse() -> None:
    """A list of risky rows alone is no go where one good row among them makes it none."""
    order = list(Advice)
    for row in rows("risky_lists"):
        listed = [text.format(i=i) for text, count in row["rows"] for i in range(count)]  # type: ignore[attr-defined]
        zone = dict(WORLD)
        for name, records in row["zone"].items():  # type: ignore[attr-defined]
            zone |= {name.format(i=i): records for i in range(1000 if "{" in name else 1)}
        checker = RecipientChecker(resolver=FakeDns(zone), flow=str(row["flow"]))
        alone, mixed = checker.check_list(listed), checker.check_list([*listed, "ada@shop.fr"])
        for one, other in zip(alone.policies, mixed.policies, strict=True):
            assert one.advice is not Advice.GO
            assert order.index(one.advice) >= order.index(other.advice)


def test_a_silent_dns() -> None:
    """Nothing is said beyond the interval of the headline, and no list is a go."""
    for row in rows("silent_dns"):
        listed = [text.format(i=i) for text, count in row["rows"] for i in range(count)]  # type: ignore[attr-defined]
        report = RecipientChecker(resolver=FakeDns({}, default=str(row["dns"]))).check_list(listed)
        assert report.resolver_trouble
        assert all(verdict.advice is Advice.STOP for verdict in report.policies)
