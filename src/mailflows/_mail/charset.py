"""Bytes → text, in the charset that a message declares, forgets or lies about."""

from __future__ import annotations

import codecs
import re
from encodings.aliases import aliases
from functools import lru_cache

__all__ = ["decode", "is_known"]

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
_OTHER_NAMES = {
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
    """Say whether a name is a charset that can be read.

    >>> is_known("Windows-1252"), is_known("punycode")
    (True, False)
    """
    return _codec(charset.lower()[:40]) is not None


@lru_cache(maxsize=512)
def _codec(charset: str) -> str | None:
    """Return the name of a codec that is a charset, or `None`."""
    name = _NOT_IN_NAMES.sub("_", charset).strip("_")
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
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
