"""Layout: how a message is built and set, in HTML and in plain text.

Only ratios, bits and buckets: raw counts of tags tell the decade of a message, not its flow.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows.signals._signal import Signal, bucket, some

if TYPE_CHECKING:
    from mailflows._html.scan import Document
    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "measure"]

SIGNALS = tuple(
    Signal(name, sentence)
    for name, sentence in {
        "layout-html-only": "it has HTML but no plain-text part",
        "layout-text-only": "it is plain text only",
        "layout-both": "it has a plain-text and an HTML part",
        "layout-no-text": "it has almost no text",
        "layout-words": "it is long",
        "layout-short": "it is very short",
        "layout-markup-share": "it is more markup than text",
        "layout-tables": "it is laid out in tables",
        "layout-nested": "tables stand in tables",
        "layout-data-table": "it shows a table of data",
        "layout-wrapper": "it is set in a column of fixed width",
        "layout-media-query": "its styles adapt to the screen",
        "layout-office-conditional": "it has conditional code for Outlook, as tools write it",
        "layout-presentation": "tables are marked as presentation",
        "layout-preheader": "it has a hidden preview text",
        "layout-pixel": "it has a one-pixel image, as open tracking uses",
        "layout-images": "it has images",
        "layout-images-dense": "it has many images for so little text",
        "layout-big-image": "it has a large image",
        "layout-alt-share": "its images have alternative texts",
        "layout-first-image": "it begins with an image",
        "layout-background": "it has coloured backgrounds",
        "layout-centred": "it is centred",
        "layout-headings": "it has headings",
        "layout-big-type": "it has large type",
        "layout-lists": "it has lists",
        "layout-old-markup": "its HTML uses font tags",
        "layout-plain-html": "its HTML is simple paragraphs, without tables or images",
        "layout-doctype": "it is a whole HTML document",
        "layout-client-outlook": "Outlook wrote its HTML",
        "layout-client-gmail": "Gmail wrote its HTML",
        "layout-client-apple": "Apple Mail wrote its HTML",
        "layout-client-mozilla": "Thunderbird wrote its HTML",
        "layout-blockquote": "it has a block quotation",
        "layout-quoted-html": "it quotes an earlier message",
        "layout-signature": "it has a signature block",
        "layout-copyright": "it has a copyright line",
        "layout-attachments": "it has attachments",
        "layout-attached-document": "a document is attached",
        "layout-attached-image": "an image is attached or inline",
        "layout-calendar": "it has a calendar part",
        "layout-quoted-lines": "it quotes lines of an earlier message",
        "layout-signature-mark": 'it has the signature mark of mail clients ("-- ")',
        "layout-wrapped": "its lines are wrapped at a fixed width",
        "layout-rulers": "rows of signs separate its sections",
        "layout-capital-lines": "it has whole lines in capitals",
        "layout-pair-lines": 'it has lines of the form "name: value"',
        "layout-bullets": "it has bulleted lines",
        "layout-short-lines": "most lines are short",
        "layout-blank-lines": "it has many blank lines",
        "layout-numbers": "it has many digits",
        "layout-money": "it has amounts of money",
        "layout-percent": "it has percentages",
        "layout-dates": "it has dates or times",
        "layout-references": "it has reference numbers",
        "layout-code-alone": "a code stands on a line of its own",
        "layout-questions": "it asks questions",
        "layout-exclamations": "it has exclamation marks",
        "layout-emoji": "it has emoji",
        "layout-paths": "it has paths, hosts or versions",
        "layout-machine-text": "it has log lines, code or hexadecimal text",
        "layout-diff": "it has a patch",
        "layout-signed-by-sender": "it is signed with the sender's name",
        "layout-greets-recipient": "it greets the recipient by name",
        "layout-greeting-line": "it begins with a greeting line",
        "layout-names-domain": "its text names the sender's domain",
        "layout-phone": "it has telephone numbers",
        "layout-mail-addresses": "its text has e-mail addresses",
        "layout-first-line-short": "its first line is short",
        "layout-no-capitals": "sentences begin in lower case",
        "layout-ellipsis": "it has trailing dots or smileys",
    }.items()
)

_WIDTH = re.compile(r"width\s?[=:]\s?[\"']?(?:4[89]|[5-7]\d)\d(?:px|[\"'\s;>])")
_BIG_TYPE = re.compile(r"font-size:\s?(?:2[2-9]|[3-9]\d)(?:\.\d+)?px")
_BACKGROUND = re.compile(
    r"(?:bgcolor=|background(?:-color)?:)\s?[\"']?(?!#?fff|white|transparent|none|inherit|initial)[#a-z]"
)
_PAIR = re.compile(r"[ \t*•-]{0,6}([^\W\d][^\n:：]{0,35})\s?[:：]\s{0,20}\S")
_RULER = re.compile(r"\s{0,8}([-=*_~#+•·.―─━═■◆□◇☆★♪]\s?)\1{4,}")
_HAS_DIGIT = re.compile(r"\d")
_CURRENCIES = frozenset("€ $ £ ¥ ₽ zł kr eur usd chf pln r$ % № # EUR USD CHF PLN R$ Kč руб. руб 円".split())
_MONEY = re.compile(
    r"[€$£¥₽]\s?\d|\d[\d.,]{0,12}\s?(?:[€$£¥₽円]|zł|kr\b|руб|eur\b|usd\b|chf\b|pln\b)", re.IGNORECASE
)
_PERCENT = re.compile(r"\d\s?[%％]")
_DATE = re.compile(
    r"\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\b20\d\d-\d\d-\d\d|\b\d{1,2}[:h]\d{2}\b|\d{1,2}月\d{1,2}日"
)
_REFERENCE = re.compile(r"[#№]\s?[\w-]{0,9}\d{3,}|\b[A-Z]{2,6}[-_/]?\d{4,}|\b\d{7,}\b", re.IGNORECASE)
_CODE_LINE = re.compile(r"\s{0,20}(?:(?:\d[ -]?){4,8}|[A-Z0-9]{3,5}(?:-[A-Z0-9]{3,5}){1,3})\s{0,20}")
_PHONE = re.compile(r"(?:\+|\b0)\d[\d\s().-]{7,16}\d")
_VERSION = re.compile(r"\bv?\d+\.\d+\.\d+")
_MACHINE = re.compile(r"\b0x[0-9a-f]{4,}|\b[0-9a-f]{12,40}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b|\d+\.\d{3,}\]")
_MACHINE_WORDS = (
    "error:",
    "ERROR",
    "WARN",
    "exit code",
    "exit status",
    "();",
    "{\n",
    "};\n",
    "\n\tat ",
    "\n    at ",
)
_MARKUP_HEAD = 5_000  # bound: characters of HTML searched for marks; head and first table stand there
_TEXT_HEAD = 2_500  # bound: characters of text measured at the beginning
_TEXT_TAIL = 800  # bound: and at the end, where signature and footer stand
_DOCUMENTS = (
    ".pdf",
    ".doc",
    ".docx",
    ".xls",
    ".xlsx",
    ".odt",
    ".ods",
    ".ppt",
    ".pptx",
    ".txt",
    ".zip",
    ".csv",
    ".xml",
    ".p7m",
)


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure the layout of a message."""
    values = _parts(message, reading) | _text(reading) | _people(message, reading)
    if message.html:
        values |= _markup(message.document) | _images(message.document) | _makers(message.document)
        values["layout-markup-share"] = bucket(
            len(message.html) / (len(message.document.text) + 50), 3, 6, 12, 25
        )
    return some(values)


def _parts(message: Message, reading: Reading) -> dict[str, float]:
    """Measure which parts there are, and their size."""
    has_html, has_text = bool(message.html.strip()), bool(message.text.strip())
    length = len(reading.body)
    files = [part for part in message.parts if part.is_attachment]
    names = [part.filename.lower() for part in files]
    both = has_html and has_text
    return {
        "layout-html-only": has_html and not has_text,
        "layout-text-only": has_text and not has_html,
        "layout-both": both,
        "layout-no-text": length < 8,
        "layout-short": length < 40,
        "layout-words": bucket(length, 60, 120, 250, 500, 1000),
        "layout-attachments": bucket(len(files), 1, 2, 4),
        "layout-attached-document": any(name.endswith(_DOCUMENTS) for name in names),
        "layout-attached-image": any(part.content_type.startswith("image/") for part in files),
        "layout-calendar": any(part.content_type == "text/calendar" for part in message.parts),
    }


def _markup(document: Document) -> dict[str, float]:
    """Measure how the HTML is built."""
    counts, lower = document.counts, document.lower[:_MARKUP_HEAD]
    total = len(document.tags) or 1
    tables, cells = counts["table"], counts["td"]
    rows = counts["tr"] or 1
    blocks = counts["p"] + counts["div"] + counts["br"] + counts["span"]
    return {
        "layout-tables": bucket((tables + counts["tr"] + cells) / total, 0.1, 0.3, 0.5),
        "layout-nested": bucket(tables, 2, 4, 8, 16),
        "layout-data-table": cells > 5 and 2 <= cells / rows <= 8,
        "layout-wrapper": bool(_WIDTH.search(lower)),
        "layout-media-query": "@media" in lower,
        "layout-office-conditional": "<!--[if" in lower and "msonormal" not in lower,
        "layout-presentation": 'role="presentation"' in lower,
        "layout-preheader": "display:none" in lower or "display: none" in lower,
        "layout-background": bool(_BACKGROUND.search(lower)),
        "layout-centred": bucket(lower.count("center"), 1, 4, 10),
        "layout-headings": bool(counts["h1"] + counts["h2"] + counts["h3"]),
        "layout-big-type": bool(_BIG_TYPE.search(lower)),
        "layout-lists": bool(counts["li"]),
        "layout-old-markup": bool(counts["font"]),
        "layout-blockquote": bool(counts["blockquote"]),
        "layout-plain-html": not tables and not document.images and blocks > 0,
        "layout-doctype": "<!doctype" in lower[:300],
        "layout-copyright": "©" in document.text or "&copy;" in document.lower,
    }


def _images(document: Document) -> dict[str, float]:
    """Measure the images: how many, how large, described or not."""
    images = document.images
    if not images:
        return {}
    shown = [i for i in images if (i.width or 99) > 2 and (i.height or 99) > 2]
    described = sum(1 for image in shown if image.alt)
    return {
        "layout-pixel": len(shown) < len(images),
        "layout-images": bucket(len(shown), 1, 3, 6, 12),
        "layout-images-dense": bucket(1000 * len(shown) / (len(document.text) + 100), 1, 3, 8),
        "layout-big-image": any((image.width or 0) >= 400 for image in shown),
        "layout-alt-share": described / len(shown) if shown else 0,
        "layout-first-image": "img" in document.tags[:14],
    }


def _makers(document: Document) -> dict[str, float]:
    """Measure whose hand wrote the HTML: a person's client, or a tool."""
    lower = document.lower[:_MARKUP_HEAD]
    return {f"layout-{name}": any(mark in lower for mark in marks) for name, marks in _MAKERS.items()}


# Names that programs leave in the HTML that they write.
_MAKERS = {
    "client-outlook": (
        "msonormal",
        "wordsection",
        "elementtoproof",
        "divtagdefaultwrapper",
        "ms exchange server",
    ),
    "client-gmail": ("gmail_", '<div dir="ltr"', '<div dir="auto"'),
    "client-apple": ("apple-", "line-break: after-white-space"),
    "client-mozilla": ("moz-",),
    "quoted-html": ("gmail_quote", "divrplyfwdmsg", "appendonsend", "solid #e1e1e1", "moz-cite"),
    "signature": ("signature",),
}


def _text(reading: Reading) -> dict[str, float]:
    """Measure how the text is set."""
    text = reading.plain
    if len(text) > _TEXT_HEAD + _TEXT_TAIL:
        text = text[:_TEXT_HEAD] + "\n" + text[-_TEXT_TAIL:]
    lines = text.split("\n")
    full = [line for line in lines if line and not line.isspace()]
    words = len(reading.body) + 20
    digits = sum(map(text.count, "0123456789"))
    values = _lines(full) | {
        "layout-signature-mark": "\n-- \n" in text or "\n--\n" in text,
        "layout-blank-lines": len(lines) > 6 and (len(lines) - len(full)) / len(lines) > 0.35,
        "layout-numbers": bucket(digits / (len(text) + 50), 0.02, 0.05, 0.1),
        "layout-diff": "\n+++ " in text or "\ndiff --git" in text or "\n@@ -" in text,
        "layout-questions": bucket(100 * (text.count("?") + text.count("？")) / words, 0.2, 1, 2),
        "layout-exclamations": bucket(100 * (text.count("!") + text.count("！")) / words, 0.2, 1, 2),
        "layout-ellipsis": "..." in text or "…" in text or ":)" in text or ";)" in text or ":-)" in text,
        "layout-mail-addresses": "@" in text,
    }
    if not text.isascii():
        values["layout-emoji"] = bucket(len(_EMOJI.findall(text)), 1, 4)
    return values | _figures(text)


_EMOJI = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")


def _lines(full: list[str]) -> dict[str, float]:
    """Measure the form of the lines that are not blank."""
    count = len(full) or 1
    lengths = list(map(len, full))
    starts = [line.lstrip()[:1] for line in full]
    pairs = sum(
        1 for line in full if (":" in line[1:40] or "：" in line[1:40]) and len(line) < 200 and _is_pair(line)
    )
    rulers = sum(
        1 for start, line in zip(starts, full, strict=True) if start in _RULERS and _RULER.match(line)
    )
    return {
        "layout-quoted-lines": bucket(starts.count(">") / count, 0.01, 0.2, 0.5),
        "layout-wrapped": bucket(sum(60 <= n <= 79 for n in lengths) / count, 0.1, 0.3, 0.5),
        "layout-rulers": bucket(rulers, 1, 3),
        "layout-capital-lines": bucket(sum(len(line) > 5 and line.isupper() for line in full), 1, 3),
        "layout-pair-lines": bucket(pairs / count, 0.1, 0.25, 0.5),
        "layout-bullets": bucket(sum(map(_BULLETS.__contains__, starts)), 1, 3),
        "layout-short-lines": bucket(sum(n < 40 for n in lengths) / count, 0.4, 0.6, 0.8),
        "layout-first-line-short": bool(full) and lengths[0] < 30,
        "layout-code-alone": any(
            3 < n < 30 and _CODE_LINE.fullmatch(line) for n, line in zip(lengths, full, strict=True)
        ),
        "layout-no-capitals": sum(map(str.islower, starts)) / count > 0.5,
    }


def _is_pair(line: str) -> bool:
    """Say whether a line is "name: value", and neither a web address nor the head of a quoted message."""
    found = _PAIR.match(line)
    return found is not None and found[1].strip().lower() not in _no_names()


@cache
def _no_names() -> frozenset[str]:
    """Return what stands before a colon without naming a value: schemes, and the fields of a quoted head."""
    lines = _data.read_sections("quoted-heads.txt")[""]
    return frozenset(
        {"http", "https", "mailto", "tel", *(w.lower() for line in lines for w in line.split(", "))}
    )


_RULERS = frozenset("-=*_~#+•·.―─━═■◆□◇☆★♪")
_BULLETS = frozenset("-*•·‣▪►✓✔●○■◆・")


def _figures(text: str) -> dict[str, float]:
    """Measure what its digits are: money, percentages, dates, references, numbers to call."""
    has_digit = _HAS_DIGIT.search
    figures = " ".join(
        [
            w
            for line in text.split("\n")
            if has_digit(line)
            for w in line.split()
            if (not w.isalpha() and len(w) < 40 and has_digit(w)) or w in _CURRENCIES
        ]
    )
    machine = sum(map(text.count, _MACHINE_WORDS))
    if not figures:
        return {"layout-machine-text": bucket(machine, 1, 3, 8)}
    return {
        "layout-machine-text": bucket(machine + len(_MACHINE.findall(figures)), 1, 3, 8),
        "layout-money": bucket(len(_MONEY.findall(figures)), 1, 3, 8),
        "layout-percent": bucket(len(_PERCENT.findall(figures)), 1, 3),
        "layout-dates": bucket(len(_DATE.findall(figures)), 1, 3, 8),
        "layout-references": bucket(len(_REFERENCE.findall(figures)), 1, 3),
        "layout-phone": bool(_PHONE.search(figures)),
        "layout-paths": bucket(
            text.count(".local")
            + text.count("/usr/")
            + text.count("/var/")
            + text.count("/home/")
            + len(_VERSION.findall(figures)),
            1,
            3,
        ),
    }


def _people(message: Message, reading: Reading) -> dict[str, float]:
    """Measure whether people are named: who writes, who is greeted."""
    sender = message.sender
    opening, ending = reading.body[:14], set(reading.body[-70:])
    own = {w.lower() for w in re.split(r"[\s,.'\"()_-]+", sender.name) if len(w) > 2}
    domain = sender.domain.split(".")[-2] if "." in sender.domain else ""
    own_person = own - {domain}
    theirs = {
        w
        for address in message.recipients[:3]
        for w in re.split(r"[\s,.'\"()_+\d-]+", f"{address.name} {address.local}".lower())
        if len(w) > 2
    }
    first = next((line for line in reading.text.split("\n", 5) if line.strip()), "").rstrip()
    return {
        "layout-signed-by-sender": bool(own_person & ending) and bool(sender.name),
        "layout-greets-recipient": bool(theirs.intersection(opening)),
        "layout-greeting-line": len(first) < 50 and first[-1:] in {",", "，", "、"},
        "layout-names-domain": len(domain) > 3 and domain in reading.lower,
    }
