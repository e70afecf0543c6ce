"""Linting: each code is found where it should be, and not where it should not."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from hostile import GENERATORS
from mailflows import ConfigurationError, Flow, Message, MessageError, Severity
from mailflows.content import LintReport, codes, fix_html, lint, lint_html

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = (
    "Dear Ada, your order of books has left our house today and should arrive tomorrow. Shop, 1 High Street"
)
PAGE = f"<html lang=en><title>Order</title><body><p>{PLAIN}</p>"
TAGGED = """
{{ unsubscribe }}  {{{unsubscribe}}}  [unsubscribe]  [UNSUBSCRIBE_URL]  [link:unsubscribe_url]  %unsubscribe%
%LINK:51%  {unsubscribe}  <%= unsubscribe %>  {% unsubscribe %}  *|UNSUB|*  |UNSUB|  $unsubscribe$  http://$UNSUB$
##unsubscribe##  ###UNSUB###  [[UNSUB_LINK_EN]]  @unsubscribe@  @Model.Unsubscribe  %%unsub_center_url%%
{$unsubscribe}  {!unsub}  ((unsub))  <<unsub>>  __UNSUB__  ${unsubscribeUrl}  #{unsub}  ~~unsub~~  [%unsub%]
-unsub-  %(unsub)s  :unsub:  «unsub»
"""
MARKUP = (
    '<script type="application/ld+json">'
    '{"@context":"http://schema.org","@type":"Order","orderNumber":"1"}</script>'
)
SENT = 1_777_888_800.0
"""When the message is written, as in its Date."""

HEAD = {
    "From": "Shop <news@shop.example>",
    "To": "ada@example.org",
    "Subject": "Your order has left",
    "Date": "Mon, 04 May 2026 10:00:00 +0000",
    "Message-ID": "<1@shop.example>",
}


def written(html: str = "", text: str = PLAIN, **headers: str) -> bytes:
    """Return a complete message; a header that is empty is left out."""
    message = EmailMessage()
    for name, value in (HEAD | {n.replace("_", "-"): v for n, v in headers.items()}).items():
        if value:
            message[name] = value
    if text:
        message.set_content(text)
    if html and text:
        message.add_alternative(html, subtype="html")
    elif html:
        message.set_content(html, subtype="html")
    return message.as_bytes()


def test_a_good_message_has_no_finding_that_matters() -> None:
    """A receipt with both parts, complete headers and readable colours."""
    report = lint(written(PAGE), flow="transactional", clock=lambda: SENT)
    assert report.at_least(Severity.WARNING) == ()


CASES = {
    "missing-from": written(From=""),
    "missing-to": written(To=""),
    "missing-subject": written(Subject=""),
    "missing-date": written(Date=""),
    "missing-message-id": written(Message_ID=""),
    "header-duplicate": b"Subject: one\nFrom: a@b.example\nSUBJECT: two\n\nHello",
    "header-8bit": "Subject: Été\nFrom: a@b.example\n\nHello".encode(),
    "date-absurd": written(Date="Mon, 04 May 1998 10:00:00 +0000"),
    "from-name-deceptive": written(From='"ceo@bank.example" <a@b.example>'),
    "already-signed": written(DKIM_Signature="v=1; d=shop.example"),
    "dkim-unaligned": written(DKIM_Signature="v=1; d=relay.example"),
    "charset-wide": b"From: a@b.example\nContent-Type: text/html; charset=utf-16\n\nHello",
    "attachment-dangerous": b'From: a@b.example\nContent-Type: application/zip; name="bill.pdf.exe"\n\nx',
    "split-words": written("<p>v\u200bi\u200ba\u200bg\u200bra</p>"),
    "bidi-override": written(Subject="Bill \u202efdp.exe"),
    "look-alike-letters": written(Subject="Your \u0440aypal account"),
    "cid-missing": written("<img src='cid:logo' alt='Logo'>"),
    "page-not-read": written("<b>x</b>" * 4_000),
    "subject-test": written(Subject="Test"),
    "name-missing": written(text="Dear None, your books are here."),
    "dummy-text": written(text="Lorem ipsum dolor sit amet."),
    "invalid-date": b"Date: 4 May 26 10:00 +0000\nFrom: a@b.example\n\nHello",
    "invalid-message-id": b"Message-ID: <no-domain>\nFrom: a@b.example\n\nHello",
    "html-only": written(PAGE, text=""),
    "html-tag-missing": written("<p>Hello</p>"),
    "empty-message": b"From: a@b.example\n\n  \n",
    "plain-part-differs": written(
        PAGE, text="Quite another text that stands for nothing in this page at all"
    ),
    "long-line": b"From: a@b.example\n\n" + b"x" * 1200,
    "base64-text": b"From: a@b.example\nContent-Transfer-Encoding: base64\n\nSGVsbG8gQWRh\n",
    "undeclared-charset": b"From: a@b.example\nContent-Type: text/plain\n\nd\xc3\xa9j\xc3\xa0",
    "reply-to-elsewhere": written(Reply_To="x@other.example"),
    "subject-shouting": written(Subject="NEW PRICES TODAY"),
    "subject-exclamations": written(Subject="New prices!!"),
    "subject-long": written(Subject="word " * 20),
    "link-only": written(text="https://example.org/a"),
    "merge-tag-unresolved": written(text="Dear {{ name }}, hello"),
    "shouting-text": written(text="BUY OUR NEW THINGS " * 20),
}


@pytest.mark.parametrize(("code", "raw"), CASES.items(), ids=CASES)
def test_what_is_wrong_with_a_message_is_found(code: str, raw: bytes) -> None:
    """Each code in a message that has just this fault."""
    assert code in lint(raw)


@pytest.mark.parametrize("code", CASES)
def test_a_good_message_has_not_that_fault(code: str) -> None:
    """The same code is not found in a message without the fault."""
    assert code not in lint(written(PAGE), clock=lambda: SENT)


PAGES = {
    "link-text-mismatch": "<a href='https://evil.example/x'>https://bank.example</a>",
    "link-insecure": "<a href='http://example.org/x'>our page</a>",
    "link-shortener": "<a href='https://bit.ly/x'>our page</a>",
    "link-numeric-host": "<a href='https://192.0.2.1/x'>our page</a>",
    "link-escaped-host": "<a href='https://ex%61mple.org/x'>our page</a>",
    "link-look-alike": "<a href='https://ex\u0430mple.org/x'>our page</a>",
    "link-userinfo": "<a href='https://bank.example@evil.example/x'>our page</a>",
    "link-dangerous-scheme": "<a href=' java\nscript:alert(1)'>our page</a>",
    "link-empty": "<a href='#'>our page</a>",
    "link-relative": "<a href='page.html'>our page</a>",
    "link-generic-text": "<a href='https://example.org/x'>Click here</a>",
    "image-alt-missing": "<img src='https://example.org/a.png' width=200>",
    "spacer-alt-missing": "<img src='https://example.org/a.gif' width=1 height=1>",
    "image-size-missing": "<img src='https://example.org/a.png' alt=''>",
    "image-only": "<img src='https://example.org/a.png' alt='' width=600 height=800>",
    "image-relative": "<img src='a.png' alt='' width=20>",
    "page-large": f"<p>{'word ' * 17_000}</p>",
    "page-clipped": f"<p>{'word ' * 22_000}</p>",
    "layout-unsupported": "<div style='display: grid'>text</div>",
    "css-unsupported": "<p style='gap: 1px'>text</p>",
    "html-unsupported": "<dialog open>text</dialog>",
    "image-unsupported": "<img src='https://example.org/a.webp' alt='' width=20>",
    "contrast-low": "<p style='color: #ccc'>text</p>",
    "contrast-weak": "<p style='color: #888'>text</p>",
    "text-small": "<p style='font-size: 9px'>text</p>",
    "lang-missing": "<html><p>text</p>",
    "title-missing": "<html><p>text</p>",
    "role-missing": "<table><tr><td>text</td></tr></table>",
    "hidden-text": "<p>text</p><p style='display:none'>a lot of words that nobody will ever see</p>",
    "active-content": "<script>alert(1)</script>",
    "form": "<form><input type=text></form>",
    "saved-page": "<!-- saved from url=(0014)about:internet --><p>text</p>",
    "link-local": "<a href='http://localhost:8000/x'>your order</a>",
    "link-unnamed": "<a href='https://example.org/x'><img src='https://example.org/a.png' alt=''></a>",
    "direction-missing": "<p>\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd</p>",
    "dark-mode-half": "<meta name=color-scheme content='light dark'><p>text</p>",
    "split-words": "<p>t<!-- -->e<!-- -->x<!-- -->t</p>",
}


@pytest.mark.parametrize(("code", "page"), PAGES.items(), ids=PAGES)
def test_what_is_wrong_with_a_page_is_found(code: str, page: str) -> None:
    """Each code in a page that has just this fault."""
    assert code in lint_html(page)


@pytest.mark.parametrize("code", PAGES)
def test_a_good_page_has_not_that_fault(code: str) -> None:
    """The same code is not found in a page without the fault."""
    links = "<a href='https://example.org/x'>your order</a> <a href='https://www.example.org'>example.org</a>"
    page = "<p>text</p>" if code.endswith("unsupported") else f"<!-- note -->{PAGE}{links}"
    assert code not in lint_html(page)


FLOWS = {
    "unsubscribe-header-missing": (Flow.MARKETING, written(PAGE)),
    "unsubscribe-link-missing": (Flow.MARKETING, written(PAGE)),
    "list-id-missing": (Flow.MARKETING, written(PAGE)),
    "preheader-missing": (Flow.MARKETING, written("<img src='https://example.org/a.png'>")),
    "postal-address-missing": (Flow.MARKETING, written(text="Hello Ada, new books are here.")),
    "subject-fake-reply": (Flow.MARKETING, written(Subject="Re: our talk")),
    "unsubscribe-one-click-missing": (Flow.MARKETING, written(List_Unsubscribe="<https://shop.example/u>")),
    "unsubscribe-mailto-only": (Flow.MARKETING, written(List_Unsubscribe="<mailto:u@shop.example>")),
    "unsubscribe-not-https": (Flow.MARKETING, written(List_Unsubscribe="<http://shop.example/u>")),
    "unsubscribe-address-in-url": (
        Flow.MARKETING,
        written(List_Unsubscribe="<https://shop.example/u?a=ada%40example.org>"),
    ),
    "from-free-mail": (Flow.MARKETING, written(PAGE, From="Shop <shop@gmail.com>")),
    "recipients-in-clear": (Flow.MARKETING, written(To="a@example.org, b@example.org")),
    "auto-submitted-missing": (Flow.TRANSACTIONAL, written(PAGE)),
    "order-markup-missing": (Flow.TRANSACTIONAL, written(PAGE, Subject="Your order 4711")),
    "markup-broken": (
        Flow.TRANSACTIONAL,
        written(f"{PAGE}<script type='application/ld+json'>{{'@type': 'Order'}}</script>"),
    ),
    "unsubscribe-on-transactional": (
        Flow.TRANSACTIONAL,
        written(List_Unsubscribe="<https://shop.example/u>"),
    ),
    "tracking-pixel": (
        Flow.PROFESSIONAL,
        written(f"{PAGE}<img src='https://shop.example/o?u=123' width=1 height=1>"),
    ),
    "promotion-in-transactional": (
        Flow.TRANSACTIONAL,
        written(text=f"{PLAIN}\nSpecial offer: 20% off everything, only today! Discover our new collection."),
    ),
}


@pytest.mark.parametrize(("code", "case"), FLOWS.items(), ids=FLOWS)
def test_what_does_not_fit_a_flow_is_found(code: str, case: tuple[Flow, bytes]) -> None:
    """Each code in a message of the flow that minds it."""
    flow, raw = case
    assert code in lint(raw, flow=flow)


def test_every_code_has_a_test() -> None:
    """No code is listed that nothing can find; what is left is about bytes or about both parts."""
    elsewhere = {"html-before-plain", "empty-plain-part", "broken-mime", "message-large"}
    assert set(codes()) - set(CASES) - set(PAGES) - set(FLOWS) == elsewhere


MULTIPART = b"From: a@b.example\nContent-Type: multipart/alternative; boundary=x\n\n"


@pytest.mark.parametrize(
    ("code", "raw"),
    [
        (
            "html-before-plain",
            MULTIPART
            + b"--x\nContent-Type: text/html\n\n<p>Hi</p>\n--x\nContent-Type: text/plain\n\nHi\n--x--",
        ),
        (
            "empty-plain-part",
            MULTIPART
            + b"--x\nContent-Type: text/plain\n\n\n--x\nContent-Type: text/html\n\n<p>Hi</p>\n--x--",
        ),
        ("broken-mime", b"From: a@b.example\nContent-Type: multipart/mixed\n\nHello"),
        ("message-large", b"From: a@b.example\n\n" + b"Hello Ada\n" * 1_100_000),
    ],
)
def test_faults_of_the_structure_are_found(code: str, raw: bytes) -> None:
    """Each code in a message that has just this fault."""
    assert code in lint(raw)


def test_a_receipt_needs_no_way_to_unsubscribe() -> None:
    """No finding of that family is an error in transactional mail."""
    found = [f for f in lint(written(PAGE), flow="transactional") if codes()[f.code].family == "unsubscribe"]
    assert found == []


def test_severity_depends_on_the_flow() -> None:
    """What is an error in one flow is silent in another."""
    raw = written(List_Unsubscribe="<https://shop.example/u>")
    found = {flow: [f.severity for f in lint(raw, flow=flow) if "one-click" in f.code] for flow in Flow}
    assert found[Flow.MARKETING] == [Severity.ERROR]
    assert found[Flow.TRANSACTIONAL] == []


@pytest.mark.parametrize("text", ["Node.js", "v1.2", "John", "example.org", "www.example.org", "Sale 20.05."])
def test_a_text_that_is_no_other_address_is_no_mismatch(text: str) -> None:
    """Names with dots, and the same domain."""
    assert "link-text-mismatch" not in lint_html(f"<a href='https://shop.example.org/x'>{text}</a>")


def test_findings_of_one_kind_are_one_with_a_count() -> None:
    """Nine images without a description are one thing to do."""
    report = lint_html("<img src='https://example.org/a.png' width=90>" * 9)
    assert [f.count for f in report if f.code == "image-alt-missing"] == [9]


def test_a_finding_says_where() -> None:
    """Part, line and the beginning of what stands there."""
    report = lint_html("<p>text</p>\n<script>alert(1)</script>")
    where = next(f.where for f in report if f.code == "active-content")
    assert (where.part, where.line, where.snippet) == ("html", 2, "<script>")


def test_codes_and_families_can_be_ignored() -> None:
    """Each in the same list."""
    report = lint_html("<p style='color:#ccc'>x</p><a href='#'>y</a>", ignore=("contrast-low", "links"))
    assert "contrast-low" not in report
    assert "link-empty" not in report


@pytest.mark.parametrize(
    ("options", "field"),
    [({"flow": "bulk"}, "flow"), ({"clients": "lotus"}, "clients"), ({"ignore": ["no-such"]}, "ignore")],
)
def test_a_wrong_word_is_refused(options: dict[str, object], field: str) -> None:
    """With the name of the argument and what there is."""
    call: Callable[..., LintReport] = lint_html
    with pytest.raises(ConfigurationError, match=r"choose from|there are|lists them") as raised:
        call("<p>x</p>", **options)
    assert raised.value.field == field


def test_what_is_no_message_is_refused() -> None:
    """An empty page and bytes without headers."""
    with pytest.raises(MessageError):
        lint(b"no headers here")
    with pytest.raises(MessageError):
        lint_html("  ")


def test_a_message_that_was_read_is_linted_like_its_bytes() -> None:
    """But for what only the bytes show."""
    raw = written(PAGE)
    assert lint(Message.read(raw)).findings == lint(raw).findings


def test_a_report_says_the_same_in_every_form() -> None:
    """Text, data, length and membership."""
    report = lint(written(Date=""))
    assert len(report.to_dict()["findings"]) == len(report.findings) == len(report.to_pandas())
    assert "missing-date" in report.to_text()
    assert "missing-date" in report._repr_html_()
    assert report.to_dict()["data_date"] == report.data_date
    assert bool(report)


def test_severities_compare_by_weight() -> None:
    """The worst is the greatest."""
    assert max(Severity) is Severity.ERROR
    assert Severity.INFO <= Severity.WARNING < Severity.ERROR
    assert Severity.ERROR >= Severity.ERROR > Severity.INFO


@pytest.mark.parametrize("name", GENERATORS)
def test_hostile_messages_have_an_answer(name: str) -> None:
    """A report or a MessageError, whatever somebody wrote to make a reader hang."""
    try:
        report = lint(GENERATORS[name](60_000), flow="marketing", clients="all")
    except MessageError:
        return
    assert isinstance(report, LintReport)


def said(subject: str = "Offers of the week", text: str = "Hello Ada, the shoes are here.") -> set[str]:
    """Return what is said of a message in plain text."""
    raw = f"From: Shop <news@shop.example>\nTo: a@example.org\nSubject: {subject}\n\n{text}\n"
    return {finding.code for finding in lint(raw.encode(), flow="marketing")}


@pytest.mark.parametrize(
    ("subject", "is_test"),
    [
        *((s, True) for s in ("[TEST] Spring", "Testversand Newsletter", "[Draft] May news", "Envoi test")),
        *(
            (s, True)
            for s in ("Copy of Newsletter", "Spring test - please ignore", "Prova invio", "Testmail")
        ),
        *((s, True) for s in ("asdf", "asdfgh!", "Qwertz", "aaaa", "[foo bar]")),
        *((s, False) for s in ("Qwerty or Dvorak?", "Foo Fighters", "Aah", "AAAA batteries", "1111")),
        *((s, False) for s in ("Test drive the new van", "Testsieger im Mai", "Copy of your invoice")),
        *((s, False) for s in ("Draft beer festival", "The test of time", "Contest: win a bike")),
    ],
)
def test_a_subject_that_was_for_a_trial(subject: str, is_test: bool) -> None:  # noqa: FBT001 -- a parameter
    """In the words of several languages; a test drive is an offer."""
    assert ("subject-test" in said(subject=subject)) is is_test


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(
            (text, "name-missing")
            for text in ("Hi $FNAME$,", "Dear @Model.Name,", "Hi #name#", "Hello {user.name}")
        ),
        *((text, "dummy-text") for text in ("Your text here", "TODO: a picture", "Insert headline here")),
        *((text, "dummy-text") for text in ("Texte à remplacer", "Hier steht Ihr Text", "Text goes here")),
        *(
            (text, "")
            for text in ("Hi Ada #summer", "Dear Ada, $50 off", "Your text messages here", "What to do: rest")
        ),
    ],
)
def test_what_a_template_left_behind(text: str, code: str) -> None:
    """A greeting without its name, and text that stood for another."""
    assert said(text=text) & {"name-missing", "dummy-text"} == ({code} if code else set())


@pytest.mark.parametrize("day", ["32 Jan 2026", "30 Feb 2026", "00 May 2026"])
def test_a_day_that_does_not_exist_is_no_date(day: str) -> None:
    """Whatever its form."""
    raw = f"From: a@shop.example\nSubject: x\nDate: Tue, {day} 10:00:00 +0000\n\nHello\n"
    assert "invalid-date" in lint(raw.encode())


@pytest.mark.parametrize(
    ("html", "subject", "flow", "codes_found"),
    [
        (f"{PAGE}{MARKUP}", "Your order 4711", "transactional", set()),
        (PAGE, "Your password", "transactional", set()),
        (PAGE, "Your order 4711", "marketing", set()),
        (f"{PAGE}{MARKUP.replace('}', ',}')}", "Your order 4711", "transactional", {"markup-broken"}),
        (f"{PAGE}{MARKUP.replace('1', '{{ number }}')}", "Your order 4711", "transactional", set()),
    ],
)
def test_markup_is_asked_of_orders_only(html: str, subject: str, flow: str, codes_found: set[str]) -> None:
    """What is there, what no client shows as a card, and what is filled in later."""
    report = lint(written(html, Subject=subject), flow=flow)
    assert {f.code for f in report} & {"order-markup-missing", "markup-broken"} == codes_found


@pytest.mark.parametrize(
    ("rules", "is_half"),
    [
        ("body { background: #000; color: #fff }", False),
        ("body { background-color: #000 } p { color: #fff }", False),
        (".light { display: none }", False),
        ("body { background: #000 }", True),
        ("p { color: #fff }", True),
    ],
)
def test_a_dark_look_has_a_ground_and_letters(rules: str, is_half: bool) -> None:  # noqa: FBT001
    """One without the other is dark on dark, or light on light."""
    page = f"<style>@media (prefers-color-scheme: dark) {{ {rules} }}</style>{PAGE}"
    assert ("dark-mode-half" in lint_html(page)) is is_half


@pytest.mark.parametrize("tag", re.split(r"\s{2,}|\n", TAGGED.strip()))
def test_a_merge_tag_is_a_link_to_come(tag: str) -> None:
    """Of any usual engine, alone or behind a scheme: neither relative nor insecure."""
    page = f"<html lang=en><title>a</title><p>Hello, see it.</p><a href='{tag}'>Unsubscribe</a></html>"
    assert [f.code for f in lint_html(page, flow="marketing") if f.code.startswith(("link", "unsub"))] == []


@pytest.mark.parametrize("href", ["page.html", "../x", "/x", "facebook.com", "a/b.php?x=1", "?q=1", "shop_x"])
def test_a_path_is_relative(href: str) -> None:
    """Whatever is in it, no tool fills it in."""
    assert "link-relative" in lint_html(f"<html><body><a href='{href}'>x</a></body></html>")


def test_a_template_that_names_unsubscribing_has_its_place() -> None:
    """The tool that sends it puts the link there; a message must have it."""
    page = f"{PAGE}<p>{{unsubscribe_text}}</p>"
    assert "unsubscribe-link-missing" not in lint_html(page, flow="marketing")
    assert "unsubscribe-link-missing" in lint_html(PAGE, flow="marketing")
    assert "unsubscribe-link-missing" in lint(written(page), flow="marketing")


def test_what_an_old_sheet_shows_on_a_telephone_is_not_hidden() -> None:
    """Selectors in brackets name a class, too."""
    sheet = '<style>@media (max-width: 480px) { td[class="mobile"] { display: block !important } }</style>'
    body = (
        f"{PAGE}<table><tr><td class=mobile style='display:none'>{'Help and support ' * 9}</td></tr></table>"
    )
    assert "hidden-text" not in lint_html(sheet + body)
    assert "hidden-text" in lint_html(body)


def test_position_relative_carries_no_layout() -> None:
    """It moves nothing by itself."""
    assert "layout-unsupported" not in lint_html(f"<style>p {{ position: relative }}</style>{PAGE}")
    assert "layout-unsupported" in lint_html(f"<style>p {{ position: absolute; top: 9px }}</style>{PAGE}")


def test_a_header_that_stands_twice_is_named_once() -> None:
    """Nobody knows which To counts, so that its recipients are not counted."""
    raw = written(PAGE).replace(b"To: ada@example.org\n", b"To: ada@example.org\nTo: bob@example.org\n")
    found = {f.code for f in lint(raw, flow="marketing")}
    assert "header-duplicate" in found
    assert "recipients-in-clear" not in found


def test_a_report_explains_itself_in_a_paragraph() -> None:
    """For whoever decides: whether it can go, what comes first, what is repaired without help."""
    bad = lint(written(text="Hello", Subject="Re: {{ x }}", Message_ID=""), flow="marketing").explain()
    assert bad.startswith("This marketing message should not be sent yet: it has ")
    assert "To fix before sending: " in bad
    assert " fix() makes these repairs automatically: " in bad
    assert "\n" not in bad
    receipt = written(PAGE, Auto_Submitted="auto-generated", Subject="Your password")
    good = lint(receipt, flow="transactional", clock=lambda: SENT)
    assert good.explain() == "No issues were found in this transactional message."
    page = f"{PAGE}{'<img src=https://example.org/a.png width=90 height=9>' * 2}"
    assert lint_html(page).explain() == (
        "This page can be sent, but has 1 warning. Worth fixing: "
        f"{codes()['image-alt-missing'].sentence} (2 times). "
        "No flow was given, so rules that depend on it were not applied."
    )


def test_a_report_names_the_function_that_repairs() -> None:
    """Of a template it is fix_html(), and what it names there is repaired; forms only go where asked."""
    page = "<html lang='en'><body><p onclick='x()'>Hello</p><form><input name=a></form></body></html>"
    said = lint_html(page).explain()
    automatic = re.search(
        r"fix_html\(\) makes these repairs automatically: ([a-z-]+(?:(?:, | and )[a-z-]+)*)\.", said
    )
    assert automatic
    named = re.split(", | and ", automatic[1])
    assert "active-content" in named
    assert "forms" not in named
    assert set(fix_html(page).done) == set(named) - set(dict(fix_html(page).skipped))
    assert "fix_html(only=['forms']) repairs forms, which changes what readers see." in said
    assert fix_html(page, only=["forms"]).done == ("forms",)
    assert "fix_html" not in lint(written(page), flow="marketing").explain()
