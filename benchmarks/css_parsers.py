"""How much time the style sheets of a template take, compared with well-kept libraries that do the same.

    pip install tinycss2 cssselect2 html5lib
    python benchmarks/css_parsers.py [folder of templates]

Each candidate reads every style sheet and every ``style`` attribute of a page that is parsed already, and
finds the declarations of each element. Neither computes what they come to. Times are of one core, with cold
caches. Writes ``results/css_parsers.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from content_speed import CACHES, in_turns
from recording import ROOT, table, write

from mailflows.content import _css
from mailflows.content._cascade import RuleIndex
from mailflows.content._page import Page

try:
    import cssselect2
    import html5lib
    import tinycss2
except ImportError as problem:
    raise SystemExit("pip install tinycss2 cssselect2 html5lib") from problem

STYLE = "{http://www.w3.org/1999/xhtml}style"


def main() -> None:
    """Measure in turns and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    cases = ROOT.parent / "shared/cases/content/templates"
    parser.add_argument("templates", type=Path, nargs="?", default=cases)
    sources = [path.read_text("utf-8") for path in sorted(parser.parse_args().templates.glob("*.html"))]
    if not sources:
        raise SystemExit("no templates there")
    inputs = [(source, Page(source).tree, html5lib.parse(source, treebuilder="etree")) for source in sources]
    medians = in_turns({"mailflows": ours, "tinycss2 and cssselect2": theirs}, inputs)
    result = {"templates": len(inputs), "medians": table(medians, reference="mailflows")}
    write("css_parsers", result, packages=("tinycss2", "cssselect2", "html5lib"))


def ours(case: tuple[str, Any, Any]) -> int:
    """Match with what the linter uses."""
    for cached in CACHES:
        cached.cache_clear()
    page = Page(case[0])
    page.tree = case[1]
    index = RuleIndex(page.sheets, applies=lambda _: True)
    return sum(len(index.blocks(e)) + len(_css.declarations(e.get("style"))) for e in page.tree.elements)


def theirs(case: tuple[str, Any, Any]) -> int:
    """Match with tinycss2 and cssselect2."""
    matcher = cssselect2.Matcher()
    for sheet in case[2].iter(STYLE):
        add(matcher, tinycss2.parse_stylesheet(sheet.text or "", skip_comments=True, skip_whitespace=True))
    found = 0
    for element in cssselect2.ElementWrapper.from_html_root(case[2]).iter_subtree():
        own = element.etree_element.get("style") or ""
        found += len(matcher.match(element)) + len(tinycss2.parse_blocks_contents(own))
    return found


def add(matcher: cssselect2.Matcher, rules: list[Any]) -> None:
    """Add rules, those of media queries included, to a matcher."""
    for rule in rules:
        if rule.type == "at-rule" and rule.lower_at_keyword == "media" and rule.content:
            add(matcher, tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True))
        elif rule.type == "qualified-rule":
            declarations = tinycss2.parse_blocks_contents(rule.content, skip_comments=True)
            try:
                selectors = cssselect2.compile_selector_list(rule.prelude)
            except cssselect2.SelectorError:
                continue
            for selector in selectors:
                matcher.add_selector(selector, declarations)


if __name__ == "__main__":
    main()
