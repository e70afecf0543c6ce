"""Outside cases, second set: what is refused, sealed, kept for readers, and odd."""

from __future__ import annotations

import json
import re
import time
from email.utils import format_datetime
from typing import Any

import pytest

from mailflows import Message, MessageError, Severity
from mailflows._clock import to_datetime
from mailflows.content import LintReport, fix, fix_html, lint, lint_html, plain_text
from shared_cases import cases

Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    """Return the rows of a file of cases."""
    return [json.loads(line) for line in cases(f"content-2/{name}.jsonl").splitlines()]


def dated(text: str) -> bytes:
    """Return a message with its dates filled in."""
    now = time.time() - 180

    def moment(days: str) -> str:
        return format_datetime(to_datetime(now + float(days) * 86_400))

    text = text.replace("{now}", moment("0"))
    return re.sub(r"\{([+-][0-9.]+)d\}", lambda match: moment(match[1]), text).encode("latin-1")


def counted(report: LintReport, level: str) -> int:
    """Return how many findings matter as much as *level*."""
    return len(report.at_least(Severity(level)))


def test_what_gets_mail_refused_is_named_once_and_good_twins_stay_quiet() -> None:
    """One finding more than for the same message without the fault."""
    wrong = []
    for row in rows("lint"):
        level = row["level"].strip()
        of_fault = lint(dated(row["message"]), flow=row["flow"])
        without = lint(dated(row["control"]), flow=row["flow"])
        more = counted(of_fault, level) - counted(without, level)
        is_right = more == 1 and row["code"] in of_fault if row["want"] == "named" else more <= 0
        if not is_right:
            wrong.append((row["id"], more, [f.code for f in of_fault.at_least(Severity(level))]))
    assert wrong == []


def test_what_is_sealed_keeps_its_bytes() -> None:
    """A signature covers bytes; the reason is told."""
    for row in rows("sealed"):
        raw = row["message"].encode("latin-1")
        result = fix(raw, flow="marketing")
        assert row["keep"].encode("latin-1") in result.data, row["id"]
        assert result.skipped or row["kind"] == "opaque", row["id"]
        assert row["kind"] != "dkim" or result.data == raw, row["id"]


def test_what_a_reader_sees_and_uses_stays() -> None:
    """Accordions open, menus fold out, buttons keep their words."""
    wrong: list[tuple[str, str, object]] = []
    for row in rows("reader-keeps"):
        page = fix_html(row["html"]).data.decode()
        text = plain_text(row["html"])
        loud = {f.code for f in lint_html(row["html"]).at_least(Severity.WARNING)}
        wrong += [(row["id"], "keep", piece) for piece in row["keep"] if piece not in page]
        wrong += [(row["id"], "plain", piece) for piece in row["plain"] if piece not in text]
        wrong += [(row["id"], "quiet", code) for code in row["quiet"] if code in loud]
        assert fix_html(page).data.decode() == page, row["id"]
    assert wrong == []


def test_wide_charsets_are_left_whole_with_a_reason() -> None:
    """UTF-16 and UTF-32 are no text part (RFC 2781); never the source of a page as plain text."""
    wrong = []
    for row in rows("wide-charsets"):
        raw = row["message"].encode("latin-1")
        result = fix(raw, flow="marketing")
        message = Message.read(result.data)
        if not (result.skipped and row["text"] in message.html and "<" not in message.text):
            wrong.append((row["id"], result.skipped, message.html[:40], message.text[:40]))
    assert wrong == []


@pytest.mark.parametrize("place", ["attribute", "rule"])
def test_a_media_attribute_is_read_as_the_rule_is(place: str) -> None:
    """On a wide, light screen."""
    wrong = []
    for row in rows("media-attribute"):
        rule = ".x{display:none}"
        style = (
            f'<style media="{row["media"]}">{rule}</style>'
            if place == "attribute"
            else f"<style>@media {row['media']}{{{rule}}}</style>"
        )
        page = f'{style}<p>Hello</p><p class="x">thirty letters that are hidden away</p>'
        is_hidden = "thirty" not in plain_text(page)
        is_inlined = b"style=" in fix_html(page, only=["inline-css"]).data
        is_found = "hidden-text" in lint_html(page)
        wanted = row["applies"]
        if (
            is_hidden is not wanted
            or is_found is not wanted
            or (is_inlined is not wanted and place == "attribute")
        ):
            wrong.append((row["id"], row["media"], is_hidden, is_found, is_inlined))
    assert wrong == []


def test_plain_text_keeps_numbers_depth_rows_and_words_apart() -> None:
    """As html2text and inscriptis do."""
    wrong = []
    for row in rows("plain-text"):
        text = plain_text(row["html"])
        wrong += [(row["id"], "has", pattern, text) for pattern in row["has"] if not re.search(pattern, text)]
        wrong += [(row["id"], "not", pattern, text) for pattern in row["no"] if re.search(pattern, text)]
    assert wrong == []


def test_an_odd_message_is_read_in_one_way() -> None:
    """`lint` and `fix` see the same, or say why not."""
    assert [fault for row in rows("odd-messages") for fault in read_apart(row)] == []


def read_apart(row: Row) -> list[object]:
    """Return what is wrong with one odd message."""
    raw = row["message"].encode("latin-1")
    try:
        report = lint(raw)
    except MessageError:
        with pytest.raises(MessageError):
            fix(raw)
        return []
    result = fix(raw, flow="marketing")
    after = Message.read(result.data)
    excuses = {name for name, _ in result.skipped}
    found: list[object] = []
    if "active-content" not in report and not excuses & {"active-content", "message"}:
        found.append("not seen")
    if "active-content" not in result.done and not excuses & {"active-content", "message"}:
        found.append("not repaired")
    if (after.subject, after.sender.address) != (row["subject"], row["sender"]):
        found.append((after.subject, after.sender.address))
    if fix(result.data, flow="marketing").data != result.data:
        found.append("not idempotent")
    return [(row["id"], found, result.done, result.skipped)] if found else []
