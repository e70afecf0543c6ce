"""Editing a raw message: what is not edited keeps its bytes."""

from __future__ import annotations

import binascii
import quopri
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows._mail.edit import (
    Edit,
    editable,
    fields,
    is_signed,
    sources_of,
    spliced,
    text_parts,
    with_header,
    with_headers,
    without_header,
)
from mailflows.errors import ConfigurationError, MessageError

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=200)
ENCODINGS = st.sampled_from(["8bit", "quoted-printable", "base64"])
NEWLINES = st.sampled_from([b"\n", b"\r\n"])


def mail(body: bytes, *, encoding: str = "8bit", kind: str = "text/html; charset=utf-8") -> bytes:
    """Return a message of one part."""
    return f"Subject: x\nContent-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n".encode() + body


def encoded(text: str, encoding: str, newline: bytes) -> bytes:
    """Write a text in a transfer encoding, as the standard library does."""
    data = text.encode()
    if encoding == "quoted-printable":
        data = quopri.encodestring(data)
    elif encoding == "base64":
        data = binascii.b2a_base64(data, newline=False)
        data = b"\n".join(data[at : at + 60] for at in range(0, len(data), 60))
    return data.replace(b"\n", newline)


def edited(raw: bytes, old: str, new: str) -> bytes:
    """Replace the first place of a text."""
    part = next(part for part in text_parts(raw) if old in part.text)
    start = part.text.index(old)
    return spliced(raw, [(part, [Edit(start, start + len(old), new)])])


def payload(part: Any) -> bytes:
    """Return the decoded content of a part."""
    content: bytes = part.get_payload(decode=True)
    return content


@pytest.mark.property
@given(TEXTS, ENCODINGS, NEWLINES, st.data())
def test_an_edit_is_undone_to_the_byte(text: str, encoding: str, newline: bytes, data: st.DataObject) -> None:
    """Any characters are replaced by any, and putting their bytes back gives the original message."""
    raw = mail(encoded(text, encoding, newline), encoding=encoding)
    (part,) = text_parts(raw)
    start = data.draw(st.integers(0, len(part.text)))
    end = data.draw(st.integers(start, len(part.text)))
    new = data.draw(TEXTS.filter(bool))
    changed = spliced(raw, [(part, [Edit(start, end, new)])])
    (after,) = text_parts(changed)
    old_newlines = after.text.replace("\r\n", "\n")
    assert old_newlines == (part.text[:start] + new + part.text[end:]).replace("\r\n", "\n")
    if part.is_regular:
        stop = len(after.text) - (len(part.text) - end)
        (verbatim,) = sources_of(raw, part, [(start, end)])
        assert spliced(changed, [(after, [Edit(start, stop, "", verbatim)])]) == raw


@pytest.mark.property
@given(
    st.binary(max_size=300),
    ENCODINGS,
    st.sampled_from(["utf-8", "latin-1", "iso-2022-jp", "utf-16", "x", ""]),
)
def test_any_bytes_are_read(body: bytes, encoding: str, charset: str) -> None:
    """Bytes that fit no charset keep their places, and an edit of nothing changes nothing."""
    raw = mail(body, encoding=encoding, kind=f"text/html; charset={charset}")
    for part in text_parts(raw):
        assert spliced(raw, [(part, [])]) == raw
        if part.is_regular:
            assert spliced(raw, [(part, [Edit(0, 0, "")])]) == raw


@pytest.mark.parametrize(
    ("body", "old", "new", "expected"),
    [
        (b'<a href=3D"x=\r\ny">z</a>\r\n', "xy", "long", b'<a href=3D"long">z</a>\r\n'),
        (b"caf=e9 ab =3d\r\n", "ab", "cd", b"caf=e9 cd =3d\r\n"),
        (b"x" * 70 + b"ab cd\r\n", "ab", "abcdefgh", b"x" * 70 + b"abcde=\r\nfgh cd\r\n"),
        (b"ab" + b"x" * 72 + b"\r\n", "ab", "a" * 8, b"a" * 8 + b"=\r\n" + b"x" * 72 + b"\r\n"),
        (b"a b\r\n", "a b", "a \r\nb=é", b"a=20\r\nb=3D=C3=A9\r\n"),
    ],
)
def test_quoted_printable(body: bytes, old: str, new: str, expected: bytes) -> None:
    """Only the bytes under the edit change; lines stay within 76 characters, other escapes as they were."""
    raw = mail(body, encoding="quoted-printable").replace(b"\n", b"\r\n").replace(b"\r\r", b"\r")
    assert edited(raw, old, new).endswith(b"\r\n\r\n" + expected)


@pytest.mark.property
@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.text("abc=<é ", min_size=1)), max_size=5, unique_by=lambda e: e[0]
    )
)
def test_lines_of_quoted_printable_stay_short(places: list[tuple[int, str]]) -> None:
    """However many edits a body gets, no line is longer than 76 characters."""
    body = quopri.encodestring(("<p>" + "wörd = " * 20).encode()).replace(b"\n", b"\r\n")
    raw = mail(body, encoding="quoted-printable")
    (part,) = text_parts(raw)
    changed = spliced(raw, [(part, [Edit(at, at, new * 30) for at, new in sorted(places)])])
    assert [line for line in changed.splitlines() if len(line) > 76] == []


def test_base64_keeps_its_line_length() -> None:
    """A part in base64 is written in lines as long as before."""
    raw = mail(encoded("a" * 100 + "old" + "b" * 100, "base64", b"\r\n") + b"\r\n", encoding="base64")
    body = edited(raw, "old", "a new text").partition(b"\n\n")[2]
    assert {len(line) for line in body.split(b"\r\n")[:-2]} == {60}
    assert b"a new text" in binascii.a2b_base64(body)


def test_base64_with_uneven_lines_is_not_regular() -> None:
    """Where writing a part anew would not give its own bytes, it says so."""
    (part,) = text_parts(mail(b"YWJj\nYWJjYWJj\nYWJj\n", encoding="base64"))
    assert part.is_regular is False


def test_parts_of_a_nested_message() -> None:
    """Texts are found at any depth, and attachments are none."""
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content("plain é")
    message.add_alternative("<p>html é</p>", subtype="html", cte="base64")
    message.add_attachment("file", filename="a.txt")
    message.add_attachment(b"pdf", maintype="application", subtype="pdf", filename="a.pdf")
    parts = text_parts(message.as_bytes())
    assert [(p.content_type, p.text.strip()) for p in parts] == [
        ("text/plain", "plain é"),
        ("text/html", "<p>html é</p>"),
    ]


def test_two_parts_are_edited_at_once() -> None:
    """Offsets of one part do not move with the edits of another."""
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content("one two")
    message.add_alternative("<p>one two</p>", subtype="html", cte="base64")
    raw = message.as_bytes()
    changes = [(p, [Edit(p.text.index("one"), p.text.index("one") + 3, "three")]) for p in text_parts(raw)]
    after = message_from_bytes(spliced(raw, changes))
    assert [payload(p).strip() for p in after.walk() if not p.is_multipart()] == [
        b"three two",
        b"<p>three two</p>",
    ]


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "gb18030", "koi8-r"])
def test_charsets(charset: str) -> None:
    """Also where a character's bytes depend on those before, the text around an edit stays."""
    text = "\u0416 <a href='x'>" if charset == "koi8-r" else "\u65e5\u672c <a href='x'>\u65e5</a>"
    raw = mail(text.encode(charset), kind=f"text/html; charset={charset}")
    (part,) = text_parts(edited(raw, "'x'", "'yz'"))
    assert part.text == text.replace("'x'", "'yz'")


def test_utf16_is_left_alone() -> None:
    """RFC 2046 section 4.1.1 forbids it for text: its bytes are kept, and no tag is found in them."""
    raw = mail("<a href='x'>".encode("utf-16"), kind="text/html; charset=utf-16")
    (part,) = text_parts(raw)
    assert "<a" not in part.text
    assert spliced(raw, [(part, [Edit(0, 0, "")])]) == raw


def test_a_charset_of_the_page_itself() -> None:
    """Where no header names a charset, the page does."""
    raw = mail(b"<meta charset=koi8-r>\xd6", kind="text/html")
    assert text_parts(raw)[0].text.endswith("ж")


def test_what_a_charset_cannot_hold() -> None:
    """In HTML a reference stands in; in plain text it is an error that says what to do."""
    html = mail(b"<p>x</p>", kind="text/html; charset=us-ascii")
    assert edited(html, "x", "é").endswith(b"<p>&#233;</p>")
    plain = mail(b"x", kind="text/plain; charset=us-ascii")
    with pytest.raises(MessageError, match="UTF-8"):
        edited(plain, "x", "é")


def test_header_fields_are_found_with_their_folds() -> None:
    """A folded field is one field; what is behind the empty line is none."""
    raw = b"From: a\r\nSubject: b\r\n c\r\nnonsense\r\nX-Y: z\r\n\r\nTo: no\r\n"
    assert [(name, raw[a:b]) for name, a, b in fields(raw)] == [
        ("from", b"From: a\r\n"),
        ("subject", b"Subject: b\r\n c\r\n"),
        ("x-y", b"X-Y: z\r\n"),
    ]


@pytest.mark.parametrize("raw", [b"A: 1\n\nt", b"A: 1\r\n b\r\n\r\n", b"A: 1\n", b"A: 1", b"\nt", b""])
def test_a_header_is_added_and_taken_away(raw: bytes) -> None:
    """It stands behind the others, and without it the message is what it was."""
    more = with_header(raw, "X-New", "value")
    assert ("x-new", "value") in [
        (n, more[a:b].decode().partition(":")[2].strip()) for n, a, b in fields(more)
    ]
    assert without_header(more, "x-new").rstrip() == raw.rstrip()


@pytest.mark.parametrize("value", ["a\r\nBcc: b@example.org", "é", "a\0"])
def test_a_header_cannot_bring_another(value: str) -> None:
    """A value that would start another header, or is no ASCII, is refused."""
    with pytest.raises(ConfigurationError):
        with_header(b"A: 1\n\n", "X-New", value)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n--b",
        b"Content-Type: multipart/mixed\n\nx",
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 1000,
        b"Content-Type: multipart/mixed; boundary=b\n\n"
        + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 99,
    ],
)
def test_damaged_messages_have_fewer_parts(raw: bytes) -> None:
    """A message without structure, or with too much of it, is read within bounds."""
    parts = text_parts(raw)
    assert len(parts) <= 200
    assert all(part.start <= part.stop <= len(raw) for part in parts)


@pytest.mark.parametrize(
    "before", [b"", b"\n", b"one\n", b"x" * 70 + b"\n"], ids=["first", "blank", "short", "long"]
)
@pytest.mark.parametrize(
    ("column", "coded"), [(0, b"=C3=A9"), (69, b"=C3=A9"), (70, b"=C3=\n=A9"), (73, b"=C3=\n=A9")]
)
def test_a_line_is_broken_where_it_has_no_room(before: bytes, column: int, coded: bytes) -> None:
    """Columns are counted from the beginning of the line that is edited, wherever it stands."""
    raw = mail(before + b"y" * column + b"A\nend", encoding="quoted-printable")
    assert edited(raw, "A", "é") == raw.replace(b"A\nend", coded + b"\nend")


def test_a_line_that_begins_with_what_was_put_back_is_counted_from_there() -> None:
    """A line end among the bytes that are put back begins a line."""
    raw = mail(b"y" * 70 + b"AB" + b"z" * 69 + b"C\nend", encoding="quoted-printable")
    (part,) = text_parts(raw)
    places = [part.text.index(letter) for letter in "ABC"]
    back = [Edit(places[0], places[1] + 1, "", b"\n"), Edit(places[2], places[2] + 1, "é")]
    after = spliced(raw, [(part, back)])
    assert after.endswith(b"y" * 70 + b"\n" + b"z" * 69 + b"=C3=A9\nend")


def test_what_stands_behind_an_edit_is_broken_off_where_it_has_no_room() -> None:
    """Up to the end of its line, and no further."""
    long = b"x" * 76
    raw = mail(b"\n" + long, encoding="quoted-printable")
    (part,) = text_parts(raw)
    assert spliced(raw, [(part, [Edit(0, 0, "a")])]).endswith(b"\n\na\n" + long)
    assert spliced(raw, [(part, [Edit(0, 0, "a" * 74)])]).endswith(b"\n\n" + b"a" * 74 + b"\n" + long)
    raw = mail(b"A" + b"x" * 75 + b"\nend", encoding="quoted-printable")
    assert edited(raw, "A", "b").endswith(b"\n\nb" + b"x" * 75 + b"\nend")
    assert edited(raw, "A", "bc").endswith(b"\n\nbc=\n" + b"x" * 75 + b"\nend")
    last = mail(b"A" + b"x" * 71, encoding="quoted-printable")
    assert edited(last, "A", "b").endswith(b"\n\nb" + b"x" * 71)
    assert edited(last, "A", "bc").endswith(b"\n\nbc=\n" + b"x" * 71)


def test_a_blank_is_written_in_hexadecimal_at_the_end_of_a_line_alone() -> None:
    """There a relay may take it away (RFC 2045 section 6.7); before more text it stays."""
    raw = mail(b"one A two\n", encoding="quoted-printable")
    assert edited(raw, "A", "b c ").endswith(b"one b c  two\n")
    assert edited(raw, "A", "b \nc\t").endswith(b"one b=20\nc\t two\n")


def test_a_codec_that_is_no_charset_is_not_used() -> None:
    """Any bytes come back as they were."""
    raw = mail(b"<p>caf\xe9-</p>", kind="text/html; charset=punycode")
    (part,) = text_parts(raw)
    assert part.codec == "utf-8"
    assert edited(raw, "-", "+") == raw.replace(b"-</p>", b"+</p>")


def test_what_has_no_header_is_left_as_it_is() -> None:
    """There is nothing to edit in it, and no field of it is signed."""
    assert editable(b"no header at all") == b"no header at all"
    assert text_parts(b"no header at all") == ()
    assert list(fields(b"no header at all")) == []
    assert not is_signed(b"no header at all")


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        (b"Subject: x\nSubject: y\n\nHi", b"Subject: x\n\nHi"),
        (b"Received: 1 \nReceived: 2 \n\nHi", b"Received: 1 \nReceived: 2 \n\nHi"),
        (b"A: 1\nB: 2\n \n\nHi", b"A: 1\nB: 2\n\nHi"),
        (b"A: 1\n \nB: 2\n\nHi", b"A: 1\nB: 2\n\nHi"),
    ],
)
def test_only_what_has_another_form_is_brought_into_the_normal_one(raw: bytes, normal: bytes) -> None:
    """A field that must stand once, and a blank continuation; blanks at an end stay."""
    assert editable(raw) == normal


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("DKIM-Signature", True),
        ("DomainKey-Signature", True),
        ("ARC-Message-Signature", True),
        ("X-Sign", False),
    ],
)
def test_a_signature_of_the_body_is_known(name: str, *, is_one: bool) -> None:
    """By the name of its field."""
    assert is_signed(f"A: 1\n{name}: v=1\n\nx".encode()) is is_one


def test_fields_are_replaced_or_added() -> None:
    """Those of other names keep their bytes; without any, nothing changes."""
    raw = b"A: 1\n  2\nB: 3\n\nx"
    assert with_headers(raw, []) is raw
    assert with_headers(raw, [("b", "4"), ("C", "5")]) == b"A: 1\n  2\nb: 4\nC: 5\n\nx"


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ("Content-Type: text/plain", 1),
        ("Content-Type: nonsense", 1),
        ("Content-Type: text/html", 1),
        ("Content-Type: text/calendar", 0),
        ("Content-Disposition: attachment", 0),
        ("Content-Transfer-Encoding: x-uuencode", 0),
    ],
)
def test_the_texts_that_are_edited(fields: str, count: int) -> None:
    """Those that a reader sees, and that can be written again."""
    assert len(text_parts(f"Subject: x\n{fields}\n\nwords".encode())) == count


@pytest.mark.parametrize(
    ("body", "is_regular"),
    [
        (b"YWJj\nYWJj\n", True),
        (b"YWJj\r\nYWJj\r\n", True),
        (b"YWJj\r\nYWJj\nYWJj\n", False),
        (b"YWJj", True),
        (b"YWJj\n\n", True),
        (b"YWJj" * 19, True),
        (b"", True),
    ],
)
def test_a_part_in_base64_is_regular_where_it_is_written_so_again(body: bytes, *, is_regular: bool) -> None:
    """Lines of one length, and one kind of line end."""
    (part,) = text_parts(mail(body, encoding="base64"))
    assert part.is_regular is is_regular


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b"QQ==", b"QUE="),
        (b"QQ==\r\n", b"QUE=\r\n"),
        (b"QUFB" * 19, b"QUFB" * 19 + b"\nQQ=="),
        (b"QUFB" * 20, b"QUFB" * 20 + b"\nQQ=="),
        (b"QUFB\r\nQUFB", b"QUFB\r\nQUFB\r\nQQ=="),
    ],
)
def test_lines_of_base64_grow_to_the_width_that_they_have(body: bytes, after: bytes) -> None:
    """Of a part of one line, to the 76 characters of RFC 2045 section 6.8."""
    raw = mail(body, encoding="base64")
    (part,) = text_parts(raw)
    assert spliced(raw, [(part, [Edit(0, 0, "A")])]).partition(b"\n\n")[2] == after
