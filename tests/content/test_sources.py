"""A page is read from text, bytes, a file or its path; what is none says so, and what to call."""

from __future__ import annotations

import io
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest

from mailflows.content import fix_html, lint_html, plain_text
from mailflows.errors import MessageError
from mailflows.message import Message
from mailflows.tracking import Tracker

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "<html lang='en'><p onclick='x()'>Grüße <img src='https://shop.example/a.png' width='9'></p></html>"
READERS = (lint_html, plain_text, lambda page: fix_html(page).data)


@pytest.mark.parametrize("read", READERS)
def test_a_page_is_read_from_what_holds_it(read: Any, tmp_path: Path) -> None:
    """The answer is that for its text."""
    file = tmp_path / "page.html"
    file.write_text(PAGE, "utf-8")
    raw = PAGE.encode()
    for source in (raw, bytearray(raw), memoryview(raw), file, io.BytesIO(raw)):
        assert read(source) == read(PAGE)


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_page_says_what_to_do(read: Any, tmp_path: Path) -> None:
    """A message, a number, a file that is not there, a folder."""
    message = EmailMessage()
    for source in (message, Message.read(b"Subject: s\n\nHello")):
        with pytest.raises(MessageError, match=r"is a message.*lint\(\)"):
            read(source)
    with pytest.raises(MessageError, match="int; pass str, bytes, a path or an open file"):
        read(7)
    for place in (tmp_path / "none.html", tmp_path):
        with pytest.raises(MessageError, match=str(place)):
            read(place)


def test_bytes_are_read_in_the_charset_that_they_name() -> None:
    """By a mark in front, or in the page; without either, as UTF-8 or as what they look like."""
    named = '<meta charset="iso-8859-2"><p>Grüße, Łódź</p>'
    assert plain_text(named.encode("iso-8859-2")) == "Grüße, Łódź"
    assert plain_text("\ufeff<p>Grüße</p>".encode()) == "Grüße"
    assert plain_text("\ufeff<p>Grüße</p>".encode("utf-16-le")) == "Grüße"
    assert plain_text("<p>Grüße</p>".encode("windows-1252")) == "Grüße"


def test_a_page_that_comes_back_in_utf_8_must_be_in_it() -> None:
    """Else its own declaration of another charset would be wrong."""
    with pytest.raises(MessageError, match="not UTF-8 at byte 5"):
        fix_html("<p>Gr\xfc\xdfe</p>".encode("latin-1"))


@pytest.mark.parametrize(
    "page", [PAGE, "<style>\np {\ncolor: red;\n}\n</style>\n<a href='https://a.example/'>x</a>"]
)
@pytest.mark.parametrize("work", ["links", "rewrite", "undo"])
def test_a_page_is_no_message_to_track(page: str, work: str) -> None:
    """It says how to make one of it."""
    tracker = Tracker([b"k" * 32], "https://t.shop.example/")
    named = {"campaign": "spring", "recipient": "7"} if work == "rewrite" else {}
    with pytest.raises(MessageError, match="set_content"):
        getattr(tracker, work)(page, **named)
