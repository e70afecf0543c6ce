"""Header values: encoded words, mailboxes, and parameters, as real software writes them.

Encoded words are decoded once, when a message is read. In a header with a structure the decoded text
is set in quotation marks where it must not be taken for structure: a name that decodes to
``boss@bank.example, `` does not become a second mailbox (RFC 2047 section 6.2).
"""

from __future__ import annotations

import binascii
import re
from typing import cast

from mailflows._mail.address import comment_end
from mailflows._mail.charset import decode, is_known

__all__ = ["decode_base64", "decode_value", "encoded_words", "has_inner_padding", "listed_urls", "parameters"]

_WORD_TEXT = r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?="
_WORD = re.compile(_WORD_TEXT)
# White space between two encoded words is no part of the text (RFC 2047 section 6.2).
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
_OUTSIDE = re.compile(r'(?:[^"(\\]++|"(?:[^"\\]|\\.)*+"?+|\\.?+)*+', re.DOTALL)
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
    """Say whether something follows the padding of base64."""
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
