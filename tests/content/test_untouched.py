"""What no repair touches, and the bounds of what is read."""

from __future__ import annotations

import base64

import pytest

from growth import MOST, growth
from mailflows.content import LintReport, fix, lint, plain_text

HEAD = (
    b"From: a@shop.example\nDate: Mon, 04 May 2026 10:00:00 +0000\n"
    b"Message-ID: <1@shop.example>\nMIME-Version: 1.0\n"
)
PAGE = "<p onclick='x()'>Grüße</p>"


@pytest.mark.parametrize("charset", ["utf-16", "utf-16be", "utf-32", "utf-32le"])
def test_a_wide_charset_is_left_alone_with_a_reason(charset: str) -> None:
    """A repair in ASCII would make it unreadable."""
    body = base64.encodebytes(PAGE.encode(charset))
    kind = f"Content-Type: text/html; charset={charset}\nContent-Transfer-Encoding: base64\n\n".encode()
    result = fix(HEAD + kind + body)
    assert result.data == HEAD + kind + body
    assert charset in dict(result.skipped)["message"]


def test_html_that_is_declared_as_plain_text_is_left_alone() -> None:
    """Clients that obey show its source, and the reason says so."""
    raw = HEAD + b"Content-Type: text/plain\n\n<html><body><p onclick=x>Hi</p></body></html>"
    result = fix(raw)
    assert result.data == raw
    assert "text/html" in dict(result.skipped)["message"]


def test_a_signed_message_is_repaired_only_where_it_is_asked_for_by_name() -> None:
    """Whoever names a repair knows what it breaks."""
    raw = HEAD + b"DKIM-Signature: v=1\nContent-Type: text/html\n\n<p onclick=x>Hi</p>"
    assert fix(raw).data == raw
    assert fix(raw, only=["active-content"]).done == ("active-content",)


@pytest.mark.parametrize(
    ("unit", "around"),
    [("<", ("", "")), ("<a ", ("", "")), ("<p>x", ("", "")), ("</b>", ("", "")), ("a=b ", ("<p ", ">"))],
    ids=["marks", "tags", "paragraphs", "ends", "attributes"],
)
def test_a_page_that_no_client_shows_takes_no_seconds(unit: str, around: tuple[str, str]) -> None:
    """It costs no more than in proportion; what has more tags than any client shows is not read."""

    def page(size: int) -> str:
        return (unit * (size // len(unit))).join(around)

    def every(text: str) -> LintReport:
        raw = HEAD + b"Content-Type: text/html\n\n" + text.encode()
        fix(raw)
        plain_text(text)
        return lint(raw)

    assert growth(page, every, 400_000) < MOST
    assert around[0] or "page-not-read" in every(page(400_000))
