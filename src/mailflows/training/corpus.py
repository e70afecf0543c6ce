"""Labelled messages from a folder, and the views in which a classifier sees them.

A message before sending has few headers, a message in an archive many. Each example can be seen

* ``as_sent``: without what servers on the way and a discussion list's server added;
* ``bare``: From, To, Cc, Subject, Reply-To and the MIME structure only, as an application holds it
  before it calls a provider;
* ``partial``: as sent, minus a random half of the headers that ``bare`` would lose.

What is removed is decided by fingerprints of software, never by the label.
"""

from __future__ import annotations

import csv
import random
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows.errors import ConfigurationError, MessageError
from mailflows.flow import Flow
from mailflows.message import Message
from mailflows.signals.headers import is_discussion_list

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["VIEWS", "Example", "as_sent", "bare", "load_corpus", "partial"]

_TRANSPORT = tuple(
    (
        "received x-received return-path delivered-to x-original-to envelope-to x-envelope dkim- domainkey- "
        "arc- authentication-results x-authentication x-spam x-virus x-greylist x-amavis "
        "x-ms-exchange-organization x-ms-exchange-crosstenant x-forefront x-microsoft-antispam "
        "x-google-dkim x-google-smtp-source x-gm-message-state x-gm- x-pstn x-status status x-keywords "
        "x-uid x-mozilla-status x-mozilla-keys x-account-key lines xref path x-scanned x-mimedefang "
        "x-bogosity x-proofpoint x-ironport x-barracuda x-antiabuse x-source x-rspamd x-delivery-time "
        "x-provags x-ui- x-env-sender x-msg-ref x-starscan x-viruschecked x-cnfs x-label x-evolution "
        "old-return-path x-loop-check x-policyd x-sender-ip x-fuglu x-hz x-apparently x-yahoo x-ymail "
        "x-yahoofiltered x-rocket x-sid- x-message-info x-exclaimer x-egress x-eopattributedmessage "
        "content-length x-pm- received-spf x-copy x-tmda x-folder x-imap x-patchwork x-mail- "
        "x-mailman-approved "
    ).split()
)
_LIST_SERVER = tuple(
    (
        "list- x-mailman x-beenthere x-list mailing-list x-mailing precedence sender errors-to archived-at "
        "x-loop x-google-group x-ml- x-archive delivered-to x-sequence x-sympa x-no-archive x-original- "
        "x-topics x-content-filtered x-mail-list x-discussion "
    ).split()
)
_BARE = ("from", "to", "cc", "bcc", "subject", "reply-to", "mime-version", "content-")

VIEWS = ("as_sent", "bare", "partial")


@dataclass(frozen=True, slots=True)
class Example:
    r"""One labelled message.

    Attributes:
        file: Path inside the corpus folder.
        label: The flow it belongs to.
        source: The folder it is in: messages of one source are left out together.
        family: A group of sources that resemble each other; by default the source itself.
        language: Two-letter code from the manifest, or empty.
        message: The message as it was read.
        weight: Its weight in training; by default 1.
        families: Prefixes of the names of the signals it teaches, such as ``words-``; all of them if empty.

    Example:
        >>> from mailflows import Flow, Message
        >>> message = Message.read(b"From: ada@lovelace.uk\nSubject: Tuesday\n\nCould we meet at noon?")
        >>> Example("professional/ada/1.eml", Flow.PROFESSIONAL, "ada", "ada", "en", message).weight
        1.0
    """

    file: str
    label: Flow
    source: str
    family: str
    language: str
    message: Message
    weight: float = 1.0
    families: tuple[str, ...] = ()


def load_corpus(
    folder: str | os.PathLike[str],
    *,
    families: Mapping[str, str] | None = None,
    relabel: Mapping[str, Flow | None] | None = None,
) -> list[Example]:
    r"""Read ``label/source/*.eml`` below a folder, with its MANIFEST.tsv if there is one.

    Args:
        folder: A folder with one subfolder per flow.
        families: Source → family, for sources that must be left out together.
        relabel: File → flow, to correct a label; `None` leaves the message out.

    Raises:
        ConfigurationError: If it has no subfolder for any flow.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp()) / "professional" / "ada"
        >>> folder.mkdir(parents=True)
        >>> _ = (folder / "1.eml").write_bytes(b"From: ada@lovelace.uk\nSubject: Tuesday\n\nAt noon?")
        >>> [(one.file, one.source) for one in load_corpus(folder.parent.parent)]
        [('professional/ada/1.eml', 'ada')]
    """
    root = Path(folder)
    manifest = _manifest(root / "MANIFEST.tsv")
    found: list[Example] = []
    for flow in Flow:
        for path in sorted((root / flow.value).glob("*/*.eml")):
            name = path.relative_to(root).as_posix()
            label = (relabel or {}).get(name, flow)
            if label is None:
                continue
            try:
                message = Message.read(path)
            except MessageError as problem:
                warnings.warn(f"{name} is left out: {problem}", stacklevel=2)
                continue
            row = manifest.get(name, {})
            source = path.parent.name
            family = (families or {}).get(source, source)
            found.append(Example(name, label, source, family, row.get("lang", ""), message))
    if not found:
        msg = f"{root} holds no messages; expected {'/, '.join(Flow)}/ with source/*.eml below"
        raise ConfigurationError(msg, field="folder")
    return found


def _manifest(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as handle:
        return {row["file"]: row for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)}


def as_sent(message: Message) -> Message:
    """Return the message without what servers on the way added."""
    on_list = is_discussion_list(message)
    dropped = _TRANSPORT + (_LIST_SERVER if on_list else ())
    kept = [header for header in message.headers if not header[0].startswith(dropped)]
    return message.replace(headers=kept, text=_without_footer(message.text) if on_list else None)


def bare(message: Message) -> Message:
    """Return the message as an application holds it before it calls a provider."""
    sent = as_sent(message)
    return sent.replace(headers=[h for h in sent.headers if h[0].startswith(_BARE)])


def partial(message: Message, *, seed: str) -> Message:
    """Return the message as sent, minus a random half of what `bare` would drop."""
    chance = random.Random(seed)  # noqa: S311 -- no secret
    sent = as_sent(message)
    kept = [h for h in sent.headers if h[0].startswith(_BARE) or chance.random() < 0.5]
    return sent.replace(headers=kept)


def view(example: Example, name: str) -> Message:
    """Return one of the `VIEWS` of an example."""
    if name == "as_sent":
        return as_sent(example.message)
    if name == "bare":
        return bare(example.message)
    return partial(example.message, seed=example.file)


def _without_footer(text: str) -> str:
    """Cut the footer that a discussion list's server added below a rule of underscores."""
    start = text.rfind("\n" + "_" * 20, max(0, len(text) - 900))
    return text[:start] if start > 0 else text
