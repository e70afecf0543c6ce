"""A link that comes back as mail programs and scanners leave it still says what it said."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

import pytest

import shared_cases
from mailflows.errors import TokenError
from mailflows.tracking import Tracker

TRACKER = Tracker([b"k" * 32], "https://t.shop.example/")
RAW = b'Content-Type: text/html\n\n<a href="https://x.example/a">Offer</a>'
SENT = TRACKER.rewrite(RAW, campaign="spring", recipient="42").decode()
URL = re.findall(r'href="([^"]*)"', SENT)[0]
TOKEN = URL.rpartition("/")[2]
BOUNCE = TRACKER.bounce_address("b.example", campaign="7", recipient="42")


def in_v2(url: str) -> str:
    """Return an address in the letters of urldefense v2."""
    return "".join(c if c.isalnum() or c == "." else "_" if c == "/" else f"-{ord(c):02X}" for c in url)


def form(text: str) -> str:
    """Fill a form in which the link comes back."""
    percent = "".join(f"%{ord(c):02X}" if n % 3 == 0 else c for n, c in enumerate(TOKEN))
    return text.format(
        url=URL,
        quoted=quote(URL, safe=""),
        twice=quote(quote(URL, safe=""), safe=""),
        v2=in_v2(URL),
        head=URL[:-30],
        tail=URL[-30:],
        percent=URL.removesuffix(TOKEN) + percent,
        base64=quote(base64.b64encode(URL.encode()).decode(), safe=""),
        token=TOKEN,
    )


@pytest.mark.parametrize(
    "text",
    [
        "{url}.", "{url})", "{url}>", "<{url}>", "{url}%3D", "{url}/", "{url}?fbclid=1",
        '"{url}"', "{url}&amp;x=1",
        "{head}=\r\n{tail}", "{head}\n> {tail}", "{percent}", "{token}", "{token}.", "/c/{token}",
        "https://nam.safelinks.protection.outlook.com/?url={quoted}&data=05%7C02&reserved=0",
        "https://nam.safelinks.protection.outlook.com/?url={twice}&data=05",
        "https://urldefense.proofpoint.com/v2/url?u={v2}&d=DwMF", "https://urldefense.com/v3/__{url}__;!!abc!def$",
        "https://eu.protection.sophos.com?d=x.example&u={base64}&i=1", "https://secure-web.cisco.com/1aB/{quoted}",
    ],
)  # fmt: skip
def test_a_link_decodes_however_it_comes_back(text: str) -> None:
    """One stuck letter, a broken line, a wrapper: the signature says that it is ours."""
    assert TRACKER.decode(form(text), "click").url == "https://x.example/a"


def test_a_changed_token_stays_refused() -> None:
    """Also in a wrapper, also by one letter more that a token may have."""
    for letter in "Aa0-_":
        for text in (
            URL + letter,
            f"<{URL}{letter}>",
            f"https://w.example/?u={quote(URL + letter, safe='')}",
        ):
            with pytest.raises(TokenError):
                TRACKER.decode(text, "click")
    with pytest.raises(TokenError, match="unsubscribe"):
        TRACKER.decode(URL, "unsubscribe")


@pytest.mark.parametrize("found", [None, b"x", 7, [], {}, "", "\0", "x" * 100_000])
def test_what_is_no_token_is_a_token_error(found: object) -> None:
    """A view is given anything; one error tells that it is none of ours."""
    for purpose in ("click", "bounce"):
        with pytest.raises(TokenError) as caught:
            TRACKER.decode(found, purpose)
        assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    "text",
    [
        "<{}>",
        '"{}"',
        " <{}>\r\n",
        "prvs=0123abcdef={}",
        "PRVS=0123ABCDEF={}",
        "rfc822;{}",
        "btv1==123==={}",
        "mailto:{}",
    ],
)
def test_a_bounce_address_is_known_however_it_is_written(text: str) -> None:
    """Servers put it in brackets and tag it (BATV)."""
    assert TRACKER.decode(text.format(BOUNCE), "bounce").recipient == "42"


def test_outside_forms() -> None:
    """The outside list of forms in which links come back."""
    for row in map(json.loads, shared_cases.cases("content-2/tokens.jsonl").splitlines()):
        assert TRACKER.decode(form(row["form"]), "click").url == "https://x.example/a", row
