"""Find the token in a URL or address that came back: alone, wrapped, or altered on the way."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mailflows._token import MAX_URL, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tokens_in"]

# bound: a wrapper percent-encodes a whole token up to three times over
_MAX_TEXT = 10 * MAX_URL
# bound: readings and tokens that are tried; each costs a signature
_MAX_TRIED = 16

_URL_RUN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
# A signed token of an address has at least 38 letters: 24 octets in base32.
_LOCAL_RUN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z2-7]{38,64}(?![A-Za-z0-9])", re.ASCII)
_LINE_BREAK = re.compile(r"=?[ \t]*\r?\n[ \t>]*")
# https://help.proofpoint.com, "URL Defense decoder": v2 writes "%" as "-" and "/" as "_"
_V2 = re.compile(r"urldefense\.proofpoint\.com/v2/url\?(?:[^#\s]*?&)?u=([^&\s]+)", re.IGNORECASE)
# base64 of "http", as Sophos wraps links: https://support.sophos.com, "Time of click URL protection"
_BASE64 = re.compile(r"[?&]u=(aHR0c[A-Za-z0-9+/_%-]+)", re.ASCII)


def tokens_in(text: object, purpose: Purpose, path: str) -> Iterator[str]:
    """Yield what may be the token in what came back, the likeliest first.

    Args:
        text: What came back; what is not text has no token.
        purpose: What it is asked for.
        path: What stands between slashes in front of a token for this purpose.
    """
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        return
    seen: set[str] = set()
    found = _local_runs(text) if purpose is Purpose.BOUNCE else _url_runs(text, path)
    for token in found:
        if token and token not in seen and len(seen) < _MAX_TRIED:
            seen.add(token)
            yield token


def _local_runs(text: str) -> Iterator[str]:
    """Yield what may be a token in an envelope sender: in brackets, quotes, or behind ``prvs=`` (BATV)."""
    local = text.strip().rpartition("@")[0] or text.strip()
    yield local
    yield from _LOCAL_RUN.findall(_LINE_BREAK.sub("", text))


def _url_runs(text: str, path: str) -> Iterator[str]:
    mark = f"/{path}/"
    for reading in _readings(text.strip()):
        places = [found.end() for found in re.finditer(re.escape(mark), reading)]
        for place in places:
            if run := _URL_RUN.match(reading, place):
                yield run[0]
                if run[0].endswith("__") and reading.startswith(";", run.end()):  # urldefense v3
                    yield run[0][:-2]
    last = text.strip().rpartition("/")[2]
    run = _URL_RUN.match(last)
    yield run[0] if run and not _is_word(last[run.end() :]) else last


def _is_word(rest: str) -> bool:
    """Return whether what stands behind a run of letters goes on like a token would."""
    return bool(rest) and not rest[0].isascii()


def _readings(text: str) -> Iterator[str]:
    """Yield a text as it came, without its line breaks, and as wrappers of links had it before."""
    joined = _LINE_BREAK.sub("", text)
    once = unquote(joined)
    yield from (text, joined, once, unquote(once), "".join(once.split()))
    if wrapped := _V2.search(text):
        yield unquote(unquote(wrapped[1].replace("-", "%").replace("_", "/")))
    if wrapped := _BASE64.search(text):
        yield _from_base64(unquote(wrapped[1]))


def _from_base64(text: str) -> str:
    data = text.replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64(data + "=" * (-len(data) % 4)).decode("ascii", "replace")
    except ValueError:
        return ""
