"""One splitter: what is read is what is handed over, in any form that a message may have."""

from __future__ import annotations

import email
import email.policy
import json
import random

import pytest

from growth import MOST, growth
from mailflows._mail import structure
from mailflows._mail.edit import editable
from mailflows._mail.handover import wire_form
from mailflows.content import fix
from mailflows.errors import MessageError
from mailflows.message import Message
from mailflows.testing import FixedClock
from shared_cases import cases

PLAIN = (
    b"From: Oak <no-reply@oak.example>\nTo: ada@lovelace.example\nSubject: Your code\n"
    b"Bcc: hidden@secret.example\n\nThe code is 4711.\n"
)
FORMS = {
    "ordinary": PLAIN,
    "crcrlf": PLAIN.replace(b"\n", b"\r\r\n"),
    "carriage returns": PLAIN.replace(b"\n", b"\r"),
    "byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "blank lines in front": b"\n\r\n" + PLAIN,
    "a line of text in front": b"hello there\n" + PLAIN,
    "mbox": b"From oak Sat Nov 28 20:00:00 2026\n" + PLAIN,
    "a line that is no field": PLAIN.replace(b"Bcc", b"no field here\nBcc"),
    "a blank before the colon": PLAIN.replace(b"Bcc:", b"Bcc :"),
    "NUL in a name": PLAIN.replace(b"Bcc:", b"Bcc\0:"),
    "Bcc behind a bare CR": PLAIN.replace(b"\nBcc", b"\rBcc"),
    "a blank continuation": PLAIN.replace(b"\nBcc", b"\n \nBcc"),
    "a second subject": PLAIN.replace(b"Bcc", b"Subject: another\nBcc"),
}


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


def agree(raw: bytes) -> None:
    """Compare what we read of a message with what the standard library reads of what is handed over."""
    seen, wire = Message.read(raw), wire_form(raw)
    for policy in (email.policy.compat32, email.policy.SMTP):
        read = email.message_from_bytes(wire, policy=policy)
        assert not {"bcc", "resent-bcc", "x-mailflows-flow"} & {name.lower() for name in read.keys()}  # noqa: SIM118
        # The modern policy writes a broken address anew; the words of Subject it leaves.
        for name in ("from", "to", "subject") if policy is email.policy.compat32 else ("subject",):
            assert words(str(read[name] or "")) == words(seen.get(name)), name
        if not read.is_multipart():
            text = read.get_payload(decode=True)
            assert isinstance(text, bytes)
            assert words(text.decode("latin-1")) == words(seen.text or seen.html)


@pytest.mark.parametrize("raw", FORMS.values(), ids=FORMS)
def test_what_is_read_is_what_is_handed_over(raw: bytes) -> None:
    """Whatever form a message has, the standard library reads in what leaves what we have read."""
    agree(raw)
    assert b"secret.example" not in wire_form(raw)


def test_ordinary_mail_has_no_defect() -> None:
    """A defect is told for the odd forms only."""
    assert Message.read(FORMS["ordinary"]).defects == ()
    odd = [name for name, raw in FORMS.items() if not Message.read(raw).defects]
    assert odd == ["ordinary", "a blank before the colon", "a blank continuation"]


@pytest.mark.parametrize("mark", [b"\x0b", b"\x0c", b"\x85", "\x85".encode(), "\u2028".encode()])
def test_what_some_readers_take_for_a_line_end_is_not_handed_over(mark: bytes) -> None:
    """A field that some readers would cut in two is refused."""
    raw = PLAIN.replace(b"Your code", b"Your code" + mark + b"Bcc: hidden@secret.example")
    assert "line-ends-in-headers" in Message.read(raw).defects
    with pytest.raises(MessageError, match="line end"):
        wire_form(raw)


@pytest.mark.parametrize("mark", [b"\x01", b"\x1b", b"\x7f", "\x9b".encode()])
def test_another_control_character_is_a_blank(mark: bytes) -> None:
    """What is read and what is sent have a blank in its place, and so has what is edited."""
    raw = PLAIN.replace(b"Your code", b"Your" + mark + b"code")
    agree(raw)
    assert "control-characters-in-headers" in Message.read(raw).defects
    assert mark not in wire_form(raw)
    assert mark not in editable(raw)


def test_an_encoded_message_is_read_where_all_readers_see_the_same() -> None:
    """Words that only a reader that decodes shows are told as unread."""
    head = (
        b"From: a@oak.example\nContent-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n"
    )
    same = Message.read(head + PLAIN)
    assert (same.text, same.unread) == ("The code is 4711.", ())
    assert Message.read(head + PLAIN.replace(b"The", b"=54he")).unread == ("encoded-message",)


def test_damaged_messages_are_read_alike_or_refused() -> None:
    """Bytes are cut, doubled, swapped and put in: no Bcc is handed over, and both readers agree."""
    chance = random.Random(11)
    pieces = [
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b" ",
        b":",
        b"\nBcc: x@secret.example\n",
        b"\0",
        b"\t",
        b"--b1\n",
        b"a",
    ]
    for _ in range(3000):
        raw = bytearray(chance.choice(list(FORMS.values())))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(raw))
            raw[place : place + chance.choice((0, 0, 1, 7))] = chance.choice(pieces)
        try:
            agree(bytes(raw))
        except MessageError:
            continue


def test_the_quick_way_and_the_slow_one_find_the_same_fields() -> None:
    """A header that is split at once has the fields that a walk over its lines finds."""
    raw = b"A: 1\r\nB:\r\n  2\r\n\t3\r\nContent-Type: text/plain;\r\n charset=x\r\n\r\nbody"
    quick = structure.head(raw)
    slow = structure._slowly(raw, 0, len(raw), [])
    assert quick.rows is not None
    assert (quick.fields, quick.body) == (slow.fields, slow.body)


def test_outside_forms() -> None:
    """The odd forms of the outside cases are read alike, or refused; ordinary ones are never refused."""
    for row in map(json.loads, cases("message-2/forms.jsonl").splitlines()):
        raw = row["message"].encode("latin-1")
        try:
            wire = wire_form(raw)
        except MessageError:
            assert not row["must_go"], row["id"]
            continue
        assert b"secret.example" not in wire, row["id"]
        assert email.message_from_bytes(wire)["Subject"].split() == Message.read(raw).subject.split()


@pytest.mark.parametrize("unit", [b"(", b'"', b"a@b.example,", b"<", b"\n x", b"a:\n", b"=?utf-8?q?a?= "])
def test_floods_take_linear_time(unit: bytes) -> None:
    """Four times as much in From takes about four times as long."""

    def flooded(size: int) -> bytes:
        return b"To: a@b.example\nFrom: " + unit * (size // len(unit)) + b"\n\nHi"

    def read(raw: bytes) -> object:
        message = Message.read(raw)
        return message.sender, message.recipients

    assert growth(flooded, read, 240_000) < MOST


@pytest.mark.parametrize("size", [structure._STEP - 1, structure._STEP, structure._STEP + 1])
def test_a_line_end_on_the_edge_of_a_step_is_whole(size: int) -> None:
    """A long message is looked at in steps, and none of them parts CR from LF."""
    body = b"x" * (size - 1) + b"\r\n" + b"y" * 10
    assert structure.normal(body)[1] == ()
    assert structure.normal(body + b"\rz")[1] == ("bare-cr",)


@pytest.mark.parametrize("line", [b"Summer sale, all for half", b"Sale : all-for-half"])
def test_a_line_that_some_readers_show_is_told(line: bytes) -> None:
    """The standard library begins the text of a part at a line that is no field."""
    raw = PLAIN.replace(
        b"\n\n", b"\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-ID: <a>\n" + line + b"\n\n", 1
    )
    assert "bad-part-header" in Message.read(raw + b"\n--b--\n").defects


@pytest.mark.parametrize("mark", [b"DKIM-Signature: v=1; d=oak.example; s=a; b=AAAA\n", b""])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_signed_keeps_its_bytes(form: str, mark: bytes) -> None:
    """A repair leaves a message with a DKIM signature, and a part that is signed, byte for byte."""
    page = b"<p onclick=x()>Hello <img src=x.gif width=1 height=1></p>"
    signed = (
        b"Content-Type: multipart/signed; boundary=s\n\n--s\nContent-Type: text/html\n\n" + page
        + b"\n--s\nContent-Type: application/pgp-signature\n\nAAAA\n--s--\n"
    )  # fmt: skip
    raw = FORMS[form].replace(b"From: Oak", mark + b"From: Oak", 1)
    if not mark:
        raw = PLAIN[: PLAIN.index(b"\n\n") + 1] + signed
    result = fix(raw, flow="transactional", clock=FixedClock())
    if mark:
        assert result.data == raw
    else:
        assert signed[signed.index(b"--s") :] in result.data
    assert result.skipped
