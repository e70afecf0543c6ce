"""Outside cases of webhooks and suppression files, which are not part of the project."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from mailflows import Flow
from mailflows.errors import ConfigurationError
from mailflows.feedback import SuppressionList, from_webhook, import_suppressions
from mailflows.limits import MemoryStore
from shared_cases import ROOT, cases

ADA = "ada@example.org"


def rows(path: str) -> list[dict[str, Any]]:
    """Return the rows of a file of outside cases."""
    return [json.loads(line) for line in cases(path).splitlines() if line.strip()]


def wrong(case: dict[str, Any], provider: str) -> list[str]:
    """Return what came out otherwise than expected."""
    flow = Flow(case["flow"]) if "flow" in case else None
    suppressions = SuppressionList(MemoryStore())
    try:
        before = from_webhook(provider, case["before"], flow=flow) if "before" in case else ()
        events = from_webhook(provider, case["payload"], flow=flow)
    except ConfigurationError:
        return ["provider"]
    for event in (*before, *events):
        suppressions.apply(event)
    found = {name: getattr(events[0], name) for name in ("type", "action", "recipient", "metadata", "list")}
    found |= {"tags": list(events[0].tags)}
    found |= {f.value: suppressions.is_suppressed(ADA, flow=f) for f in (Flow.MARKETING, Flow.TRANSACTIONAL)}
    return [
        f"{case['kind']} {provider} {name}: {found[name]}"
        for name, want in case["expect"].items()
        if (found[name] not in want if name in {"type", "action"} else found[name] != want)
    ]


def test_webhooks() -> None:
    """What providers post gives the expected events, and suppresses where it should."""
    found = []
    for case in rows("feedback-2/webhooks.jsonl"):
        names = case["provider"] if isinstance(case["provider"], list) else [case["provider"]]
        found.append(min((wrong(case, name) for name in names), key=len))
    assert [problem for problems in found for problem in problems] == []


def test_imports() -> None:
    """Files of address books, spreadsheets and providers suppress whom they mean, since when they say."""
    found = []
    for case in rows("feedback-2/imports.jsonl"):
        suppressions = SuppressionList(MemoryStore())
        with (ROOT / "cases" / "feedback-2" / case["file"]).open(encoding="utf-8", newline="") as file:
            result = import_suppressions(suppressions, file)
        entries = list(suppressions)
        since = datetime.fromisoformat(case["time"]).date() if "time" in case else None
        is_right = (
            all(map(suppressions.is_suppressed, case.get("suppressed", ())))
            and not any(map(suppressions.is_suppressed, case.get("free", ())))
            and result.added == len(entries)
            and all(since in {None, entry.time.date()} for entry in entries)
            and not (case.get("reason") == "not-imported" and any(e.reason == "imported" for e in entries))
        )
        found += [] if is_right else [case["file"]]
    assert found == []


def test_stray_quotation_marks() -> None:
    """A quotation mark left open takes no other row with it."""
    for case in rows("message-2/quotes.jsonl"):
        suppressions = SuppressionList(MemoryStore())
        import_suppressions(suppressions, iter(case["text"].splitlines(keepends=True)))
        assert all(map(suppressions.is_suppressed, case["suppressed"])), case["id"]


RECORDED = (
    "amazon_ses",
    "brevo",
    "mailersend",
    "mailgun",
    "mailjet",
    "mandrill",
    "postmark",
    "resend",
    "sendgrid",
    "sparkpost",
)
WORDS = {"failed": "rejected", "unknown": "other", "autoresponded": "autoreplied"}
FIELDS = {
    "event_type": "type",
    "mta_response": "smtp_reply",
    "tags": "tags",
    "metadata": "metadata",
    "recipient": "recipient",
}


def recorded() -> list[tuple[str, Any, Any]]:
    """Return field, expected and found value of all that the recorded tests look at."""
    found = []
    for provider in RECORDED:
        for case in json.loads(cases(f"feedback/webhooks/{provider}.json")):
            headers = {name: str(value) for name, value in (case.get("headers") or {}).items()}
            events = from_webhook(provider, case["payload"], headers=headers)
            asserted = FIELDS.keys() & set(case.get("asserted_in_original_test") or ())
            found += [
                (field, expected[field], getattr(event, FIELDS[field]))
                for event, expected in zip(events, case["expected"], strict=True)
                for field in asserted
            ]
    return found


def plain(value: Any) -> Any:
    """Return a value as both sides write it: none is empty, one tag is a list of it."""
    if isinstance(value, tuple | list):
        return [one for one in value if one]
    return WORDS.get(value, value) if isinstance(value, str) else value


def test_what_the_recorded_tests_look_at() -> None:
    """Recipients, tags and metadata are all as recorded; types and replies in 98 of 100."""
    counts: dict[str, list[bool]] = {}
    for field, expected, found in recorded():
        wanted = [expected] if field == "tags" and isinstance(expected, str) else expected
        counts.setdefault(field, []).append((plain(wanted) or None) == (plain(found) or None))
    shares = {field: sum(right) / len(right) for field, right in counts.items()}
    assert {field: shares[field] for field in ("recipient", "tags", "metadata")} == dict.fromkeys(
        ("recipient", "tags", "metadata"), 1.0
    )
    assert min(shares["event_type"], shares["mta_response"]) >= 0.98
