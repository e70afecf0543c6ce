"""Whole mails with footers, by which the guard and the classifier are judged: guard_mails.txt, dressed."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path

FIELDS = ("half", "side", "kind", "language")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it was written.

    Attributes:
        half: ``a``, which rules may be mended on, or ``b``, which is only measured.
        side: ``clean`` or ``marketing``.
        kind: What it is.
        language: Two letters.
        subject: Its subject.
        lines: Mark and text of each line.
    """

    half: str
    side: str
    kind: str
    language: str
    subject: str
    lines: tuple[tuple[str, str], ...]

    def message(self, *, as_html: bool = False, sender: str = "no-reply@notify.example.org") -> str:
        """Return it as a message: as plain text, or as the table that most mailing tools make of it."""
        kind, body = ("html", self._page()) if as_html else ("plain", self._text())
        head = f"From: {sender}\nTo: ada@example.net\nSubject: {self.subject}\nMIME-Version: 1.0\n"
        return f"{head}Content-Type: text/{kind}; charset=utf-8\n\n{body}"

    def _text(self) -> str:
        shown = {
            "*": lambda text: f"{text}: https://www.example.org/x/81",
            "%": lambda text: text.replace(" | ", ": ", 1).replace(" | ", "  "),
        }
        return "\n\n".join(shown.get(mark, str)(text) for mark, text in self.lines) + "\n"

    def _page(self) -> str:
        rows = "\n".join(f"<tr><td>{_cell(mark, html.escape(text))}</td></tr>" for mark, text in self.lines)
        return (
            '<html><body style="margin:0"><table width="100%"><tr><td align="center">'
            f'<table width="600">\n{rows}\n</table></td></tr></table></body></html>\n'
        )


def _cell(mark: str, text: str) -> str:
    """Return the HTML of a line."""
    if mark == "^":
        return f'<div style="display:none">{text}</div>'
    if mark == "#":
        return f"<h1>{text}</h1>"
    if mark == "*":
        return f'<a href="https://www.example.org/x/81" style="background:#147;padding:12px">{text}</a>'
    if mark == "%":
        return "<table><tr>" + "".join(f"<td>{cell}</td>" for cell in text.split(" | ")) + "</tr></table>"
    return f'<p style="font-size:11px;color:#888">{text}</p>' if mark == "-" else f"<p>{text}</p>"


def mails() -> list[Mail]:
    """Return all mails in order."""
    found = []
    text = Path(__file__).with_name("guard_mails.txt").read_text("utf-8")
    for block in text.split("\n=== ")[1:]:
        first, subject, *lines = [line for line in block.split("\n") if line.strip()]
        marked = tuple(
            (line[0], line[2:]) if line[1:2] == " " and line[0] in "^#%*-" else ("", line) for line in lines
        )
        found.append(Mail(*first.split(), subject.removeprefix("Subject: "), marked))
    return found
