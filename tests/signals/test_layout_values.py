"""What layout and running text show, at the places where a signal begins and ends."""

from __future__ import annotations

import string

import pytest

from signal_rows import page, running, shown, told

LENGTHS = {
    7: "no-text short",
    8: "short",
    39: "short",
    40: "",
    59: "",
    60: "words=0.2",
    119: "words=0.2",
    120: "words=0.4",
    250: "words=0.6",
    500: "words=0.8",
    999: "words=0.8",
    1000: "words",
}


@pytest.mark.parametrize(("count", "row"), LENGTHS.items())
def test_the_length_of_a_text_has_steps(count: int, row: str) -> None:
    """Almost nothing, very short, and five steps up to a long text."""
    assert shown("layout", "Subject: x", body=running(count)) == told(row)


TEXTS = {
    "> one": "quoted-lines",
    "> one\ntwo": "quoted-lines",
    "> one\ntwo\nthree\nfour\nfive": "quoted-lines=0.667",
    "> one" + "\ntwo" * 99: "quoted-lines=0.333 words=0.2",
    "-----": "rulers=0.5 bullets=0.5",
    "----": "bullets=0.5",
    "*****\none\n=====": "rulers=0.5 bullets=0.5",
    "=====\none\n=====\ntwo\n=====": "rulers many-rulers",
    "ABCDE": "",
    "ABCDEF": "capital-lines=0.5",
    "ABCDEF\nGHIJKL\nMNOPQR": "capital-lines",
    "Order: 12": "pair-lines",
    "Order:": "",
    "O: 12": "pair-lines",
    ": 12": "",
    "http: x": "",
    "A name of more than thirty-five letters: x": "",
    "Order: 12" + "\none" * 3: "pair-lines=0.667",
    "Order: 12" + "\none" * 9: "pair-lines=0.333",
    "Order: 12" + "\none" * 10: "",
    "- one": "bullets=0.5",
    "- one\n- two\n- three": "bullets",
    "one?": "questions",
    "one!": "exclamations",
    "one? " + running(79): "questions=0.667 words=0.2",
    "one? " + running(80): "questions=0.333 words=0.2",
    "one! " + running(79): "exclamations=0.667 words=0.2",
    "so...": "ellipsis",
    "so…": "ellipsis",
    ":) well": "ellipsis",
    ";) well": "ellipsis",
    ":-) well": "ellipsis",
    "ada@x.example": "mail-addresses",
    "one\n-- \ntwo": "signature-mark bullets=0.5",
    "one\n--\ntwo": "signature-mark bullets=0.5",
    "-- \ntwo": "bullets=0.5",
    "one\n+++ two": "diff",
    "one\ndiff --git a b": "diff",
    "one\n@@ -1": "diff mail-addresses",
    "50,20 €": "money=0.333",
    "€ 50": "money=0.333",
    "x€ 50": "money=0.333",
    "€x 50": "",
    "3 €\n4 €\n5 €": "money=0.667",
    "20 %": "percent=0.5",
    "20 %, 30 %, 40 %": "percent",
    "%20": "percent=0.5",
    "x%20": "",
    "1.2.2026": "dates=0.333",
    "1.2": "",
    "2026-01-02": "dates=0.333",
    "14h30": "dates=0.333",
    "3月": "dates=0.333",
    "1234567": "references=0.5",
    "123456": "",
    "A1234": "references=0.5 ",
    "A123": "",
    "#1234": "references=0.5",
    "№1234": "references=0.5",
    "b-1234": "references=0.5",
    "a -1234": "",
    "b/1234 b_1235 b-1236": "references",
}


@pytest.mark.parametrize(("text", "row"), TEXTS.items())
def test_the_form_of_a_text_is_measured(text: str, row: str) -> None:
    """What its lines begin with, and what its numbers and signs are."""
    found = shown("layout", "Subject: x", body=text)
    assert {name: value for name, value in found.items() if name not in {"short", "no-text"}} == told(row)


LONG = running(17)  # 84 characters


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"One\n\n{LONG}", 0.0),
        (f"One\n\n{LONG}\n\nTwo\n\n{LONG}", 1 / 3),
        (f"One\n\n{LONG}\n \t\nTwo\n\n{LONG}", 1 / 3),
        (f"One\n\n{LONG}\n\n=====\n\nTwo\n\n=====\n\n{LONG}", 1 / 3),
        (f"One\n\n{LONG}\n\n2.\nTwo\n\n{LONG}", 1 / 3),
        (f"One\n\n{LONG}\n\n2.\n-\nTwo\n\n{LONG}", 0.0),
        (f"One\n\n{LONG}\n\nTwo:\n\n{LONG}", 0.0),
        (f"One\n\n{LONG}\n\n> Two\n\n{LONG}", 0.0),
        (f"One\n\n{LONG}\n\n{'x' * 60}\n\n{LONG}", 1 / 3),
        (f"One\n\n{LONG}\n\n{'x' * 61}\n\n{LONG}", 0.0),
        (f"One\n\n{'x' * 81}\n\nTwo\n\n{'x' * 81}", 1 / 3),
        (f"One\n\n{'x' * 81}\n\nTwo\n\n{'x' * 80}", 0.0),
        (f"One\n\n{LONG}\n\n" * 3, 2 / 3),
        (f"One\n\n{LONG}\n\n" * 5, 1.0),
    ],
)
def test_headings_stand_above_paragraphs(text: str, value: float) -> None:
    """A heading is a short line without a stop; a number may stand above it, and a ruler below it."""
    assert shown("layout", "Subject: x", body=text).get("sections", 0.0) == pytest.approx(value, abs=0.001)


def _table(rows: int, cells: int) -> str:
    return "<table>" + ("<tr>" + "<td>a</td>" * cells + "</tr>") * rows + "</table>"


MARKUP = {
    "<p>one": "plain-html",
    "<b>one</b>": "",
    "<p>one<img src=a>": "images=0.25",
    "<p>" * 8 + _table(1, 1): "tables=0.333",
    "<p>" * 7 + _table(1, 1): "tables=0.667",
    "<p>" * 28 + _table(1, 1): "",
    _table(1, 1): "tables",
    _table(1, 1) * 2: "tables nested=0.25",
    _table(1, 1) * 4: "tables nested=0.5",
    _table(3, 2): "tables data-table",
    _table(1, 6): "tables data-table",
    _table(1, 5): "tables",
    _table(6, 1): "tables",
    _table(1, 8): "tables data-table",
    _table(1, 9): "tables",
    '<b style="width: 479px">one</b>': "",
    '<b style="width: 480px">one</b>': "wrapper",
    '<b style="font-size:21px">one</b>': "",
    '<b style="font-size:22px">one</b>': "big-type",
    '<b style="background:#c00">one</b>': "background",
    '<b style="background:#fff">one</b>': "",
    '<b style="display:none">one</b>': "preheader",
    '<b style="display: none">one</b>': "preheader",
    '<b role="presentation">one</b>': "presentation",
    "<h1>one</h1>": "headings",
    "<h2>one</h2>": "headings",
    "<h3>one</h3>": "headings",
    "<h4>one</h4>": "",
    "<ul><li>one</ul>": "lists",
    "<!doctype html><b>one</b>": "doctype",
    "<blockquote>one</blockquote>": "blockquote",
    "<font>one</font>": "old-markup",
    "<b>© one</b>": "copyright",
    "<style>@media print{}</style><b>one</b>": "media-query",
    "<!--[if mso]>x<![endif]--><b>one</b>": "office-conditional",
    '<!--[if mso]>x<![endif]--><b class="MsoNormal">one</b>': "client-outlook",
    '<b class="moz-cite-prefix">one</b>': "client-mozilla quoted-html",
    '<b class="gmail_signature">one</b>': "client-gmail signature",
    '<b class="apple-style-span">one</b>': "client-apple",
    "<center>one</center>": "centred=0.333",
    "<center>one</center>" * 2: "centred=0.667",
    "<center>one</center>" * 5: "centred",
}


@pytest.mark.parametrize(("markup", "row"), MARKUP.items())
def test_the_markup_of_a_page_is_measured(markup: str, row: str) -> None:
    """Which elements and styles it has, and who wrote it."""
    head, body = page(markup)
    found = shown("layout", "Subject: x", head, body=body)
    assert found.pop("html-only") == 1
    assert {name: value for name, value in found.items() if name not in {"short", "no-text"}} == told(row)


def _image(width: int, height: int = 50) -> str:
    return f'<img src="a" width="{width}" height="{height}">'


IMAGES = {
    "<img src=a>": "images=0.25",
    _image(1, 1): "pixel",
    _image(2, 2): "pixel",
    _image(3, 3): "images=0.25",
    _image(2, 50): "pixel",
    _image(50, 2): "pixel",
    _image(1, 1) + _image(50): "pixel images=0.25",
    _image(399): "images=0.25",
    _image(400): "images=0.25 big-image",
    _image(50) * 2: "images=0.25",
    _image(50) * 3: "images=0.5",
    _image(50) * 6: "images=0.75",
    _image(50) * 12: "images",
}


@pytest.mark.parametrize(("images", "row"), IMAGES.items())
def test_images_are_counted_and_sized(images: str, row: str) -> None:
    """A pixel is no picture, and a large one is said to be large."""
    head, body = page(images)
    found = shown("layout", "Subject: x", head, body=body)
    kept = {"images", "pixel", "big-image"}
    assert {name: value for name, value in found.items() if name in kept} == told(row)


SHARES = {149: 0, 150: 0.25, 299: 0.25, 300: 0.5, 599: 0.5, 600: 0.75, 1249: 0.75, 1250: 1}


@pytest.mark.parametrize(("size", "share"), SHARES.items())
def test_the_share_of_markup_has_steps(size: int, share: float) -> None:
    """HTML beside its text, to which fifty characters are added."""
    markup = "<b title='{}'></b>"
    head, body = page(markup.format("x" * (size - len(markup.format("")))))
    assert shown("layout", "Subject: x", head, body=body).get("markup-share", 0) == share


FILE = 'Content-Disposition: attachment; filename="{}"\nContent-Type: {}\n\nx\n'
FILES = {
    ("a.pdf", "application/pdf"): "attachments=0.333 attached-document",
    ("A.PDF", "application/octet-stream"): "attachments=0.333 attached-document",
    ("a.exe", "application/octet-stream"): "attachments=0.333",
    ("a.png", "image/png"): "attachments=0.333 attached-image",
    ("a.ics", "text/calendar"): "attachments=0.333 calendar",
}


@pytest.mark.parametrize(("file", "row"), FILES.items())
def test_what_is_attached_is_measured(file: tuple[str, str], row: str) -> None:
    """Documents by their names, images and invitations by their types."""
    body = f"--b\n\n{running(40)}\n--b\n{FILE.format(*file)}--b--\n"
    assert shown("layout", "Content-Type: multipart/mixed; boundary=b", body=body) == told(row)


def test_attachments_are_counted() -> None:
    """One, two, four and more."""
    for count, row in ((1, "attachments=0.333"), (2, "attachments=0.667"), (3, "attachments=0.667")):
        files = f"--b\n{FILE.format('a.bin', 'application/octet-stream')}" * count
        body = f"--b\n\n{running(40)}\n{files}--b--\n"
        assert shown("layout", "Content-Type: multipart/mixed; boundary=b", body=body) == told(row)
    body = f"--b\n\n{running(40)}\n{files}--b\n{FILE.format('b.bin', 'application/x')}--b--\n"
    assert shown("layout", "Content-Type: multipart/mixed; boundary=b", body=body) == told("attachments")


PEOPLE = {
    ("Ada Lovelace <a@shop.example>", "Hello", "Ada"): "signed-by-sender",
    ("Al <a@shop.example>", "Hello", "Al"): "",
    ("Shop <a@shop.example>", "Hello", "Shop"): "",
    ("Ada <a@shop.example>", "Ada says", running(69)): "words=0.2",
    ("Ada <a@shop.example>", "Ada", running(69)): "signed-by-sender words=0.2",
    ("b@shop.example", "Hello Charles,", ""): "greets-recipient",
    ("b@shop.example", "Hello babbage,", ""): "greets-recipient",
    ("b@shop.example", running(13) + " Charles", ""): "greets-recipient",
    ("b@shop.example", running(14) + " Charles", ""): "",
}


@pytest.mark.parametrize(("letter", "row"), PEOPLE.items())
def test_people_are_named_at_the_ends(letter: tuple[str, str, str], row: str) -> None:
    """Who signs stands among the last seventy words, who is greeted among the first fourteen."""
    sender, opening, ending = letter
    head = (f"From: {sender}", "To: Charles <babbage@x.example>")
    found = shown("layout", *head, body=f"{opening}\n{ending}")
    assert {name: value for name, value in found.items() if name not in {"short", "no-text"}} == told(row)


def test_a_name_of_two_letters_is_no_name() -> None:
    """It is a word of some language, too."""
    for name, row in (("Ali", "greets-recipient"), ("Al", "")):
        found = shown("layout", "From: b@shop.example", f"To: {name} <x@x.example>", body=f"Hello {name},")
        assert {key: value for key, value in found.items() if key not in {"short", "no-text"}} == told(row)


def _lines(count: int, stops: int, long: int = 0) -> str:
    lines = ["one" + "." * (at < stops) for at in range(count)]
    return "\n".join(["x" * 91 if at < long else line for at, line in enumerate(reversed(lines))])


FORMS = {
    _lines(4, 4): "",
    _lines(5, 1): "sentences=0.333",
    _lines(5, 2): "sentences=0.667",
    _lines(5, 3): "sentences",
    _lines(10, 1): "",
    _lines(11, 1): "fragments",
    _lines(5, 5, 2): "sentences",
    _lines(6, 3, 3): "sentences=0.667 many-blocks=0.333",
    _lines(16, 8, 8): "sentences=0.667 many-blocks=0.667",
    "x" * 90 + ".\n" + _lines(4, 4): "sentences",
    running(30): "",
    " ".join(string.ascii_lowercase) + " " + running(5): "varied-words",
    " ".join(string.ascii_lowercase[:19]) + " " + running(21): "varied-words=0.333",
    " ".join(string.ascii_lowercase[:18]) + " " + running(22): "",
}


@pytest.mark.parametrize(("text", "row"), FORMS.items())
def test_running_text_is_told_from_pieces(text: str, row: str) -> None:
    """By how its lines end, how long they are, and how often its words come again."""
    assert shown("skeleton", "Subject: x", body=text) == told(row)
