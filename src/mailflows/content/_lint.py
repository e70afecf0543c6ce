"""`lint`: every rule on one message, as one report."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailflows._mail.reader import page_of, read_raw
from mailflows.content import (
    _headers,
    _images,
    _likeness,
    _links,
    _refused,
    _slips,
    _support,
    _unsubscribe,
    _visible,
)
from mailflows.content._draft import Draft
from mailflows.content._report import LintFinding, LintReport, codes
from mailflows.errors import ConfigurationError, MessageError
from mailflows.flow import Flow
from mailflows.message import Message

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mailflows._clock import Clock
    from mailflows.content._draft import Note
    from mailflows.content._page import Template
    from mailflows.message import Source

__all__ = ["lint", "lint_html"]

_RULES = (_headers, _refused, _unsubscribe, _links, _images, _support, _visible, _likeness, _slips)


def lint(
    message: Source,
    *,
    flow: Flow | str | None = None,
    clients: str | Iterable[str] = "default",
    ignore: Collection[str] = (),
    clock: Clock = time.time,
) -> LintReport:
    r"""Check a message for faults before it is sent.

    Nothing is fetched and nothing is run. Several findings of one kind are reported as one, with a count.

    >>> report = lint(b"From: a@shop.example\nSubject: NEW PRICES TODAY\n\nHello", flow="marketing")
    >>> "subject-shouting" in report, report.ok
    (True, False)

    Args:
        message: The message: bytes, text, a path, an open binary file or an email message object.
        flow: The flow that it is for. Severities differ: an advertisement without a way to unsubscribe is an
            error, a receipt without one is not. Without a flow, rules that depend on it are not applied.
        clients: ``default`` (the widespread ones), ``all``, or families and clients such as ``gmail`` or
            ``outlook/windows``.
        ignore: Codes or families that are not reported.
        clock: Returns the current time, which Date is compared with, in Unix seconds.

    Raises:
        MessageError: If it is not a message.
        ConfigurationError: For a flow, a client or a code that does not exist.
    """
    if isinstance(message, Message):
        read, raw = message, b""
    else:
        found = read_raw(message)
        read, raw = Message.read(message if isinstance(message, str) else found.data), found.data
    named = None if flow is None else Flow(flow)
    return _report(Draft(read, raw, named, read.html, _support.clients_named(clients), clock()), ignore)


def lint_html(
    html: Template,
    *,
    flow: Flow | str | None = None,
    clients: str | Iterable[str] = "default",
    ignore: Collection[str] = (),
) -> LintReport:
    """Check the HTML of a template for faults, before its merge tags are filled in.

    Rules about headers, the plain part and merge tags do not apply; the others are those of `lint`.

    >>> [finding.code for finding in lint_html("<img src='https://example.org/a.png' width=90>")][0]
    'image-alt-missing'

    Args:
        html: The source of the page: text, bytes, a path or an open file.
        flow: As for `lint`.
        clients: As for `lint`.
        ignore: As for `lint`.

    Raises:
        ConfigurationError: For a flow, a client or a code that does not exist.
        MessageError: If the page is empty, a message, or a file that cannot be read.
    """
    html = page_of(html)
    if not html.strip():
        msg = "an empty text is not a page"
        raise MessageError(msg, position=0)
    page = html.encode("utf-8", "replace").decode()
    read = Message.read(_AS_MESSAGE + page)
    named = None if flow is None else Flow(flow)
    draft = Draft(read, b"", named, page, _support.clients_named(clients), 0.0, is_template=True)
    return _report(draft, ignore)


_AS_MESSAGE = "MIME-Version: 1.0\nSubject: \nContent-Type: text/html; charset=utf-8\n\n"


def _report(draft: Draft, ignore: Collection[str]) -> LintReport:
    ignored = _ignored(ignore)
    found = [_finding(note, draft) for rule in _RULES for note in rule.rules(draft)]
    kept = [finding for finding in found if finding and finding.code not in ignored]
    kept.sort(key=lambda finding: -finding.severity.weight)
    return LintReport(tuple(kept), draft.flow, _support.data_date(), draft.is_template)


def _ignored(ignore: Collection[str]) -> set[str]:
    """Return the codes that are meant by codes and families."""
    words = {ignore} if isinstance(ignore, str) else set(ignore)
    meant = {name for name, code in codes().items() if not words.isdisjoint((name, code.family))}
    if unknown := words - meant - {code.family for code in codes().values()}:
        msg = f"there is no code or family {min(unknown)!r}; mailflows.content.codes() lists them"
        raise ConfigurationError(msg, field="ignore")
    return meant


def _finding(note: Note, draft: Draft) -> LintFinding | None:
    """Give a note the words and the severity of its flow, or `None` where the flow does not mind."""
    code = codes()[note.code]
    severity = code.severities[draft.flow]
    if severity is None:
        return None
    return LintFinding(
        code.name,
        severity,
        code.sentence,
        note.where,
        note.count,
        note.evidence,
        note.clients,
        code.reference,
        code.fix,
    )
