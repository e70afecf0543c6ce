"""How fast text, links and images of HTML mail are extracted, compared with other parsers.

Usage: python benchmarks/html_parsers.py

Writes benchmarks/results/html_parsers.json. Each candidate finds the visible text, the target and text
of every link, and the alternative text of every image. ``…, all facts`` also finds what
`mailflows._html.scan` does: lines at block elements, tags in order and counted, which links are buttons
or hold an image, the sizes of images, and the styles. lxml and selectolax take part where they are
installed. The pages are those of corpus/ and examples/, and three made ones; the hostile ones show
what a tree costs when somebody nests for the sake of it.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from recording import interleaved, messages, table, write

from mailflows import Message
from mailflows._html.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable

FORK = multiprocessing.get_context("fork")
LIMIT = 10
HIDDEN = {"style", "script", "title"}
BLOCKS = frozenset("br p div tr table li ul ol h1 h2 h3 h4 h5 h6 hr pre blockquote center td th".split())


class Reader(HTMLParser):
    """The same facts with the standard library's parser."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.links: list[tuple[str, list[str]]] = []
        self.images: list[str] = []
        self.hidden = 0
        self.is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link or an image."""
        if tag in HIDDEN:
            self.hidden += 1
        elif tag == "a":
            if href := dict(attrs).get("href"):
                self.links.append((href, []))
                self.is_open = True
        elif tag == "img":
            self.images.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        """Close a link."""
        if tag in HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        elif tag == "a":
            self.is_open = False

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        if not self.hidden:
            self.words.append(data)
            if self.is_open:
                self.links[-1][1].append(data)


def with_html_parser(source: str) -> object:
    """Read with html.parser."""
    reader = Reader()
    reader.feed(source)
    reader.close()
    return " ".join("".join(reader.words).split()), reader.links, reader.images


def others() -> dict[str, Callable[[str], object]]:
    """Return the parsers that are installed."""
    found: dict[str, Callable[[str], object]] = {}
    try:
        from lxml import html as lxml_html  # noqa: PLC0415 -- optional
    except ImportError:
        pass
    else:

        def with_lxml(source: str) -> object:
            # lxml refuses text with an XML declaration that names an encoding.
            tree = lxml_html.fromstring(re.sub(r"^\s{0,9}<\?xml[^>]*>", "", source) or "<p></p>")
            for node in tree.xpath("//style | //script | //title"):
                node.drop_tree()
            links = [(a.get("href"), a.text_content()) for a in tree.iter("a") if a.get("href")]
            return tree.text_content(), links, [i.get("alt") for i in tree.iter("img")]

        found["lxml"] = with_lxml
    try:
        from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 -- optional
    except ImportError:
        pass
    else:

        def with_selectolax(source: str) -> object:
            tree = LexborHTMLParser(source)
            tree.strip_tags(["style", "script", "title"])
            links = [(a.attributes.get("href"), a.text()) for a in tree.css("a[href]")]
            text = tree.body.text() if tree.body else ""
            return text, links, [i.attributes.get("alt") for i in tree.css("img")]

        def with_all_facts(source: str) -> object:
            return all_facts(LexborHTMLParser(source))

        found["selectolax (lexbor)"] = with_selectolax
        found["selectolax (lexbor), all facts"] = with_all_facts
    return found


def all_facts(tree: Any) -> object:  # noqa: ANN401 -- selectolax may be missing
    """Walk a tree for everything that a `Document` holds."""
    styles = [node.text() for node in tree.css("style")]
    tree.strip_tags(["style", "script", "title"])
    words: list[str] = []
    tags: list[str] = []
    images = []
    for node in tree.root.traverse(include_text=True) if tree.root else ():
        tag = node.tag
        if tag == "-text":
            words.append(node.text_content or "")
            continue
        tags.append(tag)
        if tag in BLOCKS:
            words.append("\n")
        elif tag == "img":
            found = node.attributes
            images.append((found.get("alt"), found.get("width"), found.get("height")))
    links = []
    for anchor in tree.css("a[href]"):
        found = anchor.attributes
        look = f"{found.get('style')} {found.get('class')}".lower()
        is_button = any(mark in look for mark in ("background", "padding", "border-radius", "button", "btn"))
        links.append((found["href"], anchor.text(), anchor.css_first("img") is not None, is_button))
    text = "\n".join(line for raw in "".join(words).split("\n") if (line := " ".join(raw.split())))
    return text, links, images, tags, Counter(tags), styles


def made_pages() -> list[str]:
    """Return three newsletters of 10, 20 and 40 kB, made of one block."""
    block = (
        '<tr><td class="mcnTextContent" style="padding:9px 18px;font-family:Helvetica;font-size:16px;">'
        '<a href="https://lien.exemple.fr/c/4f9a?utm_source=lettre&amp;utm_campaign=mai" style="color:#fff;">'
        '<img src="https://img.exemple.fr/a.jpg" width="264" alt="Une image"></a><p>Bonjour &agrave; tous, '
        "voici les nouvelles du mois et quelques lignes de texte.</p></td></tr>\n"
    )
    head = "<!DOCTYPE html><html><head><style>td { color: #333; }</style></head><body><table>"
    return [
        head + block * (size // len(block)) + "</table></body></html>" for size in (10_000, 20_000, 40_000)
    ]


def hostile_pages() -> dict[str, str]:
    """Return a quarter of a megabyte, all that is read of a message, of a few attacks on trees."""
    units = {
        "open anchors": "<a ",
        "nested tables": "<table><tr><td>",
        "nested anchors": '<a href="http://a.example/">x',
        "nested bold": "<b>",
        "misnested": "<b><p></b></p>",
    }
    return {name: unit * (250_000 // len(unit)) for name, unit in units.items()}


def in_time(run: Callable[[str], object], page: str) -> float | str:
    """Return the milliseconds of one run in a process of its own, which is ended after LIMIT seconds."""
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_send_time, args=(run, page, sender))
    process.start()
    answer: float | str = f"ended after {LIMIT} s"
    if receiver.poll(LIMIT):
        try:
            answer = round(receiver.recv() * 1000, 1)
        except EOFError:
            answer = "crashed"
    process.kill()
    process.join()
    return answer


def _send_time(run: Callable[[str], object], page: str, sender: Any) -> None:  # noqa: ANN401 -- a pipe's end
    start = time.perf_counter()
    run(page)
    sender.send(time.perf_counter() - start)


def main() -> None:
    """Measure and write."""
    real = [m.html for m in map(Message.read, messages("corpus", "examples")) if m.html]
    candidates: dict[str, Callable[[str], object]] = {"mailflows": scan, "html.parser": with_html_parser}
    candidates |= others()
    result: dict[str, Any] = {
        name: {
            "pages": len(pages),
            "mean_bytes": sum(len(page.encode()) for page in pages) // len(pages),
            "per_page": table(interleaved(candidates, pages), reference="html.parser"),
        }
        for name, pages in (("corpus and examples", real), ("made newsletters", made_pages()))
    }
    result["hostile, milliseconds"] = {
        name: {candidate: in_time(run, page) for candidate, run in candidates.items()}
        for name, page in hostile_pages().items()
    }
    write("html_parsers", result, packages=("lxml", "selectolax"))


if __name__ == "__main__":
    main()
