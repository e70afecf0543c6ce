"""Which parts of a message a reader sees, and what the view says of the others."""

from __future__ import annotations

import pickle

import pytest

from mailflows import Message
from mailflows._mail.reader import TEXT_LIMIT
from mailflows.message import Envelope

HEAD = "From: a@x.example\nSubject: s\nMIME-Version: 1.0\n"


def read(fields: str, body: str) -> Message:
    """Return the message with a body behind some fields."""
    return Message.read(f"{HEAD}{fields}\n{body}")


def several(*parts: str) -> Message:
    """Return the message of some parts."""
    return read(
        "Content-Type: multipart/mixed; boundary=b\n", "".join(f"--b\n{p}\n" for p in parts) + "--b--\n"
    )


@pytest.mark.parametrize(
    ("fields", "is_file"),
    [
        ("Content-Type: text/plain", False),
        ("Content-Type: text/plain; name=a.txt", True),
        ("Content-Disposition: attachment", True),
        ("Content-Disposition: inline", False),
        ("Content-Disposition: inline; filename=a.txt", True),
        ("Content-Type: application/pdf", True),
        ("Content-Type: image/png", True),
        ("Content-Type: multipart/mixed", False),
    ],
)
def test_a_part_is_a_file_or_a_text(fields: str, *, is_file: bool) -> None:
    """A reader sees a file where it has a name, is attached, or is no text."""
    (part,) = several(f"{fields}\n\nwords").parts
    assert part.is_attachment is is_file


def test_a_part_says_what_it_is() -> None:
    """Type and charset in lower case, the name without blanks, the bytes as transferred."""
    (part,) = several('Content-Type: Text/Plain; charset=UTF-8; name=" a.txt "\n\nwords').parts
    assert (part.content_type, part.charset, part.filename, part.size) == ("text/plain", "utf-8", "a.txt", 5)
    (part,) = several("Content-Type: a/b; name=a\nContent-Disposition: INLINE; filename=b\n\nwords").parts
    assert (part.disposition, part.filename) == ("inline", "b")


ATTACHED = "Content-Disposition: attachment\n\nattached"


def test_a_text_that_is_attached_is_read_where_there_is_no_other() -> None:
    """A reader opens it then; beside a text it is a file, and the defect says that."""
    alone = several(ATTACHED)
    assert (alone.text, alone.defects) == ("attached", ())
    beside = several("\nwords", ATTACHED)
    assert (beside.text, beside.defects) == ("words", ("text-attachment",))
    blank = several("\n \n", ATTACHED)
    assert (blank.text.split(), blank.defects) == (["attached"], ())
    paged = several("Content-Type: text/html\n\n<p>words</p>", ATTACHED)
    assert (paged.text, paged.defects) == ("", ("text-attachment",))


@pytest.mark.parametrize(
    ("part", "defects"),
    [
        ("Content-Type: text/calendar\n\nBEGIN", ("text-attachment",)),
        ("Content-Type: application/pgp-encrypted\n\nVersion: 1", ("encrypted",)),
        ("Content-Type: application/pkcs7-mime\n\nMIAG", ("encrypted",)),
        ("Content-Type: application/pdf\n\nPDF", ()),
    ],
)
def test_what_is_not_read_is_said(part: str, defects: tuple[str, ...]) -> None:
    """Text of programs and what is encrypted have a defect, a file has none."""
    message = several("\nwords", part)
    assert (message.text, message.defects) == ("words", defects)


def test_only_what_stands_right_in_an_encrypted_multipart_is_encrypted() -> None:
    """A part deeper within has a structure, so somebody can read it."""
    inner = "Content-Type: multipart/mixed; boundary=c\n\n--c\n\nwords\n--c--"
    sealed = read("Content-Type: multipart/encrypted; boundary=b\n", f"--b\n\nwords\n--b\n{inner}\n--b--\n")
    assert (sealed.text, sealed.defects) == ("words", ("encrypted",))


CODED = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n"


@pytest.mark.parametrize(
    ("body", "words", "defects"),
    [
        ("RnJvbTogYUB4LmV4YW1wbGUKCmhlbGxv", "hello", ("encoded-message",)),
        ("From: b@x.example\n\nhello", "", ("encoded-message",)),
        ("", "", ("encoded-message",)),
    ],
)
def test_an_encoded_message_within_a_message_is_told(body: str, words: str, defects: tuple[str, ...]) -> None:
    """RFC 2046 section 5.2.1 forbids it: some readers decode it, others do not."""
    message = read(CODED, body)
    assert (message.text, message.defects) == (words, defects)


def test_an_encoded_message_counts_for_the_budget() -> None:
    """What it shows is cut with all other text."""
    inner = "From: b@x.example\n\n" + "x" * (TEXT_LIMIT - 2)
    coded = "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n"
    message = several(coded + inner, "\n123")
    assert message.text == "x" * (TEXT_LIMIT - 2) + "\n12"


@pytest.mark.parametrize(
    ("text", "page", "body"),
    [
        ("words", "", "words"),
        (" words ", "", "words"),
        ("", "<p>page</p>", "page"),
        ("", "<p></p>", ""),
        ("1234567890123456", "<p>page</p>", "1234567890123456"),
        ("123456789012345", "<p>page</p>", "page"),
        ("   ", "<p>page</p>", "page"),
    ],
)
def test_the_body_is_what_a_reader_sees(text: str, page: str, body: str) -> None:
    """The page, unless the plain text is four times as long as what the page shows."""
    parts = [f"\n{text}", f"Content-Type: text/html\n\n{page}"]
    message = several(*parts[: 1 + bool(page)])
    assert message.body.strip() == body


def test_a_copy_differs_in_what_was_given() -> None:
    """And in all that is worked out from it; the original stays."""
    message = Message.read("From: a@x.example\nTo: b@x.example\nSubject: s\n\nwords")
    assert message.recipients[0].address == "b@x.example"
    copy = message.replace(headers=[("from", "c@x.example"), ("to", "d@x.example")], text="other")
    assert (copy.sender.address, copy.recipients[0].address, copy.text) == (
        "c@x.example",
        "d@x.example",
        "other",
    )
    assert (message.sender.address, message.text) == ("a@x.example", "words")
    assert message.replace(text="").text == ""
    assert Message.read(message) is message
    assert Message.read(message, envelope=Envelope("x@x.example")).envelope == Envelope("x@x.example")
    assert message.envelope is None


def test_a_message_is_looked_at_by_name() -> None:
    """In any case; the first of several, or all of them."""
    message = Message.read("Received: one\nRECEIVED: two\nSubject: s\n\nwords")
    assert (message.get("rEceived"), message.get_all("ReceiveD")) == ("one", ("one", "two"))
    assert (message.get("to"), message.get("to", "nobody")) == ("", "nobody")
    assert ("received" in message, "SUBJECT" in message, "to" in message) == (True, True, False)
    assert repr(message) == "<Message 's', 45 bytes, 1 part>"
    with pytest.raises(AttributeError, match="is read-only"):
        message.text = "other"
    again = pickle.loads(pickle.dumps(message))
    assert (again.headers, again.text, again.body) == (message.headers, message.text, message.body)


def test_recipients_are_all_that_are_named_once() -> None:
    """Of To, Cc and Bcc, in this order; what is not sure is left out."""
    message = Message.read(
        "Bcc: d@x.example\nCc: c@x.example, B@x.example\nTo: b@x.example, who a@x.example\nSubject: s\n\nx"
    )
    assert [box.address for box in message.recipients] == ["b@x.example", "c@x.example", "d@x.example"]
