"""What is coded in a message → text: charsets, transfer encodings, encoded words, parameters.

Charsets are those that a message declares, forgets or lies about. Encoded words are decoded once, when a
message is read. In a header with a structure the decoded text is set in quotation marks where it must not be
taken for structure: a name that decodes to ``boss@bank.example, `` does not become a second mailbox
(RFC 2047 section 6.2).
"""

from __future__ import annotations

import binascii
import codecs
import contextlib
import re
from encodings.aliases import aliases
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from mailflows._mail.address import comment_end

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PRINTABLE_MARK",
    "TRANSFER_GROWTH",
    "decode",
    "decode_base64",
    "decode_value",
    "decoded",
    "encoded_words",
    "has_inner_padding",
    "is_known",
    "listed_urls",
    "parameters",
    "transfer_encoding",
]

# Python's codecs that are charsets. It also knows "punycode" (quadratic), "zlib" (a bomb) and others
# that a hostile message may name; and a name it does not know costs a search on disk and a place in a
# cache that is never emptied, so only names from its own table are looked up.
_CHARSETS = (
    *("ascii", "utf_", "latin_1", "iso8859", "iso2022", "cp", "koi8", "kz1048", "ptcp154", "tis_620"),
    *("gb", "big5", "euc_", "shift_", "hz", "johab", "mac_", "hp_roman8"),
)
_WITHOUT_ALIAS = (
    "cp1006 cp65001 cp720 cp737 cp856 cp874 cp875 koi8_t koi8_u mac_arabic mac_croatian mac_farsi "
    "mac_romanian utf_8_sig"
).split()
_KNOWN = {
    name
    for name, module in {**aliases, **{m: m for m in (*aliases.values(), *_WITHOUT_ALIAS)}}.items()
    if module.startswith(_CHARSETS)
}
_OTHER_CHARSETS = {
    "unknown_8bit": "utf-8",
    "utf8mb4": "utf-8",
    "unicode": "utf-8",
    "unicode_1_1_utf_7": "utf-7",
    "iso_8859_8_i": "iso-8859-8",
    "windows_874": "cp874",
    "windows_31j": "cp932",
    "ansi_x3_110_1983": "cp1252",
    "ks_c_5601_1987": "cp949",
    "x_sjis": "cp932",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x_gbk": "gb18030",
    "iso_8859_1": "cp1252",  # as every browser reads it (WHATWG Encoding, section 4.2)
    "iso8859_1": "cp1252",
    "latin1": "cp1252",
    "latin_1": "cp1252",
    "x_unknown": "utf-8",
}
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")

_NOT_ASCII = frozenset(
    (
        "cp037 cp1026 cp1140 cp273 cp424 cp500 cp875 utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be"
    ).split()
)
"""Codecs, by Python's names, in which ASCII letters are other bytes."""

FEW = 4
"""One unreadable character in this many that are not ASCII: the charset is right, the text damaged.
Our choice."""


def decode(raw: bytes, charset: str, *, is_cut: bool = False) -> tuple[str, str]:
    r"""Decode with the declared charset, or with what the bytes look like.

    >>> decode(b"caf\xe9", "utf-8")
    ('café', 'lying-charset:utf-8')

    Args:
        raw: The bytes, without transfer encoding.
        charset: As declared, any case; empty where nothing is declared.
        is_cut: Whether the last character may have lost its end.

    Returns:
        The text, and a defect: ``unknown-charset:x``, ``lying-charset:x``, ``undeclared-charset`` or
        an empty string.
    """
    name = charset.lower()
    codec = _codec(name[:40]) if name else "utf-8"
    defect = "" if codec else f"unknown-charset:{name[:30]}"
    first = "utf-8" if codec in {None, "ascii"} else codec or "utf-8"
    if first in _NOT_ASCII and b"\0" not in raw and raw.isascii():
        # Its letters would be other bytes; most readers do not know the charset, and show these.
        return raw.decode("ascii"), f"lying-charset:{name[:30]}"
    text = _strictly(raw, first, is_cut=is_cut)
    if text is not None:
        return text, defect
    if not defect:
        defect = f"lying-charset:{name[:30]}" if name else "undeclared-charset"
    return _by_appearance(raw, first, is_cut=is_cut), defect


def is_known(charset: str) -> bool:
    """Return whether a name is a charset that can be read.

    >>> is_known("Windows-1252"), is_known("punycode")
    (True, False)
    """
    return _codec(charset.lower()[:40]) is not None


@lru_cache(maxsize=512)
def _codec(charset: str) -> str | None:
    """Return the name of a codec that is a charset, or `None`."""
    name = _NOT_IN_NAMES.sub("_", charset).strip("_")
    if name in _OTHER_CHARSETS:
        return _OTHER_CHARSETS[name]
    if name not in _KNOWN:
        return None
    try:
        return codecs.lookup(name).name
    except LookupError:  # an alias of a codec that this platform does not have
        return None


def _strictly(raw: bytes, codec: str, *, is_cut: bool = False) -> str | None:
    """Decode, or return `None` if a byte does not fit."""
    try:
        text = codecs.getincrementaldecoder(codec)().decode(raw) if is_cut else raw.decode(codec)
    except (UnicodeError, RuntimeError):  # some ISO-2022 sequences break Python's decoder itself
        return None
    return _whole(text, codec)


def _whole(text: str, codec: str) -> str:
    """Replace halves of characters, which UTF-7 lets pass and no output can write."""
    return _HALVES.sub("\ufffd", text) if codec == "utf-7" else text


_HALVES = re.compile("[\ud800-\udfff]")


def _by_appearance(raw: bytes, declared: str, *, is_cut: bool) -> str:
    """Decode bytes that do not fit the declared charset."""
    if (text := _strictly(raw, "utf-8", is_cut=is_cut)) is not None:
        return text
    for codec in dict.fromkeys((declared, "utf-8")):
        try:
            text = _whole(raw.decode(codec, "replace"), codec)
        except RuntimeError:
            continue
        if text.count("\ufffd") * FEW < len(text) - len(text.encode("ascii", "ignore")):
            return text
    return raw.decode("cp1252", "replace")


# A soft line break, or a byte in hexadecimal; everything else stands for itself.
PRINTABLE_MARK = re.compile(rb"(=(?:[ \t]{0,99}\r?\n|[0-9A-Fa-f]{2}))")

# What `binascii.a2b_qp` does not read: blanks behind a soft line break (RFC 2045 section 6.7), and "==".
_UNUSUAL_QP = re.compile(rb"=[= \t]")

TRANSFER_GROWTH = {"base64": 2, "quoted-printable": 3, "uuencode": 2}
"""The encodings that are undone, and how much longer than its text a body may be."""

_OTHER_ENCODINGS = dict.fromkeys(("x-uuencode", "uue", "x-uue"), "uuencode")


def transfer_encoding(headers: Mapping[str, str]) -> str:
    """Return the encoding that must be undone, a key of `TRANSFER_GROWTH`, or an empty string.

    >>> transfer_encoding({"content-transfer-encoding": "(x) BASE64"}), transfer_encoding({})
    ('base64', '')
    """
    value = headers.get("content-transfer-encoding", "")
    name = parameters(value)[0] if value else ""
    name = _OTHER_ENCODINGS.get(name, name)
    return name if name in TRANSFER_GROWTH else ""


def decoded(body: bytes, encoding: str) -> bytes:
    """Undo a transfer encoding; without one, a body stays as it is."""
    if encoding == "base64":
        return decode_base64(body)
    if encoding == "quoted-printable":
        if not _UNUSUAL_QP.search(body):
            return binascii.a2b_qp(body)
        return PRINTABLE_MARK.sub(
            lambda m: b"" if m[0].endswith(b"\n") else bytes((int(m[0][1:], 16),)), body
        )
    return _from_uuencode(body) if encoding == "uuencode" else body


def _from_uuencode(body: bytes) -> bytes:
    """Decode the lines between "begin" and "end"; a line that is none is left out."""
    pieces = []
    is_open = is_coded = False
    for line in body.splitlines():
        if line.startswith(b"begin "):
            is_open = is_coded = True
        elif line.strip() == b"end":
            is_open = False
        elif is_open:
            try:
                pieces.append(binascii.a2b_uu(line))
            except binascii.Error:  # some software leaves out or adds blanks at the end
                size = ((line[0] - 32 & 63) * 4 + 5) // 3
                with contextlib.suppress(binascii.Error):
                    pieces.append(binascii.a2b_uu(line[:size]))
    return b"".join(pieces) if is_coded else body


_WORD_TEXT = r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?="
_WORD = re.compile(_WORD_TEXT)
# White space between two encoded words is not a part of the text (RFC 2047 section 6.2).
_WORDS = re.compile(r"(?:=\?[^?\s]{1,60}\?[bBqQ]\?[^?]*\?=(?:[ \t\r\n]{1,99}(?==\?))?)+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SPECIAL = re.compile(r'[()<>\[\]:;@\\,"]')
_STRUCTURED = frozenset(
    (
        "from to cc bcc reply-to sender return-path resent-from resent-to resent-cc mail-followup-to "
        "disposition-notification-to content-type content-disposition"
    ).split()
)
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)

_PARAMETER = re.compile(r';\s{0,99}([\w*-]{1,40})\s{0,9}=\s{0,9}("(?:[^"\\]|\\.)*"?|[^;"\s][^;]*|)')
_OUTSIDE = re.compile(r'(?:[^"(\\]++|"[^"\\]*+(?:\\.[^"\\]*+)*"?+|\\.?+)*', re.DOTALL)
_LISTED = re.compile(r"<([^<>]{1,2000})>")
_PARAMETER_LIMIT = 8192
_MAX_SEGMENTS = 100
_WORD_LIMIT = 1000
_WORD_LETTERS = 11
"""Letters of an encoded word that is written: four bytes each in base64 stay below its 75 characters.
A bound on work."""

_WITH_SPACES = frozenset({"filename", "name"})


def decode_value(name: str, value: str) -> str:
    """Decode a header's encoded words and take out what no terminal or log should be sent.

    >>> decode_value("subject", "=?utf-8?q?caf=C3=A9?= =?utf-8?q?_noir?=")
    'café noir'
    >>> decode_value("from", "=?utf-8?q?Doe=2C_Jane?= <jane@doe.example>")
    '"Doe, Jane" <jane@doe.example>'

    Args:
        name: Lower-case name of the header.
        value: Its unfolded value.
    """
    if "=?" in value:
        value = _decode_structured(value) if name in _STRUCTURED else _WORDS.sub(_decoded, value)
        value = value.strip()
    return value if value.isprintable() else _CONTROL.sub(" ", value)


def encoded_words(text: str) -> str:
    """Write a text as a header may hold it: ASCII as it is, else as encoded words (RFC 2047 section 2).

    >>> decode_value("subject", encoded_words("Grüße aus Köln " * 9)) == ("Grüße aus Köln " * 9).strip()
    True
    """
    if text.isascii() or not text.isprintable():
        return text
    pieces = [
        text[at : at + _WORD_LETTERS].encode("utf-8", "replace") for at in range(0, len(text), _WORD_LETTERS)
    ]
    return " ".join(f"=?utf-8?b?{binascii.b2a_base64(piece, newline=False).decode()}?=" for piece in pieces)


def _decoded(match: re.Match[str]) -> str:
    """Decode a run of encoded words; neighbours of one charset are joined first.

    Some software cuts a character in two between words, against RFC 2047 section 5.
    """
    texts: list[str] = []
    pieces: list[bytes] = []
    last = unfinished = ""
    for charset, kind, coded in _WORD.findall(match[0]):
        name = charset.partition("*")[0].lower()  # RFC 2231 section 5: charset*language
        if name != last and pieces:
            texts.append(decode(b"".join(pieces), last)[0])
            pieces, unfinished = [], ""
        last = name
        if unfinished:
            pieces.pop()
        text = unfinished + coded
        pieces.append(_word_bytes(text, kind, name))
        unfinished = text if kind in "bB" and len(text) % 4 and len(text) < _WORD_LIMIT else ""
    texts.append(decode(b"".join(pieces), last)[0])
    return "".join(texts)


def _word_bytes(coded: str, kind: str, charset: str) -> bytes:
    """Return the bytes that one encoded word stands for."""
    if coded.isascii():
        data = coded.encode("ascii")
    else:  # raw letters in an encoded word: the header was read, so put them back
        data = coded.encode(charset if is_known(charset) else "utf-8", "replace")
    return decode_base64(data) if kind in "bB" else binascii.a2b_qp(data, header=True)


def _decode_structured(value: str) -> str:
    """Decode encoded words so that what they hold stays text, between quotation marks if need be."""
    pieces: list[str] = []
    position = 0
    is_quoted = False
    for match in _WORDS.finditer(value):
        before = value[position : match.start()]
        is_quoted ^= (before.count('"') - before.count('\\"')) % 2 == 1
        text = _decoded(match)
        if _SPECIAL.search(text):
            text = text.replace("\\", "\\\\").replace('"', '\\"')
            text = text if is_quoted else f'"{text}"'
        pieces += before, text
        position = match.end()
    return "".join((*pieces, value[position:]))


def decode_base64(data: bytes) -> bytes:
    r"""Decode base64 that may be cut off, hold foreign characters, or go on behind its padding.

    >>> decode_base64(b"SGVs\nbG8=\nIQ=="), decode_base64(b"SGVsbG8*h")
    (b'Hello!', b'Hello!')
    """
    if has_inner_padding(data):  # some readers stop there, others go on
        return b"".join(decode_base64(piece) for piece in data.split(b"=") if piece)
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        pass
    clean = data.translate(None, _NOT_BASE64)
    # Two or three characters of a last, broken quartet still are one or two bytes; one is none.
    clean = clean[:-1] if len(clean) % 4 == 1 else clean
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def has_inner_padding(data: bytes) -> bool:
    """Return whether something follows the padding of base64."""
    first = data.find(b"=")
    return first >= 0 and bool(data[first:].translate(None, _NOT_BASE64))


def listed_urls(value: str) -> tuple[str, ...]:
    r"""Return the addresses of List-Unsubscribe or another List header, in order.

    White space inside the brackets, such as that of a folded line, is no part of an address (RFC 2369
    section 2).

    >>> listed_urls("<https://example.org/u?\r\n t=x>, <mailto:u@example.org>")
    ('https://example.org/u?t=x', 'mailto:u@example.org')
    """
    found = ("".join(url.split()) for url in _LISTED.findall(value))
    return tuple(url for url in found if url)


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split a structured header into its lower-case value and its parameters (RFC 2045, 2231).

    A second boundary, of which readers take the one or the other, is called ``boundary*``.

    >>> parameters('Text/HTML; charset="UTF-8"')
    ('text/html', {'charset': 'UTF-8'})
    >>> parameters('(x) base64'), parameters('"base64"')
    (('base64', {}), ('base64', {}))
    >>> parameters("attachment; filename*0*=utf-8''caf%C3%A9; filename*1=.pdf; filename=cafe.pdf")
    ('attachment', {'filename': 'café.pdf'})
    """
    if not value:
        return "", {}
    if "(" in value:
        value = without_comments(value)
    kind, semicolon, rest = value.partition(";")
    words = (kind.replace('"', " ") if '"' in kind else kind).split(None, 1)
    kind = words[0].lower() if words else ""
    if len(words) > 1 and "/" in words[1][:1] + kind[-1:]:
        kind = "".join((kind, *words[1].lower().split()))
    if not semicolon:
        return kind, {}
    plain: dict[str, str] = {}
    segments: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, raw in _PARAMETER.findall(";" + rest[:_PARAMETER_LIMIT]):
        key, star, number = name.lower().partition("*")
        text = _parameter_text(key, raw)
        if not star:
            if plain.setdefault(key, text) != text and key == "boundary":
                plain["boundary*"] = text
            continue
        digits = number.rstrip("*") or "0"
        if digits.isdecimal() and len(digits) < len(str(_MAX_SEGMENTS)):
            is_encoded = not number or number.endswith("*")
            segments.setdefault(key, {}).setdefault(int(digits), (text, is_encoded))
    if "boundary" in segments and "boundary" in plain:
        plain["boundary*"] = plain["boundary"]
    return kind, plain | {key: _extended(parts) for key, parts in segments.items()}


def without_comments(value: str) -> str:
    r"""Take the comments out of a structured value (RFC 5322 section 3.2.2).

    >>> without_comments('(a(b)) text/html; (c") name="(d)"')
    ' text/html;  name="(d)"'
    """
    kept: list[str] = []
    position = 0
    while position < len(value):
        match = cast("re.Match[str]", _OUTSIDE.match(value, position))  # which matches nothing, too
        kept.append(match[0])
        position = comment_end(value, match.end()) if match.end() < len(value) else len(value)
    return "".join(kept)


def _parameter_text(key: str, raw: str) -> str:
    """Return the value of a parameter without its quotation marks."""
    if raw[:1] == '"':
        inner = raw[1:-1] if len(raw) > 1 and raw.endswith('"') else raw[1:]
        # Not every backslash escapes: Windows software writes whole paths.
        return inner.replace("\\\\", "\\").replace('\\"', '"')
    words = raw.split(None, 1)
    return raw.strip() if key in _WITH_SPACES or not words else words[0]


def _extended(parts: dict[int, tuple[str, bool]]) -> str:
    """Join and decode the segments of a parameter: charset'language'percent-encoded."""
    from urllib.parse import unquote_to_bytes  # noqa: PLC0415 -- rare, and slow to import

    charset = ""
    pieces: list[bytes] = []
    for index, number in enumerate(sorted(parts)):
        text, is_encoded = parts[number]
        if index == 0 and text.count("'") > 1:
            charset, _, rest = text.partition("'")
            text = rest.partition("'")[2]
        pieces.append(unquote_to_bytes(text) if is_encoded else text.encode("utf-8", "replace"))
    return _CONTROL.sub(" ", decode(b"".join(pieces), charset)[0])
