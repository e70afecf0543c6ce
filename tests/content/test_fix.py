"""Repairs: they remove what was found, change nothing else, and a second run changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile import GENERATORS
from mailflows import ConfigurationError, Message, MessageError
from mailflows.content import REPAIRS, FixResult, codes, fix, fix_html, lint, lint_html, plain_text
from mailflows.content._page import Page
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
HEAD = b"From: Shop <news@shop.example>\nTo: ada@example.org\nSubject: Your order\n"
PAGE = (
    b"<html><head><style>p { color: #333 } .h { display: none }</style></head><body>"
    b"<div class=h>preview</div><script>x()</script><table><tr><td onclick=y()>"
    b"<p>Dear Ada, your order has left our house and will reach you tomorrow.</p>"
    b"<form action=z><input name=q><button>Search</button></form>"
    b"<a href='https://shop.example/o?a=1&amp;b=2'>your order</a><img src=s.gif width=1>"
    b"</td></tr></table></body></html>"
)
HTML_ONLY = HEAD + b"Content-Type: text/html; charset=utf-8\n\n" + PAGE
ALL: dict[str, Any] = {
    "only": set(REPAIRS),
    "flow": "marketing",
    "unsubscribe": "https://shop.example/u/x7Qk2",
    "clock": FixedClock(NOW),
}


def html_of(raw: bytes) -> str:
    """Return the HTML of a message, by the standard library."""
    part = message_from_bytes(raw, policy=policy.default).get_body(("html",))
    assert part is not None
    return str(part.get_content())


def test_everything_is_repaired_at_once() -> None:
    """Nothing that the repairs are for is found afterwards."""
    result = fix(HTML_ONLY, **ALL)
    assert set(result.done) == set(REPAIRS) - {"auto-submitted"}
    assert [f.code for f in lint(result.data, flow="marketing") if f.fix in result.done] == []


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("encoding", ["", "quoted-printable", "base64"])
def test_a_second_run_changes_nothing(encoding: str, newline: bytes) -> None:
    """Byte for byte, whatever the transfer encoding and the line ends."""
    message = message_from_bytes(HTML_ONLY, policy=policy.default)
    if encoding:
        message.set_content(PAGE.decode(), subtype="html", cte=encoding)
    raw = message.as_bytes(policy=policy.default.clone(linesep=newline.decode()))
    once = fix(raw, **ALL)
    twice = fix(once.data, **ALL)
    assert (twice.data, twice.done) == (once.data, ())


@pytest.mark.parametrize("name", REPAIRS)
def test_each_repair_is_one(name: str) -> None:
    """Alone it removes its findings, and a second run changes nothing."""
    flow = "transactional" if name == "auto-submitted" else "marketing"
    options = ALL | {"only": [name], "flow": flow}
    once = fix(HTML_ONLY, **options)
    assert once.done == (name,)
    assert fix(once.data, **options).data == once.data
    removed = {code.name for code in codes().values() if code.fix == name}
    assert removed.isdisjoint(f.code for f in lint(once.data, flow=flow))


def test_visible_text_and_links_stay() -> None:
    """The reader sees what was seen before."""
    before, after = Page(html_of(HTML_ONLY)), Page(html_of(fix(HTML_ONLY, **ALL).data))
    assert before.text == after.text
    assert [link.href for link in before.links] == [link.href for link in after.links]


def test_what_is_not_repaired_keeps_its_bytes() -> None:
    """A header is added; the rest is the same, byte for byte, odd as it is."""
    raw = b"from:a@shop.example\r\nX-Odd:  \t y\r\n z\r\n\r\nbody \xff\r\n"
    fixed = fix(raw, only=["date"], clock=FixedClock(NOW)).data
    assert fixed.replace(b"Date: Mon, 04 May 2026 10:00:00 +0000\r\n", b"") == raw


def test_the_plain_text_leaves_the_preview_out() -> None:
    """What a style sheet hides is not in it, and the link is."""
    message = message_from_bytes(fix(HTML_ONLY, only=["plain-text"]).data, policy=policy.default)
    part = message.get_body(("plain",))
    assert part is not None
    assert "preview" not in part.get_content()
    assert "https://shop.example/o?a=1&b=2" in part.get_content()
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"]


def test_the_html_part_keeps_its_bytes_beside_a_new_plain_part() -> None:
    """Its own header fields move with it."""
    assert PAGE in fix(HTML_ONLY, only=["plain-text"]).data


RELATED = (
    HEAD + b'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="r"\n\nhello\n--r\n'
    b"Content-Type: text/html\n\n<p>Dear Ada</p><img src=cid:1>\n--r\nContent-Type: image/png\n"
    b"Content-ID: <1>\n\nPNG\n--r--\n"
)


def test_a_page_with_its_images_gets_a_plain_part() -> None:
    """The HTML inside of multipart/related becomes an alternative; the image stays beside it."""
    message = message_from_bytes(fix(RELATED, only=["plain-text"]).data, policy=policy.default)
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/related", "multipart/alternative", "text/plain", "text/html", "image/png"]
    assert not message.defects


def test_an_empty_plain_part_is_filled() -> None:
    """No second one is made."""
    raw = HEAD + (
        b"Content-Type: multipart/alternative; boundary=x\n\n"
        b"--x\nContent-Type: text/plain; charset=utf-8\n\n\n"
        b"--x\nContent-Type: text/html; charset=utf-8\n\n<p>caf\xc3\xa9</p>\n--x--\n"
    )
    assert Message.read(fix(raw, only=["plain-text"]).data).text.strip() == "café"


def test_a_plain_part_without_the_letters_is_said() -> None:
    """Nothing is lost in a charset that cannot hold it."""
    raw = HEAD + (
        b"Content-Type: multipart/alternative; boundary=x\n\n"
        b"--x\nContent-Type: text/plain; charset=latin-1\n\n\n"
        b"--x\nContent-Type: text/html; charset=utf-8\n\n<p>\xe2\x82\xac 5</p>\n--x--\n"
    )
    result = fix(raw, only=["plain-text"])
    assert result.data == raw
    assert "lacks" in dict(result.skipped)["plain-text"]


def test_a_mail_address_for_unsubscribing_stays() -> None:
    """Behind the https address."""
    raw = b"List-Unsubscribe: <mailto:u@shop.example>\n" + HEAD + b"\nHello"
    fixed = Message.read(fix(raw, **ALL).data)
    assert fixed.get("list-unsubscribe") == "<https://shop.example/u/x7Qk2>, <mailto:u@shop.example>"
    assert fixed.get("list-unsubscribe-post") == "List-Unsubscribe=One-Click"


def test_an_https_address_that_is_there_is_kept() -> None:
    """Only its partner is added."""
    raw = b"List-Unsubscribe: <https://shop.example/mine>\n" + HEAD + b"\nHello"
    assert b"List-Unsubscribe: <https://shop.example/mine>\n" in fix(raw, **ALL).data


def test_a_repair_that_lacks_something_says_what() -> None:
    """An address to unsubscribe, a domain for the Message-ID."""
    skipped = dict(fix(b"Subject: x\n\nHello", flow="marketing").skipped)
    assert "unsubscribe" in skipped["list-unsubscribe"]
    assert "domain" in skipped["message-id"]


def test_styles_are_inlined_and_the_sheet_stays() -> None:
    """Media queries live in it, and still win where they won."""
    css = "<style>p { color: red; margin: 0 } @media (max-width: 9px) { p { color: blue } }</style>"
    raw = HEAD + b"Content-Type: text/html\n\n" + f"{css}<p style='margin: 1px'>x</p>".encode()
    fixed = fix(raw, only=["inline-css"]).data
    assert b'<p style="color: red; margin: 1px">' in fixed
    assert css.replace("blue", "blue !important").encode() in fixed


def test_a_bad_declaration_does_not_stop_inlining() -> None:
    """It stays behind alone."""
    raw = HEAD + b"Content-Type: text/html\n\n<style>p { color: red; ;: }{ } p { width: 1px }</style><p>x</p>"
    assert b'<p style="color: red' in fix(raw, only=["inline-css"]).data


@pytest.mark.parametrize(
    "options",
    [
        {"only": ["polish"]},
        {"flow": "bulk"},
        {"unsubscribe": "http://shop.example/u"},
        {"unsubscribe": "https://shop.example/u?a=ada@example.org"},
    ],
)
def test_a_wrong_word_is_refused(options: dict[str, Any]) -> None:
    """Before anything is changed."""
    with pytest.raises(ConfigurationError):
        fix(HTML_ONLY, **options)


def test_a_message_that_was_read_cannot_be_repaired() -> None:
    """Its bytes are gone."""
    with pytest.raises(ConfigurationError, match="bytes"):
        fix(Message.read(HTML_ONLY))


def test_a_result_says_what_was_done() -> None:
    """As text, as data, as HTML."""
    result = fix(HTML_ONLY, only=["date", "list-unsubscribe"], flow="marketing", clock=FixedClock(NOW))
    assert bytes(result) == result.data
    assert str(result) == "repaired: date"
    assert result.to_dict()["done"] == ["date"]
    assert "list-unsubscribe" in result.to_text()
    assert "list-unsubscribe" in result._repr_html_()


@pytest.mark.parametrize("name", GENERATORS)
def test_hostile_messages_have_an_answer(name: str) -> None:
    """A result or a MessageError; and where there is a result, a second run changes nothing."""
    try:
        result = fix(GENERATORS[name](20_000), **ALL)
    except MessageError:
        return
    assert isinstance(result, FixResult)
    assert fix(result.data, **ALL).data == result.data


PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "<p>",
                "</p>",
                "<table>",
                "<tr><td>",
                "</table>",
                "<div style='display:none'>",
                "</div>",
                "<br>",
            ),
            *(
                "<script>x</script>",
                "<form>",
                "</form>",
                "<button>b</button>",
                "<input>",
                "<ul><li>",
                "</ul>",
            ),
            *("<img width=1>", "<img src='a'>", "<a href='https://x.example'>", "</a>", "text", "&", "é"),
            *(
                "<!--c-->",
                "<textarea>t</textarea>",
                "<select><option>o</select>",
                "<html>",
                "<body onload=x>",
            ),
            "<style>p{color:red}</style>",
        ]
    ),
    max_size=30,
)


@pytest.mark.property
@given(PIECES)
def test_repairs_are_stable_on_any_page(pieces: list[str]) -> None:
    """The second run changes nothing, and the links are those of before."""
    page = " ".join(pieces)
    raw = HEAD + b"Content-Type: text/html; charset=utf-8\n\n" + page.encode()
    once = fix(raw, **ALL)
    assert fix(once.data, **ALL).data == once.data
    if once.data != raw:
        after = Page(html_of(once.data))
        assert [link.href for link in Page(page).links] == [link.href for link in after.links]


def test_a_template_is_repaired_like_the_page_of_a_message() -> None:
    """What `lint_html` calls fixable about the page is gone, and a second run changes nothing."""
    once = fix_html(PAGE.decode())
    assert "active-content" in once.done
    left = {f.fix for f in lint_html(once.data.decode()).findings} - {None, ""}
    assert left == {"forms"} == set(dict(once.skipped))
    assert fix_html(once.data.decode()).done == ()


@given(st.text())
def test_any_text_is_a_template(text: str) -> None:
    """Text without a tag comes back as it is, but for what is no character."""
    plain = text.replace("<", "")
    assert fix_html(plain).data == plain.encode("utf-8", "replace")


@pytest.mark.parametrize("function", [fix_html, lint_html, plain_text])
@pytest.mark.parametrize("name", ["newsletter.html", "/home/ada/Spring offers.HTM ", "C:\\mail\\a.eml"])
def test_the_name_of_a_file_is_not_a_page(function: Callable[[str], object], name: str) -> None:
    """It would be a page without faults; the error says how a file is passed."""
    with pytest.raises(MessageError, match=r"name of a file.* pathlib\.Path"):
        function(name)
    for text in ("see <b>a.html", "https://shop.example/a.html", "Hello", "a.html is\ngone.html"):
        function(text)


@pytest.mark.parametrize("function", [fix_html, lint_html])
def test_a_lone_surrogate_is_no_fault(function: Any) -> None:
    """It can stand in a str, and in no message."""
    assert str(function("<p>\ud800\udc80</p>"))


def test_a_template_has_no_headers_to_repair() -> None:
    """A repair of headers is refused with the names of those that a page can have."""
    with pytest.raises(ConfigurationError, match="choose from active-content, forms"):
        fix_html("<p>x</p>", only=["date"])


@pytest.mark.parametrize("selector", ["table:not([role])", "[role=presentation] td"])
def test_a_role_that_a_style_sheet_asks_for_is_not_added(selector: str) -> None:
    """It would change what is seen."""
    page = f"<style>{selector} {{ color: red }}</style><table><tr><td>x</td></tr></table>"
    assert fix_html(page, only=["roles"]).data.decode() == page
