"""Messages that somebody wrote to make a reader hang, run out of memory or fall over.

Each generator takes a size in bytes and returns a message of about that size, so that the tests ask
whether there is an answer, and `benchmarks/hostile_input.py` asks how its time grows.
"""

from __future__ import annotations

import base64
import random
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = b"From: Ada <ada@lovelace.uk>\r\nTo: charles@babbage.uk\r\nSubject: Engine\r\n"
HTML = HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n"
TEXT = HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n"


def repeat(unit: bytes, size: int) -> bytes:
    """Return *unit* again and again, to at least *size* bytes."""
    return unit * (size // len(unit) + 1)


def between(before: bytes, unit: bytes, after: bytes = b"\r\n\r\nHello") -> Callable[[int], bytes]:
    """Return a generator that repeats *unit* between a beginning and an end."""
    return lambda size: before + repeat(unit, size) + after


def html(unit: bytes) -> Callable[[int], bytes]:
    """Return a generator of an HTML message that repeats *unit*."""
    return between(HTML, unit, b"")


def text(unit: bytes) -> Callable[[int], bytes]:
    """Return a generator of a plain message that repeats *unit*."""
    return between(TEXT, unit, b"")


def header(name: bytes, unit: bytes) -> Callable[[int], bytes]:
    """Return a generator of a message with one endless header that repeats *unit*."""
    return between(HEAD + name + b": ", unit)


def nested_multiparts(size: int) -> bytes:
    """Open a multipart in a multipart in a multipart."""
    opening = b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n'
    return HEAD + b"".join(opening % (depth, depth) for depth in range(size // 60 + 1))


def prefix_boundaries(size: int) -> bytes:
    """Name a boundary that is the beginning of a thousand longer ones."""
    head = HEAD + b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n'
    return head + repeat(b"--xx\r\n", size)


def many_parts(size: int) -> bytes:
    """Send thousands of empty parts."""
    head = HEAD + b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n'
    return head + repeat(b"--x\r\n\r\n.\r\n", size)


def same_boundary_nested(size: int) -> bytes:
    """Give inner and outer multiparts the same boundary."""
    unit = b'--x\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n'
    return HEAD + b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n' + repeat(unit, size)


def wide_and_deep(size: int) -> bytes:
    """Give every one of many parts its own nest of multiparts over the same bytes."""
    inner = b'--%d\r\nContent-Type: multipart/mixed; boundary="%d"\r\n\r\n'
    nest = b"".join(inner % (depth, depth + 1) for depth in range(18))
    head = HEAD + b'Content-Type: multipart/mixed; boundary="0"\r\n\r\n'
    return head + nest + repeat(b"--18\r\n\r\nHello\r\n", size)


def truncated_base64(size: int) -> bytes:
    """Break a base64 text off in the middle of a quartet, behind a foreign character."""
    body = base64.b64encode(repeat(b"<p>Hello</p>", size))[:-3]
    return HTML.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n") + body + b"!="


def noisy_base64(size: int) -> bytes:
    """Write base64 whose every second character is foreign, so that most of it is skipped."""
    body = repeat(b"P.H.A.+.", size)
    return HTML.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n") + body


def open_quoted_printable(size: int) -> bytes:
    """Write nothing but equals signs as quoted-printable."""
    head = TEXT.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
    return head + repeat(b"=", size)


def charset(name: bytes) -> Callable[[int], bytes]:
    """Return a generator of a text that names a codec that is no charset."""
    return between(TEXT.replace(b"utf-8", name), b"a-1b", b"")


def zlib_charset(size: int) -> bytes:
    """Declare zlib as charset and send a bomb."""
    return TEXT.replace(b"utf-8", b"zlib") + zlib.compress(b"\0" * size * 20)


def unknown_charsets(size: int) -> bytes:
    """Name another charset in every encoded word, so that each is looked up."""
    words = b" ".join(b"=?iso-8859-%d?q?a?=" % number for number in range(size // 21))
    return HEAD + b"X-A: " + words + b"\r\n\r\nHello"


def noise(size: int) -> bytes:
    """Send noise behind a header."""
    return TEXT + random.Random(7).randbytes(size)


def noise_headers(size: int) -> bytes:
    """Send noise as headers."""
    return HEAD + b"X-Noise: " + random.Random(7).randbytes(size)


def one_line(size: int) -> bytes:
    """Send one endless line of words."""
    return TEXT + repeat(b"Lorem ipsum dolor ", size)


GENERATORS: dict[str, Callable[[int], bytes]] = {
    "sender: brackets in the name": lambda size: (
        b'From: "' + b"(" * size + b'" <a@b.example>\r\n' + HEAD[60:] + b"\r\nHi"
    ),
    "sender: many words and a long local part": lambda size: (
        b'From: "'
        + b"abc " * (size // 8)
        + b'" <'
        + b"xy" * (size // 4)
        + b"@b.example>\r\nSubject: x\r\n\r\nHi"
    ),
    "html: open anchors": html(b"<a "),
    "html: open comments": html(b"<!--"),
    "html: open and closed comments": html(b"<!---->"),
    "html: comment starts in one comment": html(b"<!-- <!-"),
    "html: open styles": html(b"<style>"),
    "html: styles closed as scripts": html(b"<style></script>"),
    "html: open scripts and titles": html(b"<script><title>"),
    "html: closed styles": html(b"<style>a</style>"),
    "html: unfinished closing tags": html(b"<style></style"),
    "html: less-than signs": html(b"<"),
    "html: greater-than signs": html(b">"),
    "html: open quotation marks": html(b'<a href="'),
    "html: open single quotation marks": html(b"<img src='"),
    "html: quotation marks only": html(b"\"'"),
    "html: one tag with endless attributes": between(HTML + b"<a ", b'href="x" ', b">"),
    "html: one tag with endless white space": between(HTML + b"<a href", b" ", b'= "x">'),
    "html: one tag with endless equals signs": between(HTML + b"<a ", b"href=", b">"),
    "html: one tag with an endless name": between(HTML + b"<", b"a", b">"),
    "html: attributes cut short": between(HTML + b"<a ", b"hre href style ", b">"),
    "html: nested tables": html(b"<table><tr><td>"),
    "html: nested anchors": html(b'<a href="http://a.example/">x'),
    "html: anchor text without end": between(HTML + b'<a href="http://a.example/">', b"<b>x</b> ", b""),
    "html: images in one anchor": between(HTML + b'<a href="x">', b'<img alt="y" src="z">', b""),
    "html: brackets in quotation marks": between(HTML + b'<a "', b'a"b">', b""),
    "html: tags in quotation marks": html(b'<a title=">">"'),
    "html: pixels": html(b'<img width="99999999999999999999999999">'),
    "html: entities": html(b"&amp;"),
    "html: entities without end": html(b"&#"),
    "html: huge numeric entities": html(b"&#99999999999999999999;"),
    "html: one endless numeric entity": between(HTML + b"&#", b"9", b";"),
    "html: one endless named entity": between(HTML + b"&", b"a", b";"),
    "html: white space": html(b" \t\r\n"),
    "html: zero-width padding": html("\u200c\u00a0\u034f".encode()),
    "html: letters that grow in lower case": html("İ".encode()),
    "html: NUL in tags": html(b"<\0a\0 href=\0>"),
    "html: slashes": html(b"</"),
    "html: declarations": html(b"<!"),
    "html: processing instructions": html(b"<?xml "),
    "html: conditional comments": html(b"<!--[if mso]><![endif]-->"),
    "text: newlines": text(b"\n"),
    "text: carriage returns": text(b"\r"),
    "text: NUL": text(b"\0"),
    "text: quoted lines": text(b">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>\n"),
    "text: rulers": text(b"- " * 40 + b"\n"),
    "text: spaces": text(b" "),
    "text: digits": text(b"1"),
    "text: digits and spaces": text(b"1 "),
    "text: colons": text(b"a:"),
    "text: commas and dots": text(b"1,1."),
    "text: slashes": text(b"/a"),
    "text: addresses": text(b"http://a.example/"),
    "text: one endless address": between(TEXT + b"http://", b"a", b""),
    "text: at signs": text(b"@"),
    "text: combining marks": text("a\u0301\u0301\u0301".encode()),
    "text: hexadecimal": text(b"abcdef0123456789"),
    "text: underscores": text(b"_"),
    "text: dashes in words": text(b"A1-"),
    "text: capitals": text(b"A"),
    "text: one line": one_line,
    "text: noise": noise,
    "text: open quoted-printable": open_quoted_printable,
    "text: truncated base64": truncated_base64,
    "text: noisy base64": noisy_base64,
    "charset: punycode": charset(b"punycode"),
    "charset: idna": charset(b"idna"),
    "charset: rot13": charset(b"rot13"),
    "charset: utf-7": charset(b"utf-7"),
    "charset: unicode_escape": charset(b"unicode_escape"),
    "charset: hz": charset(b"hz"),
    "charset: an endless name": between(HEAD + b"Content-Type: text/plain; charset=", b"utf-8"),
    "charset: zlib": zlib_charset,
    "charset: a new name for every word": unknown_charsets,
    "headers: noise": noise_headers,
    "headers: many": between(HEAD, b"X-A: b\r\n", b"\r\nHello"),
    "headers: without colon": between(HEAD, b"hello\r\n", b"\r\nHello"),
    "headers: colons": between(HEAD, b":\r\n", b"\r\nHello"),
    "headers: folded": between(HEAD + b"X-A: b\r\n", b" c\r\n", b"\r\nHello"),
    "headers: blank folds": between(HEAD + b"X-A: b\r\n", b" \r\n", b"\r\nHello"),
    "headers: lone carriage returns": between(HEAD, b"X-A: b\r", b"\r\rHello"),
    "headers: one name without end": between(HEAD, b"A", b": b\r\n\r\nHello"),
    "headers: encoded words": header(b"X-A", b"=?utf-8?q?a?= "),
    "headers: encoded words in base64": header(b"Subject", b"=?utf-8?b?YQ==?= "),
    "headers: encoded words without end": header(b"X-A", b"=?"),
    "headers: encoded words that nearly end": header(b"X-A", b"=?utf-8?q?"),
    "headers: encoded words with question marks": header(b"X-A", b"=?a?b?c?d"),
    "headers: one endless encoded word": header(b"X-A", b"=?utf-8?q?" + b"=41" * 200),
    "headers: white space between encoded words": between(HEAD + b"X-A: =?utf-8?q?a?=", b" "),
    "headers: recipients": header(b"Cc", b"a@b.example, "),
    "headers: distinct quoted recipients": header(b"Cc", b'"a, b" <a@b.example>, '),
    "headers: open quotation mark in recipients": between(HEAD + b'Cc: "', b"a@b.example, "),
    "headers: quotation marks": header(b"Cc", b'"'),
    "headers: commas": header(b"Cc", b","),
    "headers: angle brackets": header(b"Cc", b"<"),
    "headers: brackets and at signs": header(b"Cc", b"<@>(@),"),
    "headers: comments": header(b"Cc", b"("),
    "headers: content type parameters": header(b"Content-Type", b"text/html; charset=utf-8"),
    "headers: semicolons": header(b"Content-Type", b";"),
    "headers: numbered parameters": header(b"Content-Disposition", b"; filename*0*=utf-8''%41"),
    "headers: references": header(b"References", b"<a@b.example> "),
    "headers: brackets in the subject": header(b"Subject", b"["),
    "headers: digits in the subject": header(b"Subject", b"1 "),
    "headers: quotation marks in the subject": header(b"Subject", "«".encode()),
    "lines before the headers": between(b"", b"hello\r\n", b"Subject: a\r\n\r\nHello"),
    "mbox lines": between(b"", b"From a\r\n", b"Subject: a\r\n\r\nHello"),
    "multipart: nested": nested_multiparts,
    "multipart: many parts": many_parts,
    "multipart: boundaries that begin alike": prefix_boundaries,
    "multipart: one boundary for all depths": same_boundary_nested,
    "multipart: wide below deep": wide_and_deep,
}
"""Name → generator."""


def mutated(original: bytes, chance: random.Random) -> bytes:
    """Return a message with a few random wounds: bytes changed, cut out, doubled or cut off."""
    data = bytearray(original)
    for _ in range(chance.randint(1, 12)):
        place = chance.randrange(len(data)) if data else 0
        length = chance.choice((1, 1, 2, 8, 64, 512))
        match chance.randrange(6):
            case 0:
                data[place : place + length] = chance.randbytes(length)
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = data[place : place + length] * chance.randint(1, 30)
            case 3:
                data[place:place] = chance.choice(WOUNDS)
            case 4:
                del data[chance.randrange(len(data) + 1) :]
            case _:
                other = chance.randrange(len(data)) if data else 0
                data[place:place] = data[other : other + length]
    return bytes(data)


WOUNDS = (
    b"\n\n",
    b"\r",
    b"\x00",
    b"=?utf-8?b?",
    b"=?x?q?=ZZ?=",
    b"<",
    b"<!--",
    b"--",
    b"&#99999999999;",
    b'"',
    b"=\n",
    b"\xff\xfe",
    b"Content-Type: multipart/mixed; boundary=a\n",
    b"<style>",
    b"\xed\xa0\x80",
    b"@",
    b"\xe2\x80\x8c" * 9,
    b"http://[",
    b"%",
)
