"""Tracked messages: what changes, what stays, and what comes back."""

from __future__ import annotations

import base64
import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import browser
from mailflows import Flow
from mailflows._html.tree import MAX_ELEMENTS, parse
from mailflows._mail.edit import text_parts
from mailflows._mail.structure import normal
from mailflows.errors import ConfigurationError, MessageError, TokenError
from mailflows.testing import FixedClock
from mailflows.tracking import SKIPPED, Purpose, Tracker
from shared_cases import ROOT as SHARED

PROJECT = Path(__file__).resolve().parents[2]
KEY, BASE = b"k" * 32, "https://t.shop.example/"
HREF = re.compile(r'href="([^"]*)"')
TRACKER = Tracker([KEY], BASE, clock=FixedClock(), utm={"utm_source": "news"})


def page(html: str, *, cte: str = "8bit", charset: str = "utf-8", newline: str = "\n") -> bytes:
    """Return a message with a text and this HTML, as the standard library writes it."""
    message = EmailMessage()
    message["Subject"] = "Offers"
    message["List-Unsubscribe"] = "<https://shop.example/leave/42>, <mailto:leave@shop.example>"
    message.set_content("See https://shop.example/")
    message.add_alternative(html, subtype="html", cte=cte, charset=charset)
    message.set_boundary("a-boundary")  # the standard library would draw lots
    return message.as_bytes(policy=message.policy.clone(linesep=newline))


def html_of(raw: bytes) -> str:
    """Return the HTML of a message."""
    return next(part.text for part in text_parts(raw) if part.content_type == "text/html")


def rewritten(html: str, tracker: Tracker = TRACKER) -> str:
    """Return HTML as it is sent to recipient 42 of the spring campaign."""
    return html_of(tracker.rewrite(page(html), campaign="spring", recipient="42"))


def target(html: str, tracker: Tracker = TRACKER) -> str | None:
    """Return where the first link of tracked HTML leads."""
    found = HREF.search(html)
    assert found
    return tracker.decode(found[1], "click").url


LINKS = st.builds(
    "<a href={0}{1}{0}>{2}</a>".format,
    st.sampled_from(['"', "'"]),
    st.from_regex(r"(https?://|mailto:|#|)[a-z=&é. ]{0,60}(#[a-z]{1,3})?", fullmatch=True),
    st.sampled_from(["Go", "Unsubscribe", "é" * 50]),
)
HTML = st.lists(
    st.one_of(
        LINKS, st.sampled_from(["<!--[if mso]>", "<![endif]-->", "</body>", "\n", "word " * 9, "<body>"])
    ),
    max_size=12,
).map("".join)
MAILS = st.builds(
    page,
    HTML,
    cte=st.sampled_from(["8bit", "quoted-printable", "base64"]),
    charset=st.sampled_from(["utf-8", "iso-8859-1"]),
    newline=st.sampled_from(["\n", "\r\n"]),
)


@pytest.mark.property
@given(MAILS)
def test_rewriting_twice_is_rewriting_once(raw: bytes) -> None:
    """A message that is rewritten already stays as it is, also later; for somebody else it is signed anew."""
    clock = FixedClock()
    tracker = Tracker([KEY], BASE, clock=clock)
    once = tracker.rewrite(raw, campaign="spring", recipient="42")
    other = tracker.rewrite(raw, campaign="autumn", recipient="7")
    assert tracker.rewrite(once, campaign="autumn", recipient="7") == other
    clock.advance(5)
    assert tracker.rewrite(once, campaign="spring", recipient="42") == once


def test_what_cannot_be_signed_anew_is_an_error() -> None:
    """Links of another key, and another recipient's way to leave, would count for the wrong person."""
    foreign = Tracker([b"another key of thirty-two bytes."], BASE).rewrite(
        page('<a href="https://shop.example/">Go</a>'), campaign="spring", recipient="42"
    )
    leave = page(f'<a href="{TRACKER.unsubscribe_url(campaign="spring", recipient="42")}">Leave</a>')
    for raw in (foreign, leave):
        with pytest.raises(ConfigurationError) as caught:
            TRACKER.rewrite(raw, campaign="spring", recipient="43")
        assert caught.value.field == "message"
    assert b"/o/" in TRACKER.rewrite(leave, campaign="spring", recipient="42")


@pytest.mark.property
@given(MAILS)
def test_undo_gives_the_original_bytes(raw: bytes) -> None:
    """Nothing is lost by rewriting: not a soft line break, not an escape."""
    sent = TRACKER.rewrite(raw, campaign="spring", recipient="42")
    assert sent != raw or "<!--" in html_of(raw) or not html_of(raw).strip()
    assert TRACKER.undo(sent) == raw


@pytest.mark.property
@given(MAILS)
def test_nothing_else_changes(raw: bytes) -> None:
    """Around new values and the pixel stands what stood there before, and no other part is touched."""
    sent = TRACKER.rewrite(raw, campaign="spring", recipient="42")
    old, new = (text_parts(found)[1] for found in (raw, sent))
    assert sent[: new.start] == raw[: old.start]
    assert sent[new.stop :] == raw[old.stop :]
    kept = re.split(
        rf"{BASE}c/[\w-]+", re.sub(rf'<img src="{BASE}o/[^>]*>', "", new.text.replace("\r\n", "\n"))
    )
    assert re.fullmatch("https?://[^\"'<>]*".join(map(re.escape, kept)), old.text.replace("\r\n", "\n"))
    assert len(kept) - 1 == sum(link.is_tracked for link in TRACKER.links(raw))


def corpora(part: int, parts: int) -> list[bytes]:
    """Return a part of the HTML messages of the project and, where they are, of the outside corpus."""
    folders = [PROJECT / "corpus", PROJECT / "examples" / "messages", SHARED / "corpus"]
    paths = [path for folder in folders for path in sorted(folder.rglob("*.eml"))]
    raws = [path.read_bytes() for path in paths[part::parts]]
    return [raw for raw in raws if b"text/html" in raw.lower()]


@pytest.mark.parametrize("part", range(4))
def test_laws_hold_for_real_messages(part: int) -> None:
    """Every HTML message of the corpora is rewritten once, and restored to the byte.

    Only line ends that no server takes are mended before. In parts, for several processors.
    """
    raws = [normal(raw)[0] for raw in corpora(part, 4)]
    sent = [TRACKER.rewrite(raw, campaign="spring", recipient="42") for raw in raws]
    assert sum(a != b for a, b in zip(raws, sent, strict=True)) > 0.9 * len(raws)
    for raw, once in zip(raws, sent, strict=True):
        assert TRACKER.rewrite(once, campaign="spring", recipient="42") == once
        assert TRACKER.undo(once) == raw


@pytest.mark.parametrize(
    ("link", "skipped"),
    [
        ('<a href="https://shop.example/">x</a>', ""),
        ('<area href="HTTP://shop.example">', ""),
        ('<a href="mailto:ada@lovelace.example">x</a>', "not-web"),
        ('<a href="tel:123">x</a>', "not-web"),
        ('<a href="#top">x</a>', "not-web"),
        ('<a href="javascript:alert(1)">x</a>', "not-web"),
        ('<a href="/relative">x</a>', "not-web"),
        ('<a data-no-track href="https://shop.example/">x</a>', "opted-out"),
        ('<a href="https://t.shop.example/c/x">x</a>', "own"),
        ('<a href="https://shop.example/leave/42">x</a>', "unsubscribe"),
        ('<a href="https://shop.example/x">Hier <b>abmelden</b></a>', "unsubscribe"),
        ('<a href="https://shop.example/unsubscribe?u=1">x</a>', "unsubscribe"),
        ('<a href="https://shop.example/{{ id }}">x</a>', "placeholder"),
        ('<a href="https://shop.example/*|ID|*">x</a>', "placeholder"),
        ('<a href="https://shop.example/a b">x</a>', "unusual"),
        ('<a href="https://[broken/">x</a>', "unusual"),
        ('<a href="https://shop.example/\\@evil.example">x</a>', "unusual"),
        (f'<a href="https://shop.example/{"x" * 2000}">x</a>', "long"),
        ('<a href="https://cdn.example/x">x</a>', "host"),
        ('<a href="https://www.cdn.example:8080/x">x</a>', "host"),
        ('<a href="https://othercdn.example/x">x</a>', ""),
    ],
)
def test_links_left_alone(link: str, skipped: str) -> None:
    """What leads to no page, leaves a list, is opted out or unclear is not tracked, and says why."""
    tracker = Tracker([KEY], BASE, skip_hosts=["cdn.example"])
    (found,) = tracker.links(page(link))
    assert found.skipped == skipped
    assert (link not in rewritten(link, tracker)) is found.is_tracked
    assert str(found).endswith(SKIPPED.get(skipped, "tracked"))


def test_only_some_hosts() -> None:
    """With *hosts*, only links to these and to hosts below them are tracked."""
    tracker = Tracker([KEY], BASE, hosts=["shop.example"])
    html = '<a href="https://www.shop.example/">a</a><a href="https://other.example/">b</a>'
    assert [link.skipped for link in tracker.links(page(html))] == ["", "host"]


def test_conditional_comments_stay() -> None:
    """What only Outlook reads is not touched."""
    html = '<!--[if mso]><a href="https://shop.example/1">x</a><![endif]--><a href="https://shop.example/2">y</a>'
    assert rewritten(html).startswith('<!--[if mso]><a href="https://shop.example/1">x</a><![endif]-->')


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://shop.example", "https://shop.example?utm_campaign=spring&utm_source=news"),
        (
            "https://shop.example/?a=1&amp;b=2#c",
            "https://shop.example/?a=1&b=2&utm_campaign=spring&utm_source=news#c",
        ),
        ("https://shop.example/?utm_source=own", "https://shop.example/?utm_source=own&utm_campaign=spring"),
        (
            "https://shop.example/?q=a%20b%26",
            "https://shop.example/?q=a%20b%26&utm_campaign=spring&utm_source=news",
        ),
        ("https://shop.example/é?", "https://shop.example/é?utm_campaign=spring&utm_source=news"),
    ],
)
@pytest.mark.parametrize("cte", ["8bit", "quoted-printable", "base64"])
def test_targets_keep_their_query(href: str, expected: str, cte: str) -> None:
    """Parameters are added without breaking a query or a fragment, and none that is there is doubled."""
    sent = TRACKER.rewrite(page(f'<a href="{href}">x</a>', cte=cte), campaign="spring", recipient="42")
    assert target(html_of(sent)) == expected


@pytest.mark.parametrize(
    ("html", "before", "behind"),
    [
        ("<body>x</body></html>", "<body>x", "</body></html>"),
        ("<html>x</HTML>\n", "<html>x", "</HTML>\n"),
        ("x", "x\n", ""),
        ("<body class=a>" + "x" * 100_001 + "</body>", "<body class=a>", "x" * 100_001 + "</body>\n"),
    ],
)
def test_the_pixel_is_at_the_end_unless_that_is_clipped(html: str, before: str, behind: str) -> None:
    """It stands in front of the body's end; on a page that Gmail cuts, at its start."""
    found, _, rest = rewritten(html).partition("<img ")
    assert (found, rest.partition(">")[2].strip()) == (before, behind.strip())


@pytest.mark.parametrize(
    "html",
    [
        "<p>x</p><!-- so far",
        "<p>x</p><a href=",
        "<p>x</p></",
        "<p>x</p><style>p{}",
        "<plaintext>x",
        "<b>x</b>" * MAX_ELEMENTS,
        "<body>" + "<b>x</b>" * MAX_ELEMENTS + "</body>",
    ],
    ids=["comment", "tag", "end", "style", "plain", "many", "many in a body"],
)
def test_a_page_that_breaks_off_gets_no_pixel(html: str) -> None:
    """It would become a part of the tag or the comment, or stand where the page was not read."""
    assert "<img" not in rewritten(html)
    assert "<img" in rewritten(f"<body>x</body>{html}" if len(html) < 100 else "<b>x</b>")


@pytest.mark.property
@given(
    st.lists(
        st.sampled_from(
            ["<body>", "</body>", "<p>", "<!--", "-->", "<style>", "</style>", "<a", ">", "x", "'"]
        )
    )
)
def test_a_pixel_changes_no_other_tag(pieces: list[str]) -> None:
    """Without it the page has the tags that it had, in the same places."""
    html = html_of(page("".join(pieces)))
    sent = rewritten(html)
    found = [tag for tag in parse(sent).elements if tag.get("src").startswith(f"{BASE}o/")]
    assert len(found) == sent.count("<img")
    for pixel in found:
        assert sent[: pixel.start] + sent[pixel.end :] == html


def test_a_pixel_says_who_opened() -> None:
    """Its address is read again, as an open and as nothing else."""
    found = re.search(r'src="([^"]*)"', rewritten("<p>x</p>"))
    assert found
    opened = TRACKER.decode(found[1], Purpose.OPEN)
    assert (opened.campaign, opened.recipient, opened.url) == ("spring", "42", None)
    with pytest.raises(TokenError):
        TRACKER.decode(found[1], "click")


def test_opens_and_clicks_can_be_left_out() -> None:
    """Each kind of tracking is asked for by itself."""
    html = '<a href="https://shop.example/">x</a>'
    assert "<img" not in rewritten(html, Tracker([KEY], BASE, opens=False))
    assert html in rewritten(html, Tracker([KEY], BASE, clicks=False))


def test_who_does_not_want_it_is_not_tracked() -> None:
    """The message stays as it is."""
    raw = page('<a href="https://shop.example/">x</a>')
    assert TRACKER.rewrite(raw, campaign="spring", recipient="42", do_not_track=True) == raw


@pytest.mark.parametrize("kind", ["signed", "encrypted"])
def test_signed_messages_stay(kind: str) -> None:
    """A change would break what S/MIME or PGP signed."""
    raw = page('<a href="https://shop.example/">x</a>').replace(
        b"multipart/alternative", f"multipart/{kind}".encode()
    )
    assert TRACKER.rewrite(raw, campaign="spring", recipient="42") == raw
    assert TRACKER.undo(raw) == raw
    assert [link.skipped for link in TRACKER.links(raw)] == ["signed"]


def test_uneven_base64_stays() -> None:
    """A part that could not be restored is left alone, and says so."""
    head = b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n"
    raw = head + b"PGEgaHJlZj1o\ndHRwOi8vYS5leGFtcGxlPng8L2E+\n\n"
    assert TRACKER.rewrite(raw, campaign="spring", recipient="42") == raw
    assert [link.skipped for link in TRACKER.links(raw)] == ["encoding"]


def test_a_link_too_long_for_a_token_stays() -> None:
    """In quoted-printable each "=" takes three characters, and the source is what a token holds."""
    raw = page(f'<a href="https://shop.example/?{"a=" * 900}">x</a>', cte="quoted-printable")
    assert [link.skipped for link in TRACKER.links(raw)] == ["unusual"]


def test_lines_stay_within_the_limit() -> None:
    """A link that would make a line longer than 998 octets is left alone; the next line starts anew."""
    link = '<a href="https://shop.example/">x</a>'
    raw = b"Content-Type: text/html\n\n" + ("y" * 900 + link + "\n" + link + "\n").encode()
    sent = TRACKER.rewrite(raw, campaign="spring", recipient="42")
    assert [link.skipped for link in TRACKER.links(raw)] == ["line", ""]
    assert max(map(len, sent.splitlines())) <= 998


def test_lines_that_are_too_long_already_are_tracked() -> None:
    """A page in one endless line is not made worse."""
    raw = b"Content-Type: text/html\n\n" + b"y" * 2000 + b'<a href="https://shop.example/">x</a>'
    assert [link.skipped for link in TRACKER.links(raw)] == [""]


@pytest.mark.parametrize("flow", [Flow.TRANSACTIONAL, "professional"])
def test_other_flows_are_refused_unless_asked(flow: Flow | str) -> None:
    """Tracking a receipt or a letter needs a decision, and the error says how."""
    with pytest.raises(ConfigurationError, match="any_flow=True") as caught:
        Tracker([KEY], BASE, flow)
    assert caught.value.field == "flow"
    assert repr(Tracker([KEY], BASE, flow, any_flow=True)) == f"<Tracker for {flow} mail at {BASE}>"


@pytest.mark.parametrize(
    "base", ["", "t.shop.example", "ftp://t.example/", "https://t.example/?a=1", 'https://t.example/"']
)
def test_a_base_must_be_an_address(base: str) -> None:
    """What cannot have a path behind it, or would break out of its attribute, is refused."""
    with pytest.raises(ConfigurationError) as caught:
        Tracker([KEY], base)
    assert caught.value.field == "base_url"


@pytest.mark.parametrize("recipient", ["", "ada@lovelace.example", "x" * 101, "a\nb", 42])
def test_ids_name_nobody(recipient: object) -> None:
    """An address never gets into a link, nor into the error."""
    with pytest.raises(ConfigurationError) as caught:
        TRACKER.rewrite(page("x"), campaign="spring", recipient=recipient)  # type: ignore[arg-type]
    assert caught.value.field == "recipient"
    assert "lovelace" not in str(caught.value)


def test_links_expire_and_unsubscribing_does_not() -> None:
    """A click of three years ago is refused; leaving a list always works, and undoing too."""
    clock = FixedClock()
    tracker = Tracker([KEY], BASE, clock=clock)
    raw = page('<a href="https://shop.example/">x</a>')
    sent = tracker.rewrite(raw, campaign="spring", recipient="42")
    leave = tracker.unsubscribe_url(campaign="spring", recipient="42")
    clock.advance(3 * 365 * 86400)
    with pytest.raises(TokenError, match="expired"):
        target(html_of(sent), tracker)
    assert tracker.decode(leave, "unsubscribe").recipient == "42"
    assert tracker.undo(sent) == raw


def test_what_another_key_signed_stays() -> None:
    """Nobody's links are undone but our own."""
    sent = Tracker([b"f" * 32], BASE).rewrite(
        page('<a href="https://x.example/">x</a>'), campaign="a", recipient="1"
    )
    assert TRACKER.undo(sent) == sent


def test_a_folded_unsubscribe_address_is_known() -> None:
    """A line end inside the brackets of List-Unsubscribe is no part of the address (RFC 2369)."""
    head = b"List-Unsubscribe: <https://shop.example/\r\n leave/42>\r\nContent-Type: text/html\r\n\r\n"
    raw = head + b'<a href="https://shop.example/leave/42">x</a>'
    assert [link.skipped for link in TRACKER.links(raw)] == ["unsubscribe"]


def test_unsubscribe_headers() -> None:
    """The pair of RFC 8058, whose address unsubscribes and does nothing else."""
    headers = TRACKER.unsubscribe_headers(campaign="spring", recipient="42")
    url = headers["List-Unsubscribe"].strip("<>")
    assert TRACKER.decode(url, "unsubscribe").recipient == "42"
    with pytest.raises(TokenError):
        TRACKER.decode(url, "click")


def test_a_honeypot_leads_nowhere() -> None:
    """It is known as such, has no target, and is neither tracked again nor undone."""
    url = TRACKER.honeypot_url(campaign="spring", recipient="42")
    found = TRACKER.decode(url, "click")
    assert (found.is_honeypot, found.url) == (True, None)
    raw = page(f'<a href="{url}"></a>')
    assert TRACKER.undo(TRACKER.rewrite(raw, campaign="spring", recipient="42")) == raw


def test_a_token_of_other_fields_is_refused() -> None:
    """A good signature under other contents, from the same key in another program, is no hit."""
    text = TRACKER._addresses.signer.to_url(Purpose.CLICK, "spring", "42")
    with pytest.raises(TokenError) as caught:
        TRACKER.decode(text, "click")
    assert caught.value.reason == "malformed"


def test_a_bounce_address_fits() -> None:
    """It is read in any case, and its local part has at most 64 octets."""
    address = TRACKER.bounce_address("b.example", campaign="2026", recipient="123456789012")
    assert len(address.partition("@")[0]) <= 64
    assert TRACKER.decode(address.upper(), "bounce").recipient == "123456789012"


def test_an_email_message_is_taken() -> None:
    """What the standard library composes is rewritten as it would be sent."""
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content('<a href="https://shop.example/">x</a>', subtype="html")
    assert b"/c/" in TRACKER.rewrite(message, campaign="spring", recipient="42")


@pytest.mark.parametrize("raw", [None, b"", b"\n", b"\xff" * 99, b"<p>a page</p>"])
def test_no_message_is_refused(raw: bytes | None) -> None:
    """What cannot be read says so."""
    with pytest.raises(MessageError):
        TRACKER.rewrite(raw, campaign="spring", recipient="42")  # type: ignore[arg-type]


@pytest.mark.parametrize("raw", [b"Subject: x", b"Content-Type: text/html\n\n<a href=https://"])
def test_damaged_messages_do_not_raise(raw: bytes) -> None:
    """Whatever comes is sent as it came, or tracked, and restored."""
    sent = TRACKER.rewrite(raw, campaign="spring", recipient="42")
    assert TRACKER.undo(sent) == raw


@pytest.mark.parametrize(
    ("recipient", "said"),
    [
        (42, "int: write it as text"),
        (None, "NoneType"),
        ("ada@example.org", "an address: use an ID"),
        ("", "0 characters"),
        ("x" * 101, "101 characters"),
        ("a\nb", "control characters"),
    ],
)
def test_an_id_that_is_none_is_told_why(recipient: object, said: str) -> None:
    """What came is said, and what to do, and no address is repeated."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        TRACKER.rewrite(b"Subject: x\n\nx", campaign="spring", recipient=recipient)  # type: ignore[arg-type]
    assert "example.org" not in str(caught.value)


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_long_lines_are_written_anew_where_asked(is_whole: bool, newline: str) -> None:  # noqa: FBT001
    """Else their links are left alone; the text stays what it is, and undoing keeps the new writing."""
    html = f'<p>Zoë {"x" * 850} <a href="https://shop.example/">Go</a> {"y" * 70}</p>'
    head = "Content-Type: text/html; charset=utf-8\n"
    part = f"{head}\n{html}\n" if is_whole else f"{head}Content-Transfer-Encoding: 8bit\n\n{html}\n"
    outer = f"Content-Type: multipart/mixed; boundary=b\n\n--b\n{part}--b--\n"
    raw = (part if is_whole else outer).replace("\n", newline).encode()
    assert [link.skipped for link in TRACKER.links(raw)] == ["line"]
    tracker = Tracker([KEY], BASE, reencode=True)
    assert [link.skipped for link in tracker.links(raw)] == [""]
    sent = tracker.rewrite(raw, campaign="spring", recipient="42")
    assert b"/c/" in sent.replace(b"=" + newline.encode(), b"")
    assert max(map(len, sent.splitlines())) <= 78
    assert tracker.rewrite(sent, campaign="spring", recipient="42") == sent
    assert [p.text for p in text_parts(tracker.undo(sent))] == [p.text for p in text_parts(raw)]


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_letters_of_two_octets_are_left_alone(charset: str) -> None:
    """A pixel in ASCII would make such a page unreadable; the reason is told for each link."""
    content = base64.encodebytes('<p>Zoë <a href="https://shop.example/">Go</a></p>'.encode(charset))
    head = f"Content-Type: text/html; charset={charset}\nContent-Transfer-Encoding: base64\n\n"
    raw = head.encode() + content
    assert TRACKER.rewrite(raw, campaign="spring", recipient="42") == raw
    assert [(link.url, link.skipped) for link in TRACKER.links(raw)] == [("https://shop.example/", "charset")]


def test_a_page_that_says_it_is_text_is_told() -> None:
    """Most readers show its source; its links are not silently forgotten."""
    raw = b'Subject: x\n\n<a href="https://shop.example/">Go</a>'
    assert TRACKER.rewrite(raw, campaign="spring", recipient="42") == raw
    assert [link.skipped for link in TRACKER.links(raw)] == ["not-html"]


def test_the_pixel_moves_nothing(tmp_path: Path) -> None:
    """In a real browser a page is as high with the pixel as without it, at its end and at its start."""
    measured = "<script>document.title=document.documentElement.scrollHeight</script>"
    for filling in (
        "<p>Offers</p>",
        "Offers",
        "<div style='height:3000px'></div>",
        f"<!--{'x' * 100_001}-->a",
    ):
        html = f"<html><head></head><body>{filling}{{}}</body></html>"
        plain, tracked = html.format(""), rewritten(html.format(""))
        heights = [
            re.findall(
                "<title>([^<]*)", browser.dumped(page.replace("</html>", f"{measured}</html>"), tmp_path)
            )
            for page in (plain, tracked)
        ]
        assert heights[0] == heights[1] != []
