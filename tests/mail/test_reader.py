"""How the text of a message is decoded, where what is declared and what is there differ."""

from __future__ import annotations

import pytest

from mailflows import Message
from mailflows._mail.reader import TEXT_LIMIT
from mailflows._mail.structure import MAX_FIELDS

HEAD = "From: a@x.example\nTo: b@y.example\nSubject: s\nMIME-Version: 1.0\n"


def read(fields: str, body: bytes) -> Message:
    """Return the message with a body behind some fields."""
    return Message.read(f"{HEAD}{fields}\n".encode() + body)


META = b'<html><head><meta charset="iso-8859-2"></head><body>\xb3\xf3d\xbc</body></html>'


def test_a_page_may_declare_its_charset_itself() -> None:
    """Where the header names none, the page's own declaration counts: Polish letters, not Western ones."""
    assert "łódź" in read("Content-Type: text/html\n", META).html


def test_the_header_goes_before_the_page() -> None:
    """A charset in the header is the one that mail programs use."""
    assert "³ód¼" in read("Content-Type: text/html; charset=iso-8859-1\n", META).html


def test_a_plain_text_declares_nothing_itself() -> None:
    """What looks like a declaration inside a plain text is text."""
    body = b'He wrote <meta charset="iso-8859-2"> and \xb3\xf3d\xbc'
    assert "łódź" not in read("Content-Type: text/plain\n", body).text


@pytest.mark.parametrize(("lost", "is_noted"), [(1, False), (400, True)])
def test_text_that_cannot_be_decoded_is_noted_if_much_is_lost(lost: int, *, is_noted: bool) -> None:
    """One lost character is a slip, hundreds are a text that somebody decoded wrongly before."""
    body = b"An ordinary line of text.\n" * 20 + "\ufffd".encode() * lost
    found = read("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n", body)
    assert ("undecodable-text" in found.defects) == is_noted


def test_an_attached_text_is_not_read_as_the_message() -> None:
    """What is kept as a file is not the message, whatever its type (RFC 2183 section 2.2)."""
    parts = (
        b"--b\nContent-Type: text/plain\n\nWhat she wrote.\n"
        b"--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=n.txt\n\nNotes.\n--b--\n"
    )
    found = read("Content-Type: multipart/mixed; boundary=b\n", parts)
    assert ("What she wrote." in found.text, "Notes." in found.text) == (True, False)


def test_a_multipart_without_a_boundary_is_read_as_one_text() -> None:
    """Nothing can be split, so what stands there is shown as it is, and the defect is named."""
    found = read("Content-Type: multipart/mixed\n", b"--b\n\nHello\n--b--\n")
    assert "Hello" in found.text
    assert found.defects


@pytest.mark.parametrize(("over", "is_cut"), [(0, False), (1, True)])
def test_a_text_of_the_whole_budget_is_read(over: int, *, is_cut: bool) -> None:
    """To the last byte nothing is missing; one more is said."""
    found = read("Content-Type: text/plain\n", b"x" * (TEXT_LIMIT + over))
    assert ("long-text" in found.defects) == is_cut


@pytest.mark.parametrize(("count", "is_many"), [(MAX_FIELDS, False), (MAX_FIELDS + 1, True)])
def test_a_header_of_very_many_fields_is_cut(count: int, *, is_many: bool) -> None:
    """As many as allowed are read, and more are named; one of them is no header line, as in damaged mail."""
    raw = b"not a header line\n" + b"X-A: b\n" * count + b"\nHello\n"
    assert ("many-headers" in Message.read(raw).defects) == is_many


def test_uuencoded_text_is_decoded() -> None:
    """An old encoding, which programs still write under two names; one that nobody knows is left alone."""
    coded = b"begin 644 x\n*2&5L;&\\@061A(0  \n`\nend\n"
    assert "Hello Ada!" in read("Content-Transfer-Encoding: x-uuencode\n", coded).text
    assert "begin 644" in read("Content-Transfer-Encoding: x-unknown\n", coded).text


@pytest.mark.parametrize(
    ("body", "is_html"),
    [
        ("<html><p>Hello</p></html>", True),
        ("<BODY>Hello</BODY>", True),
        ("<ada@x.example> wrote:\nHello", False),
    ],
)
def test_a_page_that_is_declared_as_plain_text(body: str, *, is_html: bool) -> None:
    """A document is one whatever its type says; a text that begins with a bracket is none."""
    found = read("Content-Type: text/plain\n", body.encode())
    assert (bool(found.html), "Hello" in found.text + found.html) == (is_html, True)
