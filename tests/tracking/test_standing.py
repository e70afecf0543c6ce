"""A link that stands where lists are left and cannot be told is not tracked; what is of the message is."""

from __future__ import annotations

import pytest

from mailflows.tracking import SKIPPED, Tracker
from mailflows.tracking._standing import identifiers

KEYS = [b"k" * 32]
TRACKER = Tracker(KEYS, "https://t.shop.example/")
BODY = (
    '<h1>News</h1><p style="font-size:16px">The oven is on: <a href="https://shop.example/oven">our story</a>'
    ', and <a href="https://shop.example/p/4711">the stool</a> is back.</p>'
)
KNOWN = '<a href="https://x.example/l/u81">Unsubscribe</a>'


def reasons(html: str, headers: str = "", tracker: Tracker = TRACKER) -> dict[str, str]:
    """Return why each link of a page is left alone, by its address."""
    raw = f"{headers}Content-Type: text/html; charset=utf-8\n\n{html}".encode()
    return {link.url: link.skipped for link in tracker.links(raw)}


def small(text: str) -> str:
    """Return a footer in small type."""
    return f'{BODY}<div style="font-size:11px">{text}</div>'


@pytest.mark.parametrize(
    "page",
    [
        small('<p><a href="X">Hush</a> | <a href="https://shop.example/privacy">Privacy</a></p>'),
        f'{BODY}<footer><p><a href="X">Hush</a></p></footer>',
        f'{BODY}<table class="mail-footer"><tr><td><a href="X">Hush</a></td></tr></table>',
        f'{BODY}<p>© 2026 Shop Ltd</p><p><a href="X">Hush</a> · {KNOWN}</p>',
        f'{BODY}<p>You receive this because you are a customer. <a href="X">No more, please</a>.</p>',
        f"{BODY}<p>Вы получили это письмо, потому что оставили адрес. <a href='X'>Забрать</a>.</p>",
        f'{BODY}<p>このメールは会員にお送りしています。<a href="X">もう会員ではない</a></p>',
        f'{BODY}<p>Warmly, the shop</p><p><a href="X">Call it a day</a></p>',
        f'<p style="font-size:10px">Wrong person? <a href="X">That is not me</a></p>{BODY}<p>{KNOWN}</p>',
        f'{BODY}<p><small>{KNOWN} <a href="X"><img src="b.png" width="90" alt=""></a></small></p>',
        f"<style>.s{{font-size:12px}}</style>{BODY}<p class='s'><a href='X'>Part company</a> {KNOWN}</p>",
        f'{BODY}<table><tr><td>{KNOWN}</td><td><a href="X">Hush</a></td></tr></table>',
    ],
)
def test_what_may_leave_a_list_is_not_tracked(page: str) -> None:
    """In small type, in what calls itself a footer, beside the reason of the mail, or last of a letter."""
    url = "https://x.example/l/7Gk2pQ"
    found = reasons(page.replace("X", url, 1) if "'X'" not in page else page.replace("'X'", f"'{url}'"))
    assert found[url] == "unclear"
    assert found["https://shop.example/oven"] == found["https://shop.example/p/4711"] == ""


@pytest.mark.parametrize(
    ("page", "url"),
    [
        (
            small(f'<p><a href="U">Women</a> | <a href="U/2">Men</a> | {KNOWN}</p>'),
            "https://shop.example/women",
        ),
        (small(f'<p><a href="U">Our policy</a> {KNOWN}</p>'), "https://shop.example/en-gb/help/returns.html"),
        (small(f'<p><a href="U">See us</a> {KNOWN}</p>'), "https://www.instagram.com/shop4711"),
        (small(f'<p>Read this <a href="U">in your browser</a>. {KNOWN}</p>'), "https://shop.example/v/8Kq2"),
        (small(f'<p><a href="U">Datenschutz</a> {KNOWN}</p>'), "https://shop.example/r/8Kq2"),
        (small(f'<p>It is at <a href="U">our shop</a>. {KNOWN}</p>'), "https://shop.example/"),
        (
            f'{BODY}<p><a href="U">Book a table</a></p><p>© 2026 Shop Ltd</p><p>{KNOWN}</p>',
            "https://x.example/l/8Kq2",
        ),
        (
            f'{BODY}<p style="font-size:16px"><a href="U">Coat</a></p><footer>{KNOWN}</footer>',
            "https://x.example/l/8K",
        ),
        ('<p>You get this because you signed up. <a href="U">The shoes</a></p>', "https://x.example/l/8Kq2"),
        (small(f'<p><a data-track href="U">Hush</a> {KNOWN}</p>'), "https://x.example/l/8Kq2"),
    ],
)
def test_what_is_known_or_of_the_message_is_tracked(page: str, url: str) -> None:
    """Sections of a shop, networks, the privacy policy, the home page, and all in front of a footer."""
    assert reasons(page.replace('"U', f'"{url}'))[url] == ""


def test_only_marketing_must_have_a_link_that_leaves() -> None:
    """The last link of a receipt is nothing special; that of a mailing without another one may be it."""
    page = f'{BODY}<p><a href="https://x.example/l/7Gk2pQ">Your parcel</a></p>'
    receipts = Tracker(KEYS, "https://t.shop.example/", "transactional", any_flow=True)
    assert reasons(page)["https://x.example/l/7Gk2pQ"] == "unclear"
    assert reasons(page, tracker=receipts)["https://x.example/l/7Gk2pQ"] == ""


@pytest.mark.parametrize(
    ("header", "url", "skipped"),
    [
        ("https://x.example/u/7Gk2pQ", "https://x.example/u/7Gk2pQ?from=mail", "unsubscribe"),
        ("https://x.example/one-click/7Gk2pQ", "https://www.shop.example/r?t=7Gk2pQ", "unsubscribe"),
        ("https://x.example/goodbye", "https://x.example/goodbye/?lang=en", "unsubscribe"),
        ("https://x.example/u/7Gk2pQ", "https://x.example/u/8Hk3rT", ""),
    ],
)
def test_what_has_the_token_of_the_header_is_not_tracked(header: str, url: str, skipped: str) -> None:
    """The address of List-Unsubscribe with another query, or its token at another address."""
    page = f'<p><a href="{url}">Hush</a></p>{BODY}<p>{KNOWN}</p>'
    assert reasons(page, f"List-Unsubscribe: <{header}>\n")[url] == skipped


def test_a_token_that_all_links_carry_tells_nothing() -> None:
    """Shops put the recipient into every address, that of the header included."""
    page = "".join(f'<p><a href="https://shop.example/p/{n}?r=7Gk2pQ">Shoe</a></p>' for n in "abc")
    found = reasons(f"{page}<p>{KNOWN}</p>", "List-Unsubscribe: <https://shop.example/u?r=7Gk2pQ>\n")
    assert set(found.values()) == {"", "unsubscribe"}
    assert found["https://shop.example/p/a?r=7Gk2pQ"] == ""


def test_a_second_rewrite_tracks_no_more() -> None:
    """What was left alone stays so once its neighbours lead to the tracker."""
    page = small(
        '<a href="https://www.facebook.com/shop"><img src="f.png"></a> <a href="https://x.example/l/7Gk2pQ">Hush</a>'
    )
    raw = f"Content-Type: text/html\n\n{page}".encode()
    once = TRACKER.rewrite(raw, campaign="spring", recipient="7")
    assert b'"https://x.example/l/7Gk2pQ"' in once
    assert TRACKER.rewrite(once, campaign="spring", recipient="7") == once


def test_the_reason_names_the_way_out() -> None:
    """Who reads that a link is unclear learns how to say that it is not."""
    assert "data-track" in SKIPPED["unclear"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://shop.example/u/55021", {"55021"}),
        ("https://shop.example/r?u=ada%40lovelace.example", {"ada@lovelace.example"}),
        ("https://shop.example/9f8e7d6c-5b4a", {"9f8e7d6c", "5b4a"}),
        ("https://shop.example/2026/11/29/oven", set()),
        ("https://shop.example/iphone-15/top-10.html", set()),
        ("https://shop.example/en/c/1204/", set()),
        ("https://shop.example/Category/7/", set()),
        ("https://shop.example/c/12045", {"12045"}),
        ("https://shop.example/c/1204/7Gk2pQ", {"7Gk2pQ"}),
        ("https://shop.example/1204", {"1204"}),
        ("https://shop.example/u/1204", {"1204"}),
        ("https://shop.example/r?c=1204", {"1204"}),
        ("https://shop.example/?utm_campaign=7Gk2pQ", set()),
        ("https://shop.example/abcdefghijklmnopqrstuvwxyz", {"abcdefghijklmnopqrstuvwxyz"}),
        ("https://[broken/7Gk2pQ", set()),
    ],
)
def test_what_may_name_a_recipient(url: str, found: set[str]) -> None:
    """Numbers, mixed letters and addresses do; words, dates, categories and the tags of a campaign do not."""
    assert identifiers(url) == found
