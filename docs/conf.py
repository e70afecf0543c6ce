"""How the documentation is built."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
from functools import cache
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

import mailflows
from mailflows.content import codes
from mailflows.flows._flow_set import routing_codes
from mailflows.signals import SIGNALS
from mailflows.signals.words import CONCEPTS, ZONES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx

    from mailflows import Flow, Severity

project = "mailflows"
author = "The mailflows authors"
project_copyright = f"2026, {author}"
version = release = installed_version("mailflows")

extensions = [
    "myst_nb",  # Markdown and notebooks
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
html_theme = "furo"
html_title = f"mailflows {release}"
exclude_patterns = ["_build", "jupyter_execute"]
nb_execution_mode = "force"  # they are kept without outputs: none can be stale
nb_execution_raise_on_error = True
nb_execution_timeout = 120
copybutton_prompt_text = r">>> |\.\.\. |\$ "  # what is copied is what is typed
copybutton_prompt_is_regexp = True
default_role = "code"
nitpicky = True
nitpick_ignore_regex = [
    # No inventory is fetched for other projects, and what is private has no place on a page.
    (
        r"py:.*",
        r"(abc|datetime|enum|os|ssl|smtplib|aiosmtplib|collections|numpy|np|sparse|sklearn|pandas|django)\b.*",
    ),
    (r"py:.*", r"mailflows\.(\w+\.)*_\w+\..*"),
    # Names that stand for a type within the library.
    (r"py:class", r"\w+"),
    (r"py:class", r"(Mapping|tuple)\[.*"),
    # Notes in brackets behind an attribute, which napoleon takes for a type.
    (r"py:class", r".* .*"),
    (r"py:class", r"mailflows\.training\.evaluation\.ViewMetrics"),
]
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_use_ivar = True  # a dataclass field is described once, in "Attributes"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
doctest_test_doctest_blocks = ""  # pytest runs those of docstrings, where their names are known


class LinkedNames(SphinxTransform):
    """Make what is public a link to the API, wherever it stands as code in a sentence."""

    default_priority = 210

    def apply(self, **_: object) -> None:
        """Replace each literal that names something public."""
        if self.env.docname == "api":
            return
        for literal in list(self.document.findall(nodes.literal)):
            target = _public_name(literal.astext())
            if target is None or isinstance(literal.parent, nodes.title | nodes.reference):
                continue
            facts = {"refdomain": "py", "reftype": "obj", "reftarget": target, "refdoc": self.env.docname}
            literal.replace_self(addnodes.pending_xref("", literal.deepcopy(), **facts))


@cache
def _public() -> dict[str, tuple[str, object]]:
    """Return where each public name lives, by name."""
    parts = (part.name for part in pkgutil.iter_modules(mailflows.__path__) if not part.name.startswith("_"))
    found: dict[str, tuple[str, object]] = {}
    for module in ("mailflows", *(f"mailflows.{part}" for part in parts)):
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if inspect.isclass(value) or inspect.isfunction(value):
                found.setdefault(name, (f"{module}.{name}", value))
    return found


def _public_name(text: str) -> str | None:
    """Return the whole name of something public that a text in code names, such as ``Pacer.stream()``."""
    found = re.fullmatch(r"(?:mailflows\.(?:[a-z]\w*\.)*)?(\w+)(?:\.(\w+))?(\(.*\))?", text)
    if found is None or found[1] not in _public():
        return None
    address, value = _public()[found[1]]
    member = found[2]
    if member is None:
        return address if inspect.isclass(value) or found[3] else None
    if member not in vars(value) or member.startswith("_"):
        return None
    # A field of a dataclass stands in the description of its class.
    has_place = inspect.isfunction(inspect.unwrap(getattr(value, member)))
    return f"{address}.{member}" if has_place else address


class SignalTable(SphinxDirective):
    """A table of all signals of a family; of the words, their concepts and zones."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        family = self.arguments[0]
        if family == "concepts":
            rows = [(name.replace("_", "-"), what) for name, what in CONCEPTS.items()]
            return [
                _table(
                    ("concept", "what is found"),
                    rows,
                )
            ]
        if family == "zones":
            return [_table(("zone", "where"), ZONES.items())]
        rows = [(name, signal.sentence) for name, signal in SIGNALS.items() if signal.family == family]
        if not rows:
            msg = f"no signal belongs to the family {family!r}"
            raise self.error(msg)
        return [_table(("signal", "what it says"), rows)]


class CodeTable(SphinxDirective):
    """A table of the codes of a family that linting has."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        rows = [
            (code.name, f"{code.sentence} ({_severities(code.severities)}; {code.reference})")
            for code in codes().values()
            if code.family == self.arguments[0]
        ]
        if not rows:
            msg = f"no code belongs to the family {self.arguments[0]!r}"
            raise self.error(msg)
        return [_table(("code", "what it says"), rows)]


class RoutingCodes(SphinxDirective):
    """A table of the codes of a routing decision."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        rows = [(code, f"{one['sentence']} ({one['kind']})") for code, one in routing_codes().items()]
        return [_table(("code", "what it says"), rows)]


class SystemMatrix(SphinxDirective):
    """A table of the sending systems that the data files know."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        path = Path(__file__).with_name("system_matrix.py")
        self.env.note_dependency(str(path))
        spec = importlib.util.spec_from_file_location("system_matrix", path)
        if spec is None or spec.loader is None:
            msg = "docs/system_matrix.py is missing"
            raise self.error(msg)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return [_wide_table(module.HEADER, module.rows())]


def _severities(severities: dict[Flow | None, Severity | None]) -> str:
    """Return the severity in words, with those of flows that differ."""
    general = severities[None]
    others = [f"{flow}: {word or 'silent'}" for flow, word in severities.items() if flow and word != general]
    return ", ".join([str(general or "silent"), *others])


def _table(header: tuple[str, str], rows: Iterable[tuple[str, str]]) -> nodes.table:
    """Return a table of two columns, the first as code."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (30, 70)), cols=2)
    head = nodes.row("", *(nodes.entry("", nodes.paragraph("", word)) for word in header))
    group += nodes.thead("", head)
    body = nodes.tbody()
    for name, sentence in rows:
        first = nodes.entry("", nodes.paragraph("", "", nodes.literal("", name)))
        body += nodes.row("", first, nodes.entry("", nodes.paragraph("", sentence)))
    group += body
    return nodes.table("", group)


def _wide_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> nodes.table:
    """Return a table of any number of columns."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=10) for _ in header), cols=len(header))
    group += nodes.thead("", nodes.row("", *(nodes.entry("", nodes.paragraph("", word)) for word in header)))
    group += nodes.tbody(
        "",
        *(nodes.row("", *(nodes.entry("", nodes.paragraph("", cell)) for cell in row)) for row in rows),
    )
    return nodes.table("", group)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the links to the API, and the tables of signals, codes and sending systems."""
    app.add_transform(LinkedNames)
    app.add_directive("signal-table", SignalTable)
    app.add_directive("code-table", CodeTable)
    app.add_directive("routing-codes", RoutingCodes)
    app.add_directive("system-matrix", SystemMatrix)
    return {"parallel_read_safe": True}


# Two parts have a class of the same name (`Reason`), each public in its own package; the signature of a
# result names it without the package, and Sphinx cannot tell which one is meant.
suppress_warnings = ["ref.python"]
