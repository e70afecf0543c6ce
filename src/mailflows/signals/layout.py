"""Layout: how a message is built and set, in HTML and in plain text.

Only ratios, bits and buckets: raw counts of tags tell the decade of a message, not its flow.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows.signals._signal import NAME_SPLIT, Signal, bucket, some

if TYPE_CHECKING:
    from mailflows._html.scan import Document
    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "measure", "number_seen"]

SIGNALS = tuple(
    Signal(name, sentence)
    for name, sentence in {
        "layout-html-only": "it has HTML but no plain-text part",
        "layout-no-text": "it has almost no text",
        "layout-words": "it is long",
        "layout-short": "it is very short",
        "layout-markup-share": "it is more markup than text",
        "layout-tables": "it is laid out in tables",
        "layout-nested": "tables are nested in tables",
        "layout-data-table": "it shows a table of data",
        "layout-wrapper": "it is laid out in a fixed-width column",
        "layout-media-query": "its styles adapt to the screen",
        "layout-office-conditional": "it has conditional code for Outlook, as tools write it",
        "layout-presentation": "tables are marked as presentation",
        "layout-background": "it has coloured backgrounds",
        "layout-centred": "it is centred",
        "layout-headings": "it has headings",
        "layout-big-type": "it has large text",
        "layout-lists": "it has lists",
        "layout-doctype": "it is a whole HTML document",
        "layout-blockquote": "it has a block quotation",
        "layout-preheader": "it has a hidden preview text",
        "layout-pixel": "it has a one-pixel image, as open tracking uses",
        "layout-images": "it has images",
        "layout-big-image": "it has a large image",
        "layout-old-markup": "its HTML uses font tags",
        "layout-plain-html": "its HTML is simple paragraphs, without tables or images",
        "layout-client-outlook": "Outlook wrote its HTML",
        "layout-client-gmail": "Gmail wrote its HTML",
        "layout-client-apple": "Apple Mail wrote its HTML",
        "layout-client-mozilla": "Thunderbird wrote its HTML",
        "layout-quoted-html": "it quotes an earlier message",
        "layout-signature": "it has a signature block",
        "layout-copyright": "it has a copyright line",
        "layout-attachments": "it has attachments",
        "layout-attached-document": "a document is attached",
        "layout-attached-image": "an image is attached or inline",
        "layout-calendar": "it has a calendar part",
        "layout-quoted-lines": "it quotes lines of an earlier message",
        "layout-signature-mark": 'it has the signature delimiter of mail clients ("-- ")',
        "layout-rulers": "lines of symbols separate its sections",
        "layout-many-rulers": "three or more lines of symbols separate its sections",
        "layout-sections": "it has one-line headings above its paragraphs",
        "layout-capital-lines": "it has whole lines in capitals",
        "layout-pair-lines": 'it has lines as in a form ("name: value")',
        "layout-bullets": "it has bulleted lines",
        "layout-money": "it has amounts of money",
        "layout-percent": "it has percentages",
        "layout-dates": "it has dates or times",
        "layout-references": "it has reference numbers",
        "layout-questions": "it asks questions",
        "layout-exclamations": "it has exclamation marks",
        "layout-diff": "it contains a patch",
        "layout-signed-by-sender": "it is signed with the sender's name",
        "layout-greets-recipient": "it greets the recipient by name",
        "layout-mail-addresses": "its text has email addresses",
        "layout-ellipsis": "it has trailing dots or smileys",
        "skeleton-varied-words": "its words are varied, as in running text",
        "skeleton-sentences": "it is running text in full sentences",
        "skeleton-fragments": "it is fragments rather than sentences",
        "skeleton-many-blocks": "it has many separate blocks of text",
    }.items()
)

_WIDTH = re.compile(r"width\s?[=:]\s?[\"']?(?:4[89]|[5-7]\d)\d(?:px|[\"'\s;>])")
_BIG_TYPE = re.compile(r"font-size:\s?(?:2[2-9]|[3-9]\d)(?:\.\d+)?px")
_BACKGROUND = re.compile(
    r"(?:bgcolor=|background(?:-color)?:)\s?[\"']?(?!#?fff|white|transparent|none|inherit|initial)[#a-z]"
)
_PAIR = re.compile(r"[ \t*•-]{0,6}([^\W\d][^\n:：]{0,35})\s?[:：]\s{0,20}\S")
_RULER = re.compile(r"\s{0,8}([-=*_~#+•·.―─━═■◆□◇☆★♪]\s?)\1{4,}")
_NUMBER = re.compile(
    r"\d+(?:[.,:/h-]\d+)*"
    r"( ?(?:[€$£¥₽₺円%％]|(?:zł|kr|tl|kč|eur|usd|gbp|chf|pln|sek|czk|try)\b|руб)|月)?",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{2,4}|20\d\d-\d\d-\d\d|\d{1,2}[:h]\d{2}(?::\d{2})?")
_CURRENCY = frozenset("€$£¥₽₺")
_MOST_NUMBERS = 80  # bound: the scales end at eight of a kind
_SHOWN_REFERENCE = 4  # choice: digits of a number that a reader takes for a reference
_REFERENCE = 7  # choice: digits of a number that is not a year, price or time
_MARKED = 4  # choice: digits behind letters or a number sign, as in "INV-2041"
_MARKUP_HEAD = 5_000  # bound: characters of HTML searched for marks; head and first table stand there
_TEXT_HEAD = 2_500  # bound: characters of text measured at the beginning
_TEXT_TAIL = 800  # bound: and at the end, where signature and footer stand
_DOCUMENTS = tuple(".pdf .doc .docx .xls .xlsx .odt .ods .ppt .pptx .txt .zip .csv .xml .p7m".split())


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure the layout of a message."""
    values = _parts(message, reading) | _text(reading) | _flow(reading) | _people(message, reading)
    if message.html:
        values |= _markup(message.document) | _images(message.document)
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
    return {
        "layout-html-only": has_html and not has_text,
        "layout-no-text": length < 8,
        "layout-short": length < 40,
        "layout-words": bucket(length, 60, 120, 250, 500, 1000),
        "layout-attachments": bucket(len(files), 1, 2, 4),
        "layout-attached-document": any(name.endswith(_DOCUMENTS) for name in names),
        "layout-attached-image": any(part.content_type.startswith("image/") for part in files),
        "layout-calendar": any(part.content_type == "text/calendar" for part in message.parts),
    }


def _markup(document: Document) -> dict[str, float]:
    """Measure how the HTML is built, and whose hand wrote it: a person's client, or a tool."""
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
        "layout-background": bool(_BACKGROUND.search(lower)),
        "layout-centred": bucket(lower.count("center"), 1, 4, 10),
        "layout-headings": bool(counts["h1"] + counts["h2"] + counts["h3"]),
        "layout-big-type": bool(_BIG_TYPE.search(lower)),
        "layout-lists": bool(counts["li"]),
        "layout-doctype": "<!doctype" in lower[:300],
        "layout-blockquote": bool(counts["blockquote"]),
        "layout-preheader": "display:none" in lower or "display: none" in lower,
        "layout-old-markup": bool(counts["font"]),
        "layout-plain-html": not tables and not document.images and blocks > 0,
        "layout-copyright": "©" in document.text,
        **{f"layout-{name}": any(mark in lower for mark in marks) for name, marks in _MAKERS.items()},
    }


def _images(document: Document) -> dict[str, float]:
    """Measure the images: how many, how large."""
    images = document.images
    if not images:
        return {}
    shown = [i for i in images if (i.width or 99) > 2 and (i.height or 99) > 2]
    return {
        "layout-pixel": len(shown) < len(images),
        "layout-images": bucket(len(shown), 1, 3, 6, 12),
        "layout-big-image": any((image.width or 0) >= 400 for image in shown),
    }


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
    words = len(reading.body) + 20
    return (
        _lines([line for line in text.split("\n") if line and not line.isspace()])
        | _numbers(text)
        | {
            "layout-sections": bucket(_headings(text), 2, 3, 5),
            "layout-signature-mark": "\n-- \n" in text or "\n--\n" in text,
            "layout-diff": "\n+++ " in text or "\ndiff --git" in text or "\n@@ -" in text,
            "layout-questions": bucket(100 * (text.count("?") + text.count("？")) / words, 0.2, 1, 2),
            "layout-exclamations": bucket(100 * (text.count("!") + text.count("！")) / words, 0.2, 1, 2),
            "layout-ellipsis": "..." in text or "…" in text or ":)" in text or ";)" in text or ":-)" in text,
            "layout-mail-addresses": "@" in text,
        }
    )


def _flow(reading: Reading) -> dict[str, float]:
    """Measure whether the body is running text or pieces, without its words."""
    values: dict[str, float] = {}
    lines = [line for line in reading.text.split("\n")[:_MAX_LINES] if line and not line.isspace()]
    if count := len(lines) if len(lines) > 4 else 0:
        stops = sum([line.rstrip()[-1] in _STOPS for line in lines]) / count
        values["skeleton-sentences"] = bucket(stops, 0.2, 0.4, 0.6)
        values["skeleton-fragments"] = stops < 0.1
        values["skeleton-many-blocks"] = bucket(sum([len(line) > 90 for line in lines]), 3, 8, 15)
    if len(reading.body) > 30:
        words = reading.body[:200]
        values["skeleton-varied-words"] = bucket(len(set(words)) / len(words), 0.5, 0.65, 0.8)
    return values


_MAX_LINES = 100  # bound: the form of a message shows in its first lines
_STOPS = frozenset(".!?…。:,")


def _lines(full: list[str]) -> dict[str, float]:
    """Measure the form of the lines that are not blank."""
    count = len(full) or 1
    starts = [line.lstrip()[0] for line in full]
    pairs = sum(
        1 for line in full if (":" in line[1:40] or "：" in line[1:40]) and len(line) < 200 and _is_pair(line)
    )
    rulers = sum(
        1 for start, line in zip(starts, full, strict=True) if start in _RULERS and _RULER.match(line)
    )
    return {
        "layout-quoted-lines": bucket(starts.count(">") / count, 0.01, 0.2, 0.5),
        "layout-rulers": bucket(rulers, 1, 3),
        "layout-many-rulers": rulers >= 3,  # as many as a newsletter has; a list's footer has one or two
        "layout-capital-lines": bucket(sum([line.isupper() and len(line) > 5 for line in full]), 1, 3),
        "layout-pair-lines": bucket(pairs / count, 0.1, 0.25, 0.5),
        "layout-bullets": bucket(len([start for start in starts if start in _BULLETS]), 1, 3),
    }


def _headings(text: str) -> int:
    """Count lines that stand alone, without a stop, above a paragraph."""
    blocks = [block.strip() for block in _BLANK_LINE.split(text)]
    blocks = [block for block in blocks if block and not _RULER.match(block)]
    return sum([len(below) > _PARAGRAPH and _is_heading(above) for above, below in pairwise(blocks)])


def _is_heading(block: str) -> bool:
    """Say whether a block ends in a short line that is no sentence; a number or a kicker may stand above it."""
    above, _, line = block.rpartition("\n")
    line = line.strip()
    return 0 < len(line) <= _HEADING and "\n" not in above and line[-1] not in _STOPS and line[0] != ">"


_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_HEADING = 60  # choice: characters of a line that is a heading
_PARAGRAPH = 80  # choice: characters of what is more than a line


def _is_pair(line: str) -> bool:
    """Return whether a line is "name: value", and neither a web address nor the head of a quoted message."""
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


def _numbers(text: str) -> dict[str, float]:
    """Measure what its numbers are: money, percentages, dates and times, references."""
    money = percent = dates = references = 0
    text = f"  {text}"  # so that two characters stand before each number
    for found in islice(_NUMBER.finditer(text), _MOST_NUMBERS):
        unit, start = found[1], found.start()
        before = text[start - 2 : start]
        if unit:
            dates += unit == "月"
            percent += unit[-1] in _PERCENT
            money += unit != "月" and unit[-1] not in _PERCENT
        elif before[1] in _CURRENCY or (before[1] == " " and before[0] in _CURRENCY):
            money += 1
        elif before == " %":
            percent += 1
        elif not (number := found[0]).isdigit():
            dates += _DATE.fullmatch(number) is not None
        elif len(number) >= _MARKED:
            references += len(number) >= _REFERENCE or _is_marked(before)
    return {
        "layout-money": bucket(money, 1, 3, 8),
        "layout-percent": bucket(percent, 1, 3),
        "layout-dates": bucket(dates, 1, 3, 8),
        "layout-references": bucket(references, 1, 3),
    }


def number_seen(text: str, name: str) -> str:
    """Return the first number of a text that a signal such as ``layout-money`` counts, as written.

    Of reference numbers, the first with four digits is shown: "A20" may be a road. Of a web address, only the part
    that has the number.

    >>> number_seen("In 2026 it was 49,90 € a month", "layout-money")
    '49,90 €'
    >>> number_seen("See https://bugs.example.org/b/20412?x=1", "layout-references")
    '20412'
    """
    first = ""
    for found in _NUMBER.finditer(text):
        start, end = found.span()
        if not _numbers(text[max(0, start - 2) : end])[name]:
            continue
        first_of_word = max(text.rfind(" ", 0, start), text.rfind("\n", 0, start)) + 1
        rest = re.match(r"\S*", text[end:])
        before, after = text[first_of_word:start], rest[0] if rest else ""
        if "://" in before:
            before, after = _PART.split(before)[-1], _PART.split(after)[0]
        shown = f"{before}{text[start:end]}{after}".strip(".,;:()[]<>\"'")
        first = first or shown
        if name != "layout-references" or len(re.findall(r"\d", shown)) >= _SHOWN_REFERENCE:
            return shown
    return first


_PART = re.compile(r"[/?&=#]")


def _is_marked(before: str) -> bool:
    """Return whether letters or a number sign stand right before a number: "A2041", "INV-2041", "#2041"."""
    first, last = before[0], before[1]
    return last in {"#", "№"} or last.isalpha() or (last in _HYPHENS and first.isalpha())


_PERCENT = frozenset("%％")
_HYPHENS = frozenset("-_/")


def _people(message: Message, reading: Reading) -> dict[str, float]:
    """Measure whether people are named: who writes, who is greeted."""
    sender = message.sender
    domain = sender.domain.split(".")[-2] if "." in sender.domain else ""
    own = {w.lower() for w in NAME_SPLIT.split(sender.name) if len(w) > 2} - {domain}
    theirs = {
        w
        for address in message.recipients[:3]
        for w in _NAME_SPLIT.split(f"{address.name} {address.local}".lower())
        if len(w) > 2
    }
    return {
        "layout-signed-by-sender": not own.isdisjoint(reading.body[-70:]),
        "layout-greets-recipient": not theirs.isdisjoint(reading.body[:14]),
    }


_NAME_SPLIT = re.compile(r"[\s,.'\"()_+\d-]+")
