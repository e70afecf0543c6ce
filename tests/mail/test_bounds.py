"""Where the splitter and the reader stop, and that the quick ways give what the slow ones do."""

from __future__ import annotations

from base64 import b64encode
from itertools import product

import pytest

from mailflows import Message, MessageError
from mailflows._mail import structure
from mailflows._mail.reader import SIZE_LIMIT, TEXT_LIMIT, Raw, Reader, is_attached, read_raw

HEAD = "From: a@x.example\nSubject: s\nMIME-Version: 1.0\n"


def read(fields: str, body: str | bytes) -> Message:
    """Return the message with a body behind some fields."""
    return Message.read(f"{HEAD}{fields}\n".encode() + (body.encode() if isinstance(body, str) else body))


ENDS = (b"\n", b"\r\n")


@pytest.mark.parametrize("ends", list(product(ENDS, repeat=4)))
@pytest.mark.parametrize("middle", [b"B:  2 ", b" b\t", b"\tb", b"C:"])
def test_both_kinds_of_line_ends_are_split_alike(ends: tuple[bytes, ...], middle: bytes) -> None:
    """Any mixture of them gives the fields and the body that a walk over the lines finds."""
    one, two, three, four = ends
    raw = b"A: 1" + one + middle + two + three + b"body" + four + b"\n\r\n\nend"
    quick, slow = structure.head(raw), structure._slowly(raw, 0, len(raw), [])
    assert quick.rows is not None
    assert quick.body == slow.body == raw.index(b"body")
    assert quick.fields == slow.fields
    assert structure.values_of(quick, print) == structure.values_of(slow, print)
    assert structure.newline_of(raw) == one


@pytest.mark.parametrize(
    ("raw", "body", "defects"),
    [
        (b"A: 1\nB: 2", 9, []),
        (b"A: 1\n", 5, []),
        (b"A: 1\n\n", 6, []),
        (b"A: 1\n\nb", 6, []),
        (b"A: 1\nno field\n\nb", 15, ["bad-header-line"]),
        (b"A: 1\nno field\nnor this\nB: 2\n\nb", 29, ["bad-header-line"]),
        (b"A: 1\nno field\nB: 2", 5, ["no-blank-line"]),
        (b"A: 1\n--mark\nB: 2\n\nb", 5, ["no-blank-line"]),
        (b"From x\nA: 1\n\nb", 13, ["mbox-line"]),
        (b">From x\nA: 1\n\nb", 14, ["mbox-line"]),
        (b"\n \nA: 1\n\nb", 9, ["leading-blank-line"]),
        (b"text\nFrom x\nA: 1\n\nb", 18, ["text-before-headers"]),
    ],
)
def test_a_header_ends_where_a_body_begins(raw: bytes, body: int, defects: list[str]) -> None:
    """At a blank line, or where nothing looks like a field any more."""
    found = structure.head(raw)
    assert (found.body, found.defects) == (body, defects)


@pytest.mark.parametrize(("lines", "is_read"), [(19, True), (20, False)])
def test_a_header_begins_near_the_start(lines: int, *, is_read: bool) -> None:
    """Twenty lines are looked at, the field among them."""
    raw = b"text\n" * lines + b"A: 1\n\nb"
    if is_read:
        assert [field.name for field in structure.head(raw).fields] == ["a"]
    else:
        with pytest.raises(MessageError):
            structure.head(raw)


@pytest.mark.parametrize("is_quick", [True, False])
@pytest.mark.parametrize(("over", "is_long"), [(0, False), (1, True)])
def test_a_header_has_a_length(over: int, *, is_long: bool, is_quick: bool) -> None:
    """A quarter of a MiB is read, to the byte; of a longer one, the fields that end before."""
    first = b"A: 1\n" if is_quick else b"A: \xe9\n"
    size = structure.HEADER_LIMIT - len(first) - len(b"B: ")
    raw = first + b"B: " + b"x" * (size + over) + b"\n\nbody"
    found = structure.head(raw)
    assert [field.name for field in found.fields] == (["a"] if is_long else ["a", "b"])
    assert found.defects == (["long-headers"] if is_long else [])
    assert raw[found.body :] == b"body"


@pytest.mark.parametrize("first", ["A: 1", "no field"], ids=["quick", "slow"])
@pytest.mark.parametrize(("over", "is_many"), [(0, False), (1, True)])
def test_a_header_has_a_number_of_fields(first: str, over: int, *, is_many: bool) -> None:
    """Two thousand; the rest is not read, and the body still begins behind it."""
    count = structure.MAX_FIELDS - (first == "A: 1") + over
    raw = "".join([f"{first}\n", "B: 2\n" * count, "\nbody"]).encode()
    found = structure.head(raw)
    assert len(found.fields) == structure.MAX_FIELDS
    assert ("many-headers" in found.defects) is is_many
    assert raw[found.body :] == b"body"


def parts_of(*parts: str, newline: str = "\n", end: str = "--b--\n") -> tuple[list[str], list[str]]:
    """Return the texts of the parts of a multipart, and the defects."""
    pieces = "".join(f"--b\n{part}" for part in parts)
    raw = f"{HEAD}Content-Type: multipart/mixed; boundary=b\n\n{pieces}{end}".replace("\n", newline).encode()
    message = Message.read(raw)
    headers = {"content-type": "multipart/mixed; boundary=b"}
    found = structure.head(raw)
    leaves = structure.leaves(raw, headers, found.body, len(raw), lambda _: None)
    return [raw[leaf.start : leaf.stop].decode() for leaf in leaves], list(message.defects)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_line_end_before_a_boundary_is_the_boundarys(newline: str) -> None:
    """A part may end without one, with one, or be empty (RFC 2046 section 5.1.1)."""
    found, defects = parts_of("\none\n", "\ntwo\n\n", "\n", "", newline=newline)
    assert found == ["one", f"two{newline}", "", ""]
    assert defects == []


def test_a_boundary_stands_at_the_beginning_of_a_line() -> None:
    """Elsewhere, or with more behind it, it is text; blanks behind it are nothing."""
    assert parts_of("\none --b\ntwo\n")[0] == ["one --b\ntwo"]
    assert parts_of("\none\n--bb\ntwo\n")[0] == ["one\n--bb\ntwo"]
    assert parts_of("\none\n", end="--b  \t\n\ntwo\n--b--\n")[0] == ["one", "two"]
    assert parts_of("\none\n", end="--b--\n\ntwo\n--b\n\nthree\n")[0] == ["one"]


def test_a_missing_end_is_said() -> None:
    """The last part goes to the end then."""
    assert parts_of("\none\n", end="") == (["one\n"], ["missing-end-boundary"])


@pytest.mark.parametrize(("over", "is_many"), [(0, False), (1, True)])
def test_a_message_has_a_number_of_parts(over: int, *, is_many: bool) -> None:
    """Two hundred are read, one more is said."""
    found, defects = parts_of(*["\nx\n"] * (structure.MAX_PARTS + over))
    assert len(found) == structure.MAX_PARTS
    assert ("many-parts" in defects) is is_many


def test_parts_of_several_levels_are_counted_together() -> None:
    """Those that wait, as those that were read."""
    inner = "Content-Type: multipart/mixed; boundary=c\n\n" + "--c\n\nx\n" * 150 + "--c--\n"
    found, defects = parts_of(inner, inner, "\nlast\n")
    assert (len(found), found[-1]) == (structure.MAX_PARTS, "last")
    assert "many-parts" in defects


def _nested(depth: int) -> str:
    text = "\nthe words"
    for number in range(depth):
        text = f"Content-Type: multipart/mixed; boundary=m{number}\n\n--m{number}\n{text}\n--m{number}--\n"
    return text


@pytest.mark.parametrize(("over", "is_deep"), [(0, False), (1, True)])
def test_a_message_has_a_depth(over: int, *, is_deep: bool) -> None:
    """Twenty levels are read, one more is said."""
    message = Message.read(f"From: a@x.example\nSubject: s\n{_nested(structure.MAX_DEPTH + over)}".encode())
    assert ("deep-nesting" in message.defects) is is_deep
    assert ("the words" in message.text) is not is_deep


INNER = "From: b@x.example\nSubject: inner\n\nwithin"


@pytest.mark.parametrize(
    ("fields", "is_shown"),
    [
        ("", True),
        ("Content-Disposition: inline\n", True),
        ("Content-Disposition: attachment\n", False),
        ("Content-Transfer-Encoding: 8bit\n", True),
    ],
)
def test_a_message_within_a_message_is_shown_with_it(fields: str, *, is_shown: bool) -> None:
    """Unless it is attached as a file."""
    message = read(f"Content-Type: message/rfc822\n{fields}", INNER)
    assert (message.text == "within") is is_shown
    assert message.defects == ()


def test_a_message_that_was_returned_may_stay_whole() -> None:
    """Whoever asks for it gets the leaf, and not what it holds."""
    reader = Reader(Raw(f"{HEAD}Content-Type: message/rfc822\n\n{INNER}".encode()))
    headers, body = reader.header()
    kept = list(reader.leaves(dict(headers), body, keep={"message/rfc822"}))
    assert [leaf.kind for leaf in kept] == ["message/rfc822"]
    assert [leaf.within for leaf in reader.leaves(dict(headers), body)] == [("message/rfc822",)]


@pytest.mark.parametrize(("over", "is_cut"), [(0, False), (1, True)])
@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable"])
def test_a_budget_of_text_is_used_to_the_last_byte(encoding: str, over: int, *, is_cut: bool) -> None:
    """In any encoding, and by all parts together."""
    one, two = b"x" * 1000, b"y" * (TEXT_LIMIT - 1000 + over)
    bodies = [b64encode(body) if encoding == "base64" else body for body in (one, two)]
    parts = b"".join(
        b"--b\nContent-Transfer-Encoding: %s\n\n%s\n" % (encoding.encode(), body) for body in bodies
    )
    message = read("Content-Type: multipart/mixed; boundary=b\n", parts + b"--b--\n")
    assert len(message.text) == TEXT_LIMIT + len("\n")
    assert message.text.startswith("x" * 1000 + "\n" + "y" * 1000)
    assert message.defects == (("long-text",) if is_cut else ())


def test_a_long_body_is_not_decoded_whole() -> None:
    """What is transferred is cut before it is decoded, and the text is as long as the budget."""
    text = b"=41" * (TEXT_LIMIT + 1)
    message = read("Content-Transfer-Encoding: quoted-printable\n", text)
    assert message.text == "A" * TEXT_LIMIT
    assert message.defects == ("long-text",)
    message = read("Content-Transfer-Encoding: base64\n", b64encode(b"A" * 2 * TEXT_LIMIT))
    assert message.text == "A" * TEXT_LIMIT


@pytest.mark.parametrize(
    ("lost", "kept", "is_noted"),
    [(10, 0, False), (11, 98, True), (11, 99, False), (13, 116, True), (13, 117, False)],
)
def test_a_text_is_lost_with_one_letter_in_ten(lost: int, kept: int, *, is_noted: bool) -> None:
    """Ten may be lost in any; beyond that, a tenth."""
    message = read("Content-Type: text/plain; charset=utf-8\n", "x" * kept + "\ufffd" * lost)
    assert ("undecodable-text" in message.defects) is is_noted


@pytest.mark.parametrize(
    ("body", "is_bad"),
    [
        ("!" * 37 + "QUJD", True),
        ("!" * 36 + "QUJD", False),
        ("QUJD", False),
        ("QUJD" * 20 + "!" * 101, True),
        ("QUJD" * 20 + "!" * 100, False),
        ("QQ==QUJD", True),
        ("QQ==", False),
    ],
)
def test_base64_that_is_mostly_none_is_noted(body: str, *, is_bad: bool) -> None:
    """More than a line of it, of which less than a third is text; or text behind the padding."""
    message = read("Content-Transfer-Encoding: base64\n", body)
    assert ("bad-base64" in message.defects) is is_bad


@pytest.mark.parametrize(("over", "is_long"), [(0, False), (1, True)])
def test_a_message_has_a_size(over: int, *, is_long: bool) -> None:
    """Sixty-four MiB are read; the size that is told is the whole one."""
    raw = HEAD.encode() + b"\n"
    raw += b"x" * (SIZE_LIMIT - len(raw) + over)
    reader = Reader(Raw(raw))
    assert ("long-message" in reader.defects) is is_long
    assert (reader.size, len(reader.raw)) == (SIZE_LIMIT + over, SIZE_LIMIT)


@pytest.mark.parametrize("blanks", [39, 40, 41, 1000])
def test_what_begins_with_blanks_is_no_empty_input(blanks: int) -> None:
    """However many there are; nothing but blanks is empty."""
    assert Message.read(b" " * blanks + b"\nSubject: s\n\nHello").subject == "s"
    with pytest.raises(MessageError, match="empty input"):
        Message.read(b" " * blanks)


@pytest.mark.parametrize(
    ("kind", "is_shown"),
    [
        ("text/plain", True),
        ("text/unheard-of", True),
        ("nonsense", True),
        ("text/calendar", False),
        ("application/pdf", False),
        ("application/xhtml+xml", True),
    ],
)
def test_the_types_that_are_shown(kind: str, *, is_shown: bool) -> None:
    """Text of an unknown kind is plain; invitations and files are no text of the message."""
    message = read(f"Content-Type: {kind}\n", "words")
    assert (message.body == "words") is is_shown


@pytest.mark.parametrize("body", ["a\rb\r", "a\r\nb\r\n", "a\nb\n"])
def test_lines_of_a_text_end_alike(body: str) -> None:
    """Whatever they ended with, also inside an encoding."""
    coded = b64encode(body.encode())
    assert read("Content-Transfer-Encoding: base64\n", coded).text == "a\nb\n"
    assert read("", body).text == "a\nb\n"


@pytest.mark.parametrize(
    ("values", "found", "defects"),
    [
        (("Subject: 1", "Subject: 2"), {"subject": "1"}, ("repeated-header:subject",)),
        (
            ("To: a@x.example", "To: b@x.example"),
            {"to": "a@x.example, b@x.example"},
            ("repeated-header:to",),
        ),
        (("To: a@x.example", "To:"), {"to": "a@x.example"}, ("repeated-header:to",)),
        (("Received: 1", "Received: 2"), {"received": "1"}, ()),
    ],
)
def test_a_field_that_stands_once_stands_once(
    values: tuple[str, ...], found: dict[str, str], defects: tuple[str, ...]
) -> None:
    """The first counts, and lists of addresses are joined; others may stand as often as they like."""
    message = Message.read("\n".join(("X-First: 1", *values, "X-Last: 2", "", "Hello")))
    assert {name: message.get(name) for name in found} == found
    assert message.defects == defects
    assert [name for name, _ in message.headers if name not in found] == ["x-first", "x-last"]
    assert len(message.get_all("received")) in {0, 2}


def test_a_refusal_names_what_was_found() -> None:
    """Three names at most, cut where they are long, and what to do."""
    with pytest.raises(MessageError, match=r"only '(?:y{40})', 'b', 'c'$"):
        Message.read(f"{'y' * 41}: 1\nb: 2\nc: 3\nd: 4\n\nHello")
    with pytest.raises(MessageError, match=r"pathlib\.Path"):
        Message.read("message.eml")
    with pytest.raises(MessageError, match="no header line was found") as caught:
        Message.read("message.eml\nother.eml\n")
    assert "pathlib" not in str(caught.value)
    with pytest.raises(MessageError, match="lint_html"):
        Message.read("\n <html><p>Hello</p></html>")
    assert Message.read("X-Own: 1\n\nHello").get("x-own") == "1"


@pytest.mark.parametrize(("blanks", "is_told"), [(255, True), (256, False)])
def test_a_page_is_told_by_its_beginning(blanks: int, *, is_told: bool) -> None:
    """It stands among the first letters."""
    with pytest.raises(MessageError) as caught:
        Message.read(b" " * blanks + b"<p>")
    assert ("lint_html" in str(caught.value)) is is_told


def test_a_part_is_kept_as_a_file_or_shown() -> None:
    """By what it says of itself (RFC 2183 section 2.2)."""
    for disposition, is_kept in (("attachment; filename=a", True), ("inline", False), ("", False)):
        leaf = structure.Leaf("text/plain", {}, {"content-disposition": disposition}, 0, 0, ())
        assert is_attached(leaf) is is_kept


def test_anything_that_holds_bytes_is_read() -> None:
    """Views, buffers, and what reads as either."""
    raw = b"Subject: s\n\nHello"
    for source in (raw, bytearray(raw), memoryview(raw)):
        assert read_raw(source) == Raw(raw)
    assert read_raw("Subject: é\n\n").is_text
    assert not read_raw(raw).is_text
    with pytest.raises(MessageError, match="cannot read a message from int"):
        read_raw(3)
