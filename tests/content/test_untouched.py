"""What no repair touches, and the bounds of what is read."""

from __future__ import annotations

import base64
import time

import pytest

from mailflows.content import fix, lint, plain_text

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
    "page",
    ["<" * 400_000, "<a " * 130_000, "<p>x" * 100_000, "</b>" * 100_000, f"<p {'a=b ' * 100_000}>"],
    ids=["marks", "tags", "paragraphs", "ends", "attributes"],
)
def test_a_page_that_no_client_shows_takes_no_seconds(page: str) -> None:
    """It is not read, and `lint` says so."""
    raw = HEAD + b"Content-Type: text/html\n\n" + page.encode()
    start = time.process_time()
    report = lint(raw)
    fix(raw)
    plain_text(page)
    assert time.process_time() - start < 2
    assert "page-not-read" in report or "attributes" in page
