"""How well linting and repairing do on collected cases: recall, false alarms, agreement, soundness.

    python benchmarks/content_quality.py [folder of cases]

The folder (by default ``../shared/cases/content`` beside the project) holds pages of caniemail.com with the
features that they show, professional templates, pairs of one mail before and after inlining, and messages
with the rules of SpamAssassin 4.0.1 that they hit. Writes ``results/content_quality.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from recording import ROOT, write

from mailflows import MessageError, Severity
from mailflows.content import codes, fix, lint, lint_html
from mailflows.content._page import Page
from mailflows.content._support import clients_named

RULES = {
    "missing-date": ["MISSING_DATE"],
    "missing-from": ["MISSING_FROM"],
    "missing-subject": ["MISSING_SUBJECT"],
    "invalid-date": ["INVALID_DATE"],
    "invalid-message-id": ["INVALID_MSGID"],
    "html-only": ["MIME_HTML_ONLY"],
    "html-tag-missing": ["HTML_MIME_NO_HTML_TAG"],
    "empty-message": ["EMPTY_MESSAGE"],
    "base64-text": ["MIME_BASE64_TEXT"],
    "subject-shouting": ["SUBJ_ALL_CAPS"],
    "shouting-text": ["UPPERCASE_50_75"],
    "image-only": ["HTML_IMAGE_ONLY_04", "HTML_IMAGE_ONLY_08", "HTML_IMAGE_ONLY_12", "HTML_IMAGE_ONLY_20"],
    "link-numeric-host": ["NORMAL_HTTP_TO_IP"],
    "link-escaped-host": ["HTTP_ESCAPED_HOST"],
    "link-text-mismatch": ["T_PDS_SHORT_SPOOFED_URL", "HTTPS_HTTP_MISMATCH"],
}
"""Our codes, and SpamAssassin's rules that mean the same."""

SEEN = {"visible", "images", "links", "spam"}
"""Families about what a reader sees; these must be the same before and after inlining."""

MARKETING = "mjml"
"""Templates whose names have this are advertisements, but for the two that are not."""
TRANSACTIONAL = ("delivery", "welcome")


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path, nargs="?", default=ROOT.parent / "shared/cases/content")
    cases = parser.parse_args().cases
    if not cases.is_dir():
        raise SystemExit(f"no outside cases in {cases}")
    result = {
        "support": support(cases / "caniemail"),
        "templates": templates(cases / "templates"),
        "pairs": pairs(cases / "pairs"),
        "spamassassin": agreement(cases),
        "fix": soundness(cases),
    }
    write("content_quality", result)


def support(folder: Path) -> dict[str, Any]:
    """Count the features that are named, of those that pages were written to show."""
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    counts = {"features": 0, "named": 0, "named_by_default_clients": 0, "crashes": 0}
    missed = []
    for page, features in expected.items():
        html = (folder / page).read_text("utf-8")
        wanted = {f["slug"] for f in features if f["not_fully_supported_in_22_main_clients"]}
        found = named(html, "all")
        counts["features"] += len(wanted)
        counts["named"] += len(wanted & found)
        counts["named_by_default_clients"] += len(wanted & named(html, "default"))
        missed += sorted(f"{page}: {slug}" for slug in wanted - found)
    for page in sorted(folder.glob("*.html")):
        for client in clients_named("all"):
            try:
                lint_html(page.read_text("utf-8"), clients=client)
            except Exception:  # noqa: BLE001 -- counted
                counts["crashes"] += 1
    return {**counts, "share": counts["named"] / counts["features"], "wanted": 0.98, "missed": missed}


def named(html: str, clients: str) -> set[str]:
    """Return the features that a report names."""
    return {
        word.partition(":")[0] for finding in lint_html(html, clients=clients) for word in finding.evidence
    }


def flow_of(path: Path) -> str:
    """Return the flow that a template is for."""
    is_marketing = MARKETING in path.name and not any(word in path.name for word in TRANSACTIONAL)
    return "marketing" if is_marketing else "transactional"


def as_message(html: str) -> bytes:
    """Return a complete message with a template as its HTML, as a sender would make it."""
    message = EmailMessage()
    message["From"] = "Shop <news@shop.example>"
    message["To"] = "ada@example.org"
    message["Subject"] = "Your news of this week"
    message["Date"] = "Mon, 04 May 2026 10:00:00 +0000"
    message["Message-ID"] = "<1@shop.example>"
    message["List-Unsubscribe"] = "<https://shop.example/u/x7Qk2>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(Page(html).text or "-")
    message.add_alternative(html, subtype="html")
    return message.as_bytes()


def templates(folder: Path) -> dict[str, Any]:
    """Count what is said about templates that professionals made."""
    minded: list[int] = []
    every: list[int] = []
    counts = {"transactional_unsubscribe_errors": 0, "preheader_findings": 0}
    for path in sorted(folder.glob("*.html")):
        flow = flow_of(path)
        report = lint_html(path.read_text("utf-8"), flow=flow)
        minded.append(len(report.at_least(Severity.WARNING)))
        every.append(len(report.findings))
        family = {f.code: codes()[f.code].family for f in report}
        counts["transactional_unsubscribe_errors"] += sum(
            flow == "transactional" and family[f.code] == "unsubscribe" and f.severity is Severity.ERROR
            for f in report
        )
        counts["preheader_findings"] += sum(f.code == "hidden-text" for f in report)
    return {
        "templates": len(minded),
        "warnings_mean": statistics.mean(minded),
        "warnings_most": max(minded),
        "findings_mean": statistics.mean(every),
        "wanted": 5,
        **counts,
    }


def seen(html: str) -> set[str]:
    """Return the codes about what a reader sees."""
    return {f.code for f in lint_html(html, flow="transactional") if codes()[f.code].family in SEEN}


def pairs(folder: Path) -> dict[str, Any]:
    """Compare the findings of one mail before and after inlining."""
    sources = sorted(folder.glob("*.source.html"))
    differ = {}
    for path in sources:
        inlined = path.with_name(path.name.replace(".source.", ".inlined."))
        difference = seen(path.read_text("utf-8")) ^ seen(inlined.read_text("utf-8"))
        if difference:
            differ[path.name] = sorted(difference)
    return {"pairs": len(sources), "equal": len(sources) - len(differ), "differ": differ}


def agreement(cases: Path) -> dict[str, Any]:
    """Compare our verdicts with SpamAssassin's, rule by rule."""
    hits = json.loads((cases / "spamassassin-4.0.1-hits.json").read_text("utf-8"))
    found: dict[str, set[str]] = {}
    unread = 0
    for name in hits:
        try:
            found[name] = {f.code for f in lint((cases / name).read_bytes(), flow="marketing")}
        except MessageError:
            unread += 1
            found[name] = set()
    rules = {code: compared(code, rules, found, hits) for code, rules in RULES.items()}
    return {
        "messages": len(hits),
        "unread": unread,
        "wanted": 0.95,
        "least": min(rule["agreement"] for rule in rules.values()),
        "rules": rules,
    }


def compared(
    code: str, rules: list[str], found: dict[str, set[str]], hits: dict[str, list[str]]
) -> dict[str, Any]:
    """Return how often we and they say the same."""
    pairs = [(code in found[name], not set(rules).isdisjoint(said)) for name, said in hits.items()]
    return {
        "rules": rules,
        "agreement": sum(ours == theirs for ours, theirs in pairs) / len(pairs),
        "both": pairs.count((True, True)),
        "ours_only": pairs.count((True, False)),
        "theirs_only": pairs.count((False, True)),
    }


def soundness(cases: Path) -> dict[str, Any]:
    """Repair every page as a message, and count what must never happen."""
    counts = dict.fromkeys(
        ("pages", "changed_by_second_run", "text_changed", "links_changed", "still_reported"), 0
    )
    links = lost = 0
    for path in sorted(cases.glob("templates/*.html")) + sorted(cases.glob("pairs/*.html")):
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "a@shop.example", "b@example.org", "News"
        message.set_content(path.read_text("utf-8"), subtype="html")
        options: dict[str, Any] = {"flow": "marketing", "unsubscribe": "https://shop.example/u/x7Qk2"}
        result = fix(message, **options)
        before, after = Page(html_of(message.as_bytes())), Page(html_of(result.data))
        counts["pages"] += 1
        counts["changed_by_second_run"] += fix(result.data, **options).data != result.data
        counts["text_changed"] += before.text != after.text
        counts["links_changed"] += [link.href for link in before.links] != [link.href for link in after.links]
        counts["still_reported"] += any(f.fix in result.done for f in lint(result.data, flow="marketing"))
        plain = message_from_bytes(result.data, policy=policy.default).get_body(("plain",)).get_content()
        wanted = [link.href for link in before.links if link.is_seen and link.href not in {"", "#"}]
        links += len(wanted)
        lost += sum("".join(href.split()).removeprefix("mailto:") not in plain for href in wanted)
    return {**counts, "links": links, "links_lost_in_plain_text": lost}


def html_of(raw: bytes) -> str:
    """Return the HTML of a message, by the standard library."""
    return message_from_bytes(raw, policy=policy.default).get_body(("html",)).get_content()


if __name__ == "__main__":
    main()
