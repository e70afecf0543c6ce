"""The fingerprint: one for each text, however a program writes it anew."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from mailflows.held._held import fingerprint


def mail(text: str = "Hello", attachment: bytes = b"drawing") -> bytes:
    """Return a message with a file, with a boundary of its own."""
    message = EmailMessage()
    message["From"], message["Subject"] = "ada@babbage.example", "Drawings"
    message.set_content(text)
    message.add_alternative(f"<p>{text}</p>", subtype="html")
    message.add_attachment(attachment, maintype="application", subtype="pdf", filename="a.pdf")
    return message.as_bytes()


@pytest.mark.parametrize("size", [10, 500_000])
def test_each_attempt_is_the_same(size: int) -> None:
    """New boundaries, another Date and other line ends are no other message, also of a large one."""
    one, two = mail(attachment=b"x" * size), mail(attachment=b"x" * size)
    assert one != two
    assert fingerprint(one) == fingerprint(two.replace(b"\n", b"\r\n"))
    assert fingerprint(one) == fingerprint(b"Date: Tue, 12 May 2026 09:12:00 +0000\n" + two + b"\n\n")


@pytest.mark.parametrize(
    "other",
    [
        mail("Hallo"),
        mail(attachment=b"another"),
        mail().replace(b"Drawings", b"Paintings"),
        mail().replace(b"a.pdf", b"b.pdf"),
        b"X-More: x\n" + mail(),
        mail() + b"more",
    ],
)
def test_each_text_is_another(other: bytes) -> None:
    """Whatever a reader would see changes it."""
    assert fingerprint(other) != fingerprint(mail())


def test_a_boundary_is_no_hiding_place() -> None:
    """Words that stand in a boundary and in the text are text; a link is no boundary."""
    text = b'Content-Type: multipart/mixed; boundary="%s"\n\n--%s\n\nGo to %s\n'
    one, two = b"a" * 12, b"b" * 12
    assert fingerprint(text % (one, one, one)) != fingerprint(text % (two, two, two))
    assert fingerprint(text % (one, one, b"x")) == fingerprint(text % (two, two, b"x"))
    link = b"evil.example/login"
    assert fingerprint(text % (link, link, b"x")) != fingerprint(text % (one, one, b"x"))


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"x", b"Subject: x", b"\r\n" * 100_000])
def test_anything_has_one(raw: bytes) -> None:
    """Bad input is no crash."""
    assert len(fingerprint(raw)) == 32
