"""Reading messages: as people, tools and servers write them, and as attackers do."""

from __future__ import annotations

import base64
import copy
import email
import email.headerregistry
import io
import mailbox
import os
import pickle
import random
import unicodedata
from email import policy
from email.message import EmailMessage
from email.message import Message as StdlibMessage
from email.mime.multipart import MIMEMultipart
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hostile
from mailflows._mail.reader import TEXT_LIMIT
from mailflows._mail.structure import MAX_DEPTH, MAX_PARTS
from mailflows.errors import MessageError
from mailflows.message import Envelope, Message, addresses


def read(*headers: str, body: str = "Hello") -> Message:
    """Read a message with these header lines and this body."""
    return Message.read("\n".join(headers).encode() + b"\n\n" + body.encode())


def part(content: str, *headers: str) -> str:
    """Return a part of the multipart whose boundary is "x"."""
    return "--x\n" + "".join(f"{h}\n" for h in headers) + "\n" + content + "\n"


def multipart(*parts: str, end: str = "--x--\n") -> Message:
    """Read a multipart message of these parts."""
    return read("From: a@b.example", "Content-Type: multipart/mixed; boundary=x", body="".join(parts) + end)


# What can be read ---------------------------------------------------------------------------------

RAW = b"From: Ada <ada@lovelace.uk>\r\nSubject: Engine\r\n\r\nDear Charles,\r\n"


class TestSources:
    """Anything that holds a message can be read, and gives the same view."""

    @pytest.mark.parametrize(
        "source",
        [
            RAW,
            bytearray(RAW),
            memoryview(RAW),
            RAW.decode(),
            io.BytesIO(RAW),
            io.StringIO(RAW.decode()),
            email.message_from_bytes(RAW),
            email.message_from_bytes(RAW, policy=policy.default),
            mailbox.mboxMessage(RAW),
        ],
        ids=lambda source: type(source).__name__,
    )
    def test_every_kind_gives_the_same(self, source: Any) -> None:
        """Bytes, text, files and message objects lead to the same subject, sender and text."""
        message = Message.read(source)
        assert message.subject == "Engine"
        assert message.sender.address == "ada@lovelace.uk"
        assert message.body.strip() == "Dear Charles,"

    def test_path(self, tmp_path: Path) -> None:
        """A path must be a file."""
        path = tmp_path / "a.eml"
        path.write_bytes(RAW)
        assert Message.read(path).subject == "Engine"

    def test_message_is_returned_as_it_is(self) -> None:
        """A message that was read already is not read again."""
        message = Message.read(RAW)
        assert Message.read(message) is message

    def test_envelope_is_added(self) -> None:
        """An envelope can be added to a message that was read before."""
        envelope = Envelope("bounce@shop.example", ("ada@lovelace.uk",))
        message = Message.read(RAW)
        assert Message.read(message, envelope=envelope).envelope == envelope
        assert message.envelope is None

    def test_text_is_not_decoded_twice(self) -> None:
        """A str holds characters: the charset that it declares for its bytes no longer counts."""
        text = "Subject: a\nContent-Type: text/plain; charset=iso-8859-1\n\ncafé"
        assert Message.read(text).text == "café"

    def test_surrogates_are_bytes_again(self) -> None:
        """What Python read with surrogateescape is decoded as the message says."""
        raw = b"Subject: a\nContent-Type: text/plain; charset=iso-8859-1\n\ncaf\xe9"
        text = raw.decode("ascii", "surrogateescape")
        assert Message.read(text).text == "café"

    def test_lone_surrogate(self) -> None:
        """A surrogate that is no byte does not raise."""
        assert Message.read("Subject: a\ud800b\n\nHello").text == "Hello"

    def test_a_message_does_not_change(self) -> None:
        """Nothing of a message can be set."""
        message = Message.read(RAW)
        with pytest.raises(AttributeError, match="'text'"):
            message.text = "other"

    def test_copies(self) -> None:
        """A message can be pickled for another process, and copied."""
        message = Message.read(RAW)
        for other in (pickle.loads(pickle.dumps(message)), copy.deepcopy(message)):
            assert other.headers == message.headers
            assert other.document.text == ""

    def test_replace(self) -> None:
        """Other headers or another text make another message."""
        message = Message.read(RAW).replace(headers=[("subject", "Loom")], text="Bye")
        assert (message.subject, message.text, message.sender.address) == ("Loom", "Bye", "")

    def test_replace_forgets_what_it_read(self) -> None:
        """Sender and recipients of the copy are those of its own headers."""
        message = read("From: a@b.uk", "To: c@d.uk")
        assert (message.sender.address, len(message.recipients)) == ("a@b.uk", 1)
        other = message.replace(headers=[("from", "e@f.uk")])
        assert (other.sender.address, other.recipients) == ("e@f.uk", ())

    def test_repr_is_short(self) -> None:
        """The repr names subject, size and parts, and no more."""
        assert repr(Message.read(RAW)) == f"<Message 'Engine', {len(RAW)} bytes, 1 part>"


class TestRefusals:
    """What is no message is refused in a sentence that says what to do."""

    @pytest.mark.parametrize("source", [b"", b" \r\n\t\n", "", io.BytesIO(b"")])
    def test_empty(self, source: Any) -> None:
        """Nothing, or only white space, is no message."""
        with pytest.raises(MessageError, match="empty input") as caught:
            Message.read(source)
        assert caught.value.position == 0

    @pytest.mark.parametrize(
        "raw",
        [
            b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Type/Catalog>>\nendobj\nstream\n",
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
            b"PK\x03\x04\x14\x00\x06\x00",
            b'{"from": "ada@lovelace.uk", "subject": "Engine"}\n',
            b"<!DOCTYPE html>\n<html>\n<body style='a: b'>\nHello\n",
            b"import os\n\ndef main():\n    pass\n",
            b"---\ntitle: A page\nlayout: post\n---\nHello\n",
            b"Dear Charles,\nplease note: the engine runs.\n\nAda\n",
            b"C:\\mail\\message.eml",
            b"\xff\xfeF\x00r\x00o\x00m\x00:\x00",
            b"BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n",
            b"\n\n\n\n",
        ],
        ids="pdf png zip json html python yaml letter path utf-16 calendar blank".split(),
    )
    def test_other_files(self, raw: bytes) -> None:
        """A PDF, a picture, JSON, a page, a program or a letter is not taken for a message."""
        with pytest.raises(MessageError) as caught:
            Message.read(raw)
        assert caught.value.position is not None

    def test_a_name_of_a_file(self) -> None:
        """A str is a message, never a path; the error says so."""
        for name in ("messages/engine.eml", "C:\\messages\\engine.eml"):
            with pytest.raises(MessageError, match=r"pathlib\.Path"):
                Message.read(name)

    @pytest.mark.parametrize("source", ["<p>Hello</p>", b"\n<style>p { color: red }</style>\n"])
    def test_a_page_is_told_from_a_message(self, source: str | bytes) -> None:
        """Whoever passes a template is told what takes one."""
        with pytest.raises(MessageError, match="fix_html"):
            Message.read(source)

    @pytest.mark.parametrize("source", [None, 5, ["From: a"], object()])
    def test_other_types(self, source: Any) -> None:
        """A type that holds no message is named."""
        with pytest.raises(MessageError, match=type(source).__name__):
            Message.read(source)

    def test_missing_file(self, tmp_path: Path) -> None:
        """A file that is not there is named, with the system's reason, and the cause is kept."""
        with pytest.raises(MessageError, match=r"nowhere\.eml: No such file") as caught:
            Message.read(tmp_path / "nowhere.eml")
        assert isinstance(caught.value.__cause__, FileNotFoundError)

    def test_directory(self, tmp_path: Path) -> None:
        """A directory is no message."""
        with pytest.raises(MessageError, match="is a directory"):
            Message.read(tmp_path)

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
    def test_endless_device(self) -> None:
        """A device without an end is not read."""
        with pytest.raises(MessageError, match="not a regular file"):
            Message.read(Path("/dev/zero"))

    def test_nul_in_a_name(self) -> None:
        """A name that no file can have is an error like a missing file."""
        with pytest.raises(MessageError):
            Message.read(Path("a\0b"))

    def test_closed_file(self) -> None:
        """A file that gives nothing is an empty input."""

        class Silent:
            def read(self, _size: int) -> None:
                return None

        with pytest.raises(MessageError, match="empty input"):
            Message.read(Silent())  # type: ignore[arg-type]

    def test_huge_file_is_read_in_part(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a file larger than the limit only the beginning is read, and that is noted."""
        monkeypatch.setattr("mailflows._mail.reader.SIZE_LIMIT", 1000)
        path = tmp_path / "huge.eml"
        path.write_bytes(RAW + b"x" * 5000)
        message = Message.read(path)
        assert "long-message" in message.defects
        assert len(message.text) < 1000


class TestMessageObjects:
    """Message objects of the standard library are read even where it cannot write them."""

    def make(self, **headers: Any) -> StdlibMessage:
        """Return a message with these headers."""
        message = StdlibMessage()
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_payload("Hello")
        return message

    @pytest.mark.parametrize(
        ("subject", "expected"),
        [("caf\udce9", "café"), ("caf\ud800", "caf?"), (5, "5"), (b"x", "b'x'"), (None, "")],
        ids=["byte", "surrogate", "number", "bytes", "none"],
    )
    def test_bad_headers(self, subject: Any, expected: str) -> None:
        """A header that cannot be written is shown as well as it goes."""
        message = Message.read(self.make(From="ada@lovelace.uk", Subject=subject))
        assert (message.subject, message.text.strip()) == (expected, "Hello")

    def test_injected_header(self) -> None:
        """A line break in a header of an object starts no second header."""
        message = Message.read(self.make(From="a@b.example", Subject="Hello\nBcc: many@evil.example"))
        assert message.recipients == ()
        assert message.subject == "Hello Bcc: many@evil.example"
        assert message.defects == ("unwritable-message",)

    @pytest.mark.parametrize(
        "payload",
        ["café \ud800", "café", b"caf\xe9", None, 5],
        ids=["surrogate", "str", "bytes", "none", "int"],
    )
    def test_bad_payloads(self, payload: Any) -> None:
        """A payload that cannot be written does not raise."""
        message = self.make(From="a@b.example")
        message["Content-Type"] = "text/plain; charset=ascii"
        message._payload = payload  # type: ignore[attr-defined]
        assert Message.read(message).sender.address == "a@b.example"

    def test_bad_part(self) -> None:
        """A multipart that holds something that is no message is read around it."""
        message = MIMEMultipart("alternative")
        message["From"] = "a@b.example"
        message._payload = [self.make(Content_Type="text/plain"), "just text"]  # type: ignore[attr-defined]
        seen = Message.read(message)
        assert seen.text.split() == ["Hello", "just", "text"]
        assert seen.parts[0].content_type == "text/plain"

    def test_deep_object(self) -> None:
        """An object too deep for the standard library's recursion is read to our depth."""
        inner: StdlibMessage = self.make()
        for _ in range(2000):
            outer = MIMEMultipart()
            outer._payload = [inner]  # type: ignore[attr-defined]
            inner = outer
        inner["From"] = "a@b.example"
        assert Message.read(inner).sender.address == "a@b.example"

    def test_object_that_only_looks_like_one(self) -> None:
        """Something with `as_bytes` that raises is refused, and the cause is kept."""

        class Broken:
            def as_bytes(self) -> bytes:
                raise RuntimeError

        with pytest.raises(MessageError, match="Broken") as caught:
            Message.read(Broken())  # type: ignore[arg-type]
        assert isinstance(caught.value.__cause__, RuntimeError)

    def test_modern_object(self) -> None:
        """A message composed with the modern API is read with its parts."""
        message = EmailMessage()
        message["From"] = "Adèle <adele@b.example>"
        message["Subject"] = "Ça marche"
        message.set_content("Bonjour")
        message.add_alternative("<p>Bonjour</p>", subtype="html")
        message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="été.pdf")
        seen = Message.read(message)
        assert (seen.sender.name, seen.subject, seen.body) == ("Adèle", "Ça marche", "Bonjour")
        assert [p.filename for p in seen.parts if p.is_attachment] == ["été.pdf"]


# Headers ------------------------------------------------------------------------------------------


class TestHeaderBlock:
    """Where headers begin, where they end, and what stands between."""

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
    def test_line_ends(self, end: str) -> None:
        """Any line end, also a damaged one, separates headers and body."""
        message = Message.read(f"From: a@b.example{end}Subject: x{end}{end}One{end}Two".encode())
        assert (message.subject, message.text.split()) == ("x", ["One", "Two"])

    def test_mbox_line(self) -> None:
        """An mbox separator before the headers is noted and skipped."""
        message = Message.read(b"From ada Mon Jan 1 00:00:00 1840\nSubject: x\n\nHello")
        assert (message.subject, message.defects) == ("x", ("mbox-line",))

    def test_text_before_headers(self) -> None:
        """A few lines before the headers are skipped and noted."""
        message = Message.read(b"+OK 120 octets\nFrom: a@b.example\nSubject: x\n\nHello")
        assert (message.subject, message.defects) == ("x", ("text-before-headers",))

    def test_byte_order_mark(self) -> None:
        """A UTF-8 byte order mark is no part of the first header."""
        assert Message.read(b"\xef\xbb\xbfSubject: x\n\nHello").subject == "x"

    def test_folded(self) -> None:
        """A folded header is one value."""
        assert read("Subject: a", "\tb", "  c").subject == "a\tb  c".replace("\t", " ")

    def test_first_of_two(self) -> None:
        """Of two headers of one name, the first counts; all can be had."""
        message = read("Subject: x", "X-Kind: a", "X-Kind: b")
        assert (message.get("X-KIND"), message.get_all("X-Kind")) == ("a", ("a", "b"))

    def test_a_field_that_must_stand_once(self) -> None:
        """A second Subject is left out, as it is when the message is sent (RFC 5322 section 3.6)."""
        message = read("Subject: a", "Subject: b")
        assert (message.get_all("subject"), message.defects) == (("a",), ("repeated-header:subject",))

    def test_two_lists_of_recipients_are_one(self) -> None:
        """Who stands in a second To is mailed like those of the first."""
        message = read("To: a@example.org", "Subject: x", "To: b@example.org")
        assert message.get_all("to") == ("a@example.org, b@example.org",)

    def test_absent(self) -> None:
        """An absent header is an empty string, or what the caller wants, and is not "in" the message."""
        message = read("Subject: a")
        assert (message.get("x-none"), message.get("x-none", "-"), "x-none" in message) == ("", "-", False)
        assert "SUBJECT" in message

    def test_broken_line(self) -> None:
        """A line that is no header among the headers is noted; those behind it are read."""
        message = read("From: a@b.example", "this is no header", "Subject: x")
        assert (message.subject, message.text, message.defects) == ("x", "Hello", ("bad-header-line",))

    def test_no_blank_line(self) -> None:
        """Without a blank line, the first line that is no header is text."""
        message = Message.read(b"From: a@b.example\nSubject: x\nDear Charles,\nhello: there")
        assert (message.subject, message.text) == ("x", "Dear Charles,\nhello: there")

    def test_boundary_without_blank_line(self) -> None:
        """A boundary right below the headers begins the body."""
        message = Message.read(
            b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n--x\n\nOne\n--x\n\nTwo\n--x--\n"
        )
        assert message.text.split() == ["One", "Two"]

    def test_raw_letters(self) -> None:
        """Headers in raw UTF-8 are read; in raw Latin-1 too, which is noted."""
        assert read("Subject: café").subject == "café"
        message = Message.read(b"Subject: caf\xe9\n\nHello")
        assert (message.subject, message.defects) == ("café", ("raw-bytes-in-headers",))

    def test_no_control_characters(self) -> None:
        """What would move a cursor or start a new line in a log becomes a space."""
        message = Message.read(b"Subject: a\x1b[31mb\x00c\x85=?utf-8?q?d=0D=0ABcc:_e?=\n\nHello")
        assert message.subject.isprintable()
        assert "bcc" not in message

    def test_no_body(self) -> None:
        """Headers alone are a message without text."""
        message = Message.read(b"Subject: x")
        assert (message.subject, message.text, message.body) == ("x", "", "")


class TestEncodedWords:
    """Encoded words (RFC 2047), as written and as often miswritten."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("=?utf-8?q?caf=C3=A9?=", "café"),
            ("=?UTF-8?B?Y2Fmw6k=?=", "café"),
            ("=?iso-8859-1?Q?caf=E9_noir?=", "café noir"),
            ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?=\t=?iso-8859-1?q?=E9?=", "aé"),
            ("=?utf-8?q?a?= b", "a b"),
            ("=?utf-8*fr?q?=C3=A9t=C3=A9?=", "été"),
            ("=?utf-8?b?w6?= =?utf-8?b?k=?=", "é"),
            ("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
            ("=?us-ascii?q?caf=E9?=", "café"),
            ("=?utf-8?q?100%?=", "100%"),
            ("=?utf-8?q?not ended", "=?utf-8?q?not ended"),
            ("=?utf-8?q?with spaces in it?=", "with spaces in it"),
            ("=?nonsense?q?caf=C3=A9?=", "café"),
            ("=?punycode?q?caf-dma?=", "caf-dma"),
            ("=?zlib?b?eJwDAAAAAAE=?=", "x\u0153\x03\x00\x00\x00\x00\x01"),
            ("=?utf-8?b?!!!?=", ""),
            ("=?utf-8?b?YQ?=", "a"),
            ("=?windows-1251?q?=CF=F0=E8=E2=E5=F2?=", "Привет"),
            ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
            ("=?gb2312?b?1tDOxA==?=", "中文"),
            ("=?iso-8859-1?q?Fr=F6sche?=", "Frösche"),
            ("=?iso-8859-1?q?Frösche?=", "Frösche"),
        ],
    )
    def test_subject(self, value: str, expected: str) -> None:
        """A subject is decoded as a reader would see it."""
        subject = read(f"Subject: {value}").subject
        assert subject == "".join(c if c.isprintable() else " " for c in expected).strip()

    def test_name_with_a_comma(self) -> None:
        """An encoded comma does not cut a name in two (RFC 2047 section 6.2)."""
        sender = read("From: =?iso-8859-1?Q?Doe=2C_Jane?= <jane@doe.example>").sender
        assert (sender.name, sender.address) == ("Doe, Jane", "jane@doe.example")

    def test_no_address_from_an_encoded_word(self) -> None:
        """A name that decodes to a mailbox and a comma is still only a name."""
        sender = read("From: =?utf-8?q?boss=40bank.example=2C_?= <thief@evil.example>").sender
        assert (sender.name, sender.address) == ("boss@bank.example,", "thief@evil.example")

    def test_quoted_encoded_word(self) -> None:
        """An encoded word between quotation marks, against the rule, is decoded between them."""
        sender = read('From: "=?utf-8?q?Doe=2C_=22Jane=22?=" <jane@doe.example>').sender
        assert (sender.name, sender.address) == ('Doe, "Jane"', "jane@doe.example")

    def test_quotation_marks_cannot_be_closed_from_within(self) -> None:
        """An encoded quotation mark does not end the quoted string around it."""
        sender = read('From: "=?utf-8?q?a=22_=3Cboss=40bank.example=3E=2C?=" <thief@evil.example>').sender
        assert sender.address == "thief@evil.example"

    def test_no_parameter_from_an_encoded_word(self) -> None:
        """An encoded semicolon in a file name starts no other parameter."""
        message = multipart(
            part("x", "Content-Type: text/plain; name==?utf-8?q?a=3B_charset=3Dutf-7?="),
        )
        assert (message.parts[0].filename, message.parts[0].charset) == ("a; charset=utf-7", "")


class TestAddresses:
    """Mailboxes, as people and programs write them."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("ada@lovelace.uk", [("", "ada@lovelace.uk")]),
            ("Ada <Ada@Lovelace.UK>", [("Ada", "ada@lovelace.uk")]),
            ("<ada@lovelace.uk>", [("", "ada@lovelace.uk")]),
            ('"Lovelace, Ada" <a@b.uk>', [("Lovelace, Ada", "a@b.uk")]),
            (r'"Ada \"the Countess\"" <a@b.uk>', [('Ada "the Countess"', "a@b.uk")]),
            (r'"Ada \\" <a@b.uk>', [("Ada \\", "a@b.uk")]),
            ("'Ada' <a@b.uk>", [("Ada", "a@b.uk")]),
            ("\"'Ada' via list\" <a@b.uk>", [("'Ada' via list", "a@b.uk")]),
            ("a@b.uk (Ada Lovelace)", [("Ada Lovelace", "a@b.uk")]),
            ("Ada (Countess) <a@b.uk>", [("Ada", "a@b.uk")]),
            ("a@b.uk, c@d.uk", [("", "a@b.uk"), ("", "c@d.uk")]),
            ("Ada <a@b.uk>; Charles <c@d.uk>", [("Ada", "a@b.uk"), ("Charles", "c@d.uk")]),
            ("Engine: a@b.uk, c@d.uk;", [("", "a@b.uk"), ("", "c@d.uk")]),
            ("undisclosed-recipients:;", []),
            ("", []),
            ("Ada", []),
            ("@", []),
            ("<@>", []),
            ("@b.uk", []),
            ("Ada <>", []),
            ("<mailto:a@b.uk>", [("", "a@b.uk")]),
            ("<@relay.uk,@other.uk:a@b.uk>", [("", "a@b.uk")]),
            ("Ada <a@b.uk", [("Ada", "a@b.uk")]),
            ('"A Person" a@b.uk>', [("A Person", "a@b.uk")]),
            ('"john doe"@b.uk', [("john doe", '"john doe"@b.uk')]),
            ("Ada@home <a@b.uk>", [("Ada@home", "a@b.uk")]),
            ('"boss@bank.uk" <thief@evil.uk>', [("boss@bank.uk", "thief@evil.uk")]),
            ("Иван <иван@пример.рф>", [("Иван", "иван@пример.рф")]),
            ("a@[192.0.2.1]", [("", "a@[192.0.2.1]")]),
            (" a@b.uk , ", [("", "a@b.uk")]),
            (",,,a@b.uk,,", [("", "a@b.uk")]),
        ],
    )
    def test_value(self, value: str, expected: list[tuple[str, str]]) -> None:
        """A value gives these names and addresses."""
        assert [(a.name, a.address) for a in addresses(value)] == expected

    def test_sender_without_address(self) -> None:
        """A From without an address still names somebody."""
        sender = read('From: "Novell GroupWise" <$$$>').sender
        assert (sender.name, sender.address, sender.local, sender.domain) == ("Novell GroupWise", "", "", "")

    def test_no_sender(self) -> None:
        """Without From there is an empty mailbox, never None."""
        assert read("Subject: x").sender.address == ""

    def test_recipients_are_counted_once(self) -> None:
        """To, Cc and Bcc together, each address once, in order."""
        message = read("To: A <a@b.uk>, c@d.uk", "To: e@f.uk", "Cc: a@b.uk", "Bcc: g@h.uk")
        assert [a.address for a in message.recipients] == ["a@b.uk", "c@d.uk", "e@f.uk", "g@h.uk"]

    def test_many_recipients(self) -> None:
        """Ten thousand recipients are read."""
        value = ", ".join(f'"User, {n}" <u{n}@b.uk>' for n in range(9000))
        assert len(read(f"To: {value}").recipients) == 9000


# Parts --------------------------------------------------------------------------------------------


class TestParts:
    """The MIME tree, whole and broken."""

    def test_alternative(self) -> None:
        """Text and HTML of an alternative are both had; the body is what the HTML shows."""
        message = multipart(
            part("Hello plain", "Content-Type: text/plain"),
            part("<p>Hello <b>HTML</b></p>", "Content-Type: text/html"),
        )
        assert (message.text.strip(), message.body) == ("Hello plain", "Hello HTML")

    def test_html_that_says_little(self) -> None:
        """Where the HTML is an empty shell, the body is the text."""
        message = multipart(
            part("A long letter. " * 20, "Content-Type: text/plain"),
            part("<img src=x>", "Content-Type: text/html"),
        )
        assert message.body.startswith("A long letter.")

    def test_attachments_are_not_text(self) -> None:
        """An attached text is a file, and not part of the body."""
        message = multipart(
            part("Hello"),
            part("secret", 'Content-Disposition: attachment; filename="a.txt"', "Content-Type: text/plain"),
            part("%PDF", "Content-Type: application/pdf"),
        )
        assert message.text.strip() == "Hello"
        assert [p.is_attachment for p in message.parts] == [False, True, True]

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ('attachment; filename="a b.pdf"', "a b.pdf"),
            ("attachment; filename=a b.pdf", "a b.pdf"),
            ("attachment; filename=a.pdf; size=5", "a.pdf"),
            ("attachment; filename*=utf-8''%C3%A9t%C3%A9.pdf", "été.pdf"),
            ("attachment; filename*=utf-8'fr'%C3%A9t%C3%A9.pdf", "été.pdf"),
            ("attachment; filename=e.pdf; filename*=utf-8''%C3%A9.pdf", "é.pdf"),
            ("attachment; filename*=utf-8''%C3%A9.pdf; filename=e.pdf", "é.pdf"),
            ("attachment; filename*0*=utf-8''%C3; filename*1*=%A9.pdf", "é.pdf"),
            ("attachment; filename*1*=%A9.pdf; filename*0*=utf-8''%C3", "é.pdf"),
            ('attachment; filename*0="long-"; filename*1=name.pdf', "long-name.pdf"),
            ("attachment; filename*=nonsense", "nonsense"),
            ("attachment; filename*99999999999999999999*=x; filename=a.pdf", "a.pdf"),
            (r'attachment; filename="a\"b.pdf"', 'a"b.pdf'),
            (r'attachment; filename="C:\Temp\a.pdf"', r"C:\Temp\a.pdf"),
            ('attachment; filename="a; filename=evil.exe"', "a; filename=evil.exe"),
            ('attachment; filename="no end', "no end"),
            ("attachment; filename==?utf-8?q?=C3=A9?=.pdf", "é.pdf"),
            ("attachment; filename*=utf-8''a%0D%0ASubject:%20x", "a  Subject: x"),
            ("attachment; filename=", ""),
            ("attachment;;;", ""),
        ],
    )
    def test_filename(self, header: str, expected: str) -> None:
        """A file name is decoded from any of its spellings (RFC 2231, and what software writes)."""
        assert multipart(part("x", f"Content-Disposition: {header}")).parts[0].filename == expected

    @pytest.mark.parametrize(
        ("header", "kind", "charset"),
        [
            ("text/html; charset=UTF-8", "text/html", "utf-8"),
            ('TEXT/HTML;CHARSET="utf-8"', "text/html", "utf-8"),
            ("text/html charset=utf-8", "text/html", ""),
            ("text/plain; charset=utf-8 (comment)", "text/plain", "utf-8"),
            ("text/plain; format=flowed; charset = utf-8", "text/plain", "utf-8"),
            ("text/plain; charset=a; charset=b", "text/plain", "a"),
            ("text", "text/plain", ""),
            ("", "text/plain", ""),
            (";;;", "text/plain", ""),
            ("application/octet-stream", "application/octet-stream", ""),
        ],
    )
    def test_content_type(self, header: str, kind: str, charset: str) -> None:
        """A content type is read, and what is none is plain text (RFC 2045 section 5.2)."""
        (found,) = read("From: a@b.example", f"Content-Type: {header}").parts
        assert (found.content_type, found.charset) == (kind, charset)

    def test_missing_end(self) -> None:
        """A multipart that breaks off keeps what was there."""
        message = multipart(part("One"), part("Two"), end="")
        assert message.text.split() == ["One", "Two"]
        assert message.defects == ("missing-end-boundary",)

    def test_boundary_that_does_not_occur(self) -> None:
        """Where the boundary is nowhere, the whole is read as text."""
        message = read("From: a@b.example", "Content-Type: multipart/mixed; boundary=y", body="Hello")
        assert (message.text, message.defects) == ("Hello", ("missing-boundary",))

    def test_no_boundary(self) -> None:
        """A multipart without a boundary is read as text."""
        assert read("From: a@b.example", "Content-Type: multipart/mixed").text == "Hello"

    def test_boundaries_that_begin_alike(self) -> None:
        """A longer boundary that begins like the one sought is another one."""
        message = multipart(part("One\n--x1\n--x-\n--x--1\n and --x in a line"), part("Two"))
        assert len(message.parts) == 2
        assert "--x1" in message.text

    def test_boundary_with_spaces(self) -> None:
        """White space behind a boundary is allowed (RFC 2046 section 5.1.1)."""
        message = read(
            "From: a@b.example", "Content-Type: multipart/mixed; boundary=x", body="--x \t\n\nOne\n--x--  \n"
        )
        assert message.text.strip() == "One"

    def test_part_without_headers(self) -> None:
        """A part that begins with text has that text."""
        message = multipart("--x\nOne, two: three.\nFour\n\nFive\n")
        assert message.text.split() == ["One,", "two:", "three.", "Four", "Five"]
        assert message.defects == ("part-without-headers",)

    def test_nested(self) -> None:
        """Multiparts in multiparts are read from the outside in, in order."""
        inner = "--y\nContent-Type: text/plain\n\nTwo\n--y--\n"
        message = multipart(
            part("One"), part(inner, "Content-Type: multipart/related; boundary=y"), part("Three")
        )
        assert message.text.split() == ["One", "Two", "Three"]

    def test_depth_and_number_are_bounded(self) -> None:
        """Nests and crowds of parts end at the limits, and that is noted."""
        assert "deep-nesting" in Message.read(hostile.nested_multiparts(100 * MAX_DEPTH)).defects
        crowd = Message.read(hostile.many_parts(100 * MAX_PARTS))
        assert "many-parts" in crowd.defects or len(crowd.parts) <= MAX_PARTS
        assert len(crowd.parts) <= MAX_PARTS + 1

    def test_attached_message_is_a_file(self) -> None:
        """A message that is attached is a file; one that is inline is shown with the message."""
        kind = "Content-Type: message/rfc822"
        shown = multipart(part("See below"), part("Subject: y\n\nInner", kind))
        attached = multipart(
            part("See below"), part("Subject: y\n\nInner", kind, "Content-Disposition: attachment")
        )
        assert (shown.text.split(), attached.text.split()) == (["See", "below", "Inner"], ["See", "below"])
        assert attached.parts[1].is_attachment

    def test_html_that_is_declared_as_text(self) -> None:
        """A page that is sent as plain text is read as a page."""
        body = "<html><body><p>Hello</p></body></html>"
        message = read("From: a@b.example", "Content-Type: text/plain", body=body)
        assert (message.text, message.body) == ("", "Hello")


class TestText:
    """Transfer encodings and charsets, true and false."""

    def text(self, raw: bytes, charset: str = "", encoding: str = "8bit") -> Message:
        """Read a plain message whose body is these bytes."""
        kind = f"text/plain; charset={charset}" if charset else "text/plain"
        head = f"From: a@b.example\nContent-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n"
        return Message.read(head.encode() + raw)

    @pytest.mark.parametrize(
        ("text", "charset"),
        [
            ("Déjà vu", "iso-8859-1"),
            ("Déjà vu – 5 €", "windows-1252"),
            ("Déjà vu – 5 €", "utf-8"),
            ("Déjà vu", "utf-16"),
            ("Zażółć gęślą jaźń", "iso-8859-2"),
            ("Привет", "koi8-r"),
            ("Привет", "KOI8-U"),
            ("Привет", "windows-1251"),
            ("こんにちは", "iso-2022-jp"),
            ("こんにちは", "Shift_JIS"),
            ("こんにちは", "euc-jp"),
            ("中文", "gb2312"),
            ("中文", "big5"),
            ("안녕하세요", "ks_c_5601-1987"),
            ("Γειά σου", "iso-8859-7"),
            ("สวัสดี", "windows-874"),
            ("hej", "x-unknown"),
        ],
    )
    def test_charset(self, text: str, charset: str) -> None:
        """A text in its declared charset is read without a defect."""
        codec = {"ks_c_5601-1987": "cp949", "windows-874": "cp874", "x-unknown": "ascii"}.get(
            charset, charset
        )
        message = self.text(text.encode(codec), charset)
        assert (message.text, message.defects) == (text, ())

    @pytest.mark.parametrize(
        ("raw", "charset", "expected", "defect"),
        [
            (b"caf\xe9", "utf-8", "café", "lying-charset:utf-8"),
            (b"caf\xe9", "us-ascii", "café", "lying-charset:us-ascii"),
            ("café".encode(), "us-ascii", "café", ""),
            (b"caf\xe9", "", "café", "undeclared-charset"),
            ("café".encode(), "", "café", ""),
            ("café".encode(), "x-nonsense", "café", "unknown-charset:x-nonsense"),
            (b"caf\xe9", "x-nonsense", "café", "unknown-charset:x-nonsense"),
            (
                "Привет, мир, ".encode() * 9 + b"\xff",
                "utf-8",
                "Привет, мир, " * 9 + "\ufffd",
                "lying-charset:utf-8",
            ),
            ("中文字符".encode("gbk") * 9 + b"\xff", "gbk", "中文字符" * 9 + "\ufffd", "lying-charset:gbk"),
            (b"\x81\x8d caf\xe9", "iso-8859-1", "\ufffd\ufffd café", "lying-charset:iso-8859-1"),
            (b"a-1b", "punycode", "a-1b", "unknown-charset:punycode"),
            (b"hello", "zlib", "hello", "unknown-charset:zlib"),
            (b"hello", "rot13", "hello", "unknown-charset:rot13"),
            (rb"\x41", "unicode_escape", r"\x41", "unknown-charset:unicode_escape"),
            (b"hello", "undefined", "hello", "unknown-charset:undefined"),
            (b"hello", "idna", "hello", "unknown-charset:idna"),
            (b"hello", "../../etc/passwd", "hello", "unknown-charset:../../etc/passwd"),
        ],
    )
    def test_false_charset(self, raw: bytes, charset: str, expected: str, defect: str) -> None:
        """A charset that is wrong, absent or no charset is noted, and the text is read all the same."""
        message = self.text(raw, charset)
        assert (message.text, message.defects) == (expected, (defect,) if defect else ())

    def test_a_cut_character_is_no_lie(self) -> None:
        """Reading stops at the limit, maybe in a character; the charset was right."""
        message = self.text(b"a" + "é".encode() * TEXT_LIMIT, "utf-8")
        assert message.defects == ("long-text",)
        assert set(message.text) == {"a", "é"}

    def test_budget_is_for_all_parts(self) -> None:
        """All text parts together are read up to the limit."""
        message = multipart(*[part("x" * (TEXT_LIMIT // 2))] * 5)
        assert len(message.text) < TEXT_LIMIT + 10
        assert "long-text" in message.defects

    def test_quoted_printable(self) -> None:
        """Quoted-printable is decoded, soft line breaks and broken escapes included."""
        message = self.text(b"caf=C3=\n=A9 =ZZ =", "utf-8", "Quoted-Printable")
        assert message.text.startswith("café =ZZ")

    @pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
    def test_truncated_base64(self, cut: int) -> None:
        """Base64 that breaks off gives what was there."""
        coded = base64.b64encode(b"Hello, dear reader!")[:-cut]
        text = self.text(coded, "utf-8", "base64").text
        assert text
        assert "Hello, dear reader!".startswith(text)

    def test_foreign_characters_in_base64(self) -> None:
        """Characters that are not base64's are skipped."""
        assert self.text(b"SGVs\n!bG8s\n-IGRlYXI=", "utf-8", "base64").text == "Hello, dear"

    def test_text_that_is_not_base64(self) -> None:
        """Text that only claims to be base64 is noted."""
        message = self.text(b"... --- ... ((( ))) !!! ??? ,,, ;;; ::: ''' ..." * 3, "utf-8", "base64")
        assert "bad-base64" in message.defects

    def test_nul(self) -> None:
        """NUL characters are taken out and noted."""
        message = self.text(b"a\0b")
        assert (message.text, message.defects) == ("ab", ("nul-characters",))

    @pytest.mark.parametrize("encoding", ["7bit", "binary", "x-uuencode", "", "8bit; foo"])
    def test_other_encodings(self, encoding: str) -> None:
        """Any other transfer encoding leaves the bytes as they are."""
        assert self.text(b"Hello", "utf-8", encoding).text == "Hello"

    def test_charset_of_the_page(self) -> None:
        """A page without a declared charset says its own."""
        raw = b"From: a@b.example\nContent-Type: text/html\n\n<meta charset='koi8-r'>" + "Привет".encode(
            "koi8-r"
        )
        message = Message.read(raw)
        assert (message.body, message.defects) == ("Привет", ())


# Laws ---------------------------------------------------------------------------------------------

LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60)
PIECES = st.sampled_from(
    [
        *(b"From: ", b"Subject: ", b"Content-Type: multipart/mixed; boundary=", b"Content-Type: text/html"),
        *(b"Content-Transfer-Encoding: base64", b"\n", b"\r\n", b"\r", b"\n\n", b"--x", b"--x--", b"x"),
        *(b"=?utf-8?q?", b"?=", b"=?", b"<", b">", b'"', b"(", b";", b",", b"@", b"\0", b"\xff", b" ", b"a"),
        *(b"<a href=", b"<style>", b"<!--", b"&#", b"=", b"filename*0*=utf-8''%"),
    ]
)


def look_at(message: Message) -> None:
    """Use everything that a message offers."""
    assert not any(unicodedata.category(c) == "Cc" for pair in message.headers for v in pair for c in v)
    assert isinstance(message.body, str)
    assert isinstance(message.sender.domain + message.subject, str)
    assert all("@" in address.address for address in message.recipients)
    assert all("\n" not in p.filename for p in message.parts)
    assert repr(message)


@pytest.mark.property
class TestLaws:
    """What holds for any input."""

    @given(st.lists(PIECES, max_size=60).map(b"".join))
    def test_any_bytes_are_read_or_refused(self, raw: bytes) -> None:
        """Any bytes are a message or a `MessageError`, never another exception."""
        try:
            message = Message.read(raw)
        except MessageError:
            return
        look_at(message)

    @given(st.lists(PIECES, max_size=60).map(b"".join))
    def test_any_header_and_body(self, raw: bytes) -> None:
        """Whatever follows a From header, there is a message."""
        look_at(Message.read(b"From: a@b.example\n" + raw))

    @given(st.binary(max_size=300))
    def test_any_binary(self, raw: bytes) -> None:
        """Whatever follows as a body, there is a text, and no surrogate in it."""
        message = Message.read(b"From: a@b.example\n\n" + raw)
        message.text.encode("utf-8")

    @given(st.text(max_size=300))
    def test_any_text(self, text: str) -> None:
        """Any characters in a str are read or refused, lone surrogates included."""
        try:
            look_at(Message.read("Subject: x\n" + text))
        except MessageError as problem:
            assert problem.position is not None  # noqa: PT017 -- most do not raise

    @given(name=LINES, body=st.text(st.characters(codec="utf-8"), max_size=200))
    def test_what_the_standard_library_writes_is_read_back(self, name: str, body: str) -> None:
        """A message composed with `EmailMessage` is read as it was meant."""
        name = " ".join("".join(c for c in name if c.isprintable()).split()).replace("=?", "")
        message = EmailMessage(policy=policy.SMTP)
        message["Subject"] = name
        message["From"] = email.headerregistry.Address(name, "ada", "lovelace.uk")
        message.set_content(body)
        seen = Message.read(message)
        assert " ".join(seen.subject.split()) == name
        assert seen.sender.address == "ada@lovelace.uk"
        assert (seen.text or seen.html).replace("\0", "").split() == body.replace("\0", "").split()
        assert set(seen.defects) <= {"nul-characters"}

    @given(
        st.lists(st.tuples(LINES, st.sampled_from(["a@b.uk", "c.d@e.example", "f+g@h.co.uk"])), max_size=8)
    )
    def test_recipient_lists_are_read_back(self, people: list[tuple[str, str]]) -> None:
        """Names with commas, quotation marks and brackets come back, when quoted as RFC 5322 says."""
        people = [(" ".join(name.split()), address) for name, address in people]
        people = [(name.strip("'"), address) for name, address in people if name.isprintable()]
        quoted = [name.replace("\\", "\\\\").replace('"', '\\"') for name, _ in people]
        value = ", ".join(f'"{q}" <{address}>' for q, (_, address) in zip(quoted, people, strict=True))
        assert [(a.name, a.address) for a in addresses(value)] == [(n.strip(), a) for n, a in people]


# Attacks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", hostile.GENERATORS)
def test_hostile_message(name: str) -> None:
    """A message written to hang or break a reader is read, within the limits, or refused."""
    try:
        message = Message.read(hostile.GENERATORS[name](200_000))
    except MessageError:
        return
    look_at(message)
    assert len(message.text) + len(message.html) <= TEXT_LIMIT + MAX_PARTS
    assert len(message.parts) <= MAX_PARTS + 1
    assert len(message.document.links) <= 500


def test_large_message() -> None:
    """A message of fifty megabytes is read; its text up to the limit."""
    message = Message.read(b"Subject: x\n\n" + b"x" * 50_000_000)
    assert (len(message.text), message.defects) == (TEXT_LIMIT, ("long-text",))


def test_damaged_real_messages(root: Path) -> None:
    """Damaged copies of the example messages are read or refused, never anything else."""
    chance = random.Random(1)
    for path in sorted((root / "examples" / "messages").glob("*.eml")):
        original = path.read_bytes()
        for _ in range(100):
            try:
                look_at(Message.read(hostile.mutated(original, chance)))
            except MessageError as problem:
                assert problem.position is not None  # noqa: PT017 -- most do not raise


def test_no_file_descriptor_is_left_open(tmp_path: Path) -> None:
    """Reading a file closes it again."""
    path = tmp_path / "a.eml"
    path.write_bytes(RAW)
    Message.read(path)
    os.rename(path, tmp_path / "b.eml")  # noqa: PTH104 -- on Windows this fails for an open file
