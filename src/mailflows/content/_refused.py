"""What gets mail refused, or taken for a deception: headers, attachments, the name of the sender."""

from __future__ import annotations

import re
import struct
import unicodedata
from collections import Counter
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile

from mailflows import _data
from mailflows._domain import registrable_domain
from mailflows._html.scan import seen, unescaped
from mailflows._mail import structure
from mailflows._mail.decoding import decoded, parameters, transfer_encoding
from mailflows._mail.edit import fields, is_signed
from mailflows._providers import is_free_mail
from mailflows.content._draft import Note
from mailflows.content._report import Where
from mailflows.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._mail.structure import Leaf
    from mailflows.content._draft import Draft

__all__ = ["rules"]

_ONCE = frozenset(
    "from sender reply-to to cc bcc message-id in-reply-to references subject date mime-version content-type "
    "content-transfer-encoding list-unsubscribe list-unsubscribe-post list-id".split()
)
"""RFC 5322 section 3.6, RFC 2045 sections 4 to 6, RFC 2369 section 2, RFC 8058 section 3.1."""

_ABSURD = 96 * 3600.0
"""Seconds; SpamAssassin's DATE_IN_PAST_96_XX and DATE_IN_FUTURE_96_XX. Our choice."""

_SHOWN_ADDRESS = re.compile(
    r"[\w.+-]{1,64}(?:\s?(?:@|\((?:at|a)\)|\[at\])\s?|\sat\s)((?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})",
    re.IGNORECASE,
)
_CID = re.compile(r"""\bcid:([^\s"'<>)\\]{1,200})""", re.IGNORECASE)
_ALIGNED = re.compile(r"(?:^|;)\s*+d\s*+=\s*+([\w.-]{1,253})")
_OVERRIDE = re.compile("[\u202d\u202e]")
"""Right-to-left and left-to-right override, which reverse the order of the letters."""


def rules(draft: Draft) -> Iterator[Note]:
    """Yield what providers refuse."""
    yield from _overrides(draft)
    if draft.is_template:
        return
    yield from _header_lines(draft)
    yield from _date(draft)
    yield from _sender(draft)
    yield from _signature(draft)
    raw, _ = structure.normal(draft.raw)
    leaves = _leaves(raw)
    yield from _attachments(raw, leaves)
    yield from _pictures(draft, leaves)


def _header_lines(draft: Draft) -> Iterator[Note]:
    raw = draft.raw
    counted: Counter[str] = Counter()
    odd: dict[str, None] = {}
    for name, start, end in fields(raw):
        counted[name] += 1
        if not raw[start:end].isascii():
            odd[name.title()] = None
    if double := [name.title() for name in counted if counted[name] > 1 and name in _ONCE]:
        yield draft.header("header-duplicate", double[0], *double)
    if odd:
        yield draft.header("header-8bit", next(iter(odd)), *odd)


def _date(draft: Draft) -> Iterator[Note]:
    """Compare Date with the first relay's stamp, or with the clock where no relay has seen the message."""
    sent = _moment(draft.message.get("date"))
    if sent is None:
        return
    stamps = [_moment(value.rpartition(";")[2]) for value in draft.message.get_all("received")[:50]]
    seen_at = min((stamp for stamp in stamps if stamp is not None), default=draft.now)
    if abs(sent - seen_at) > _ABSURD:
        yield draft.header("date-absurd", "Date", draft.message.get("date")[:60])


def _moment(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value.strip()[:120]).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _sender(draft: Draft) -> Iterator[Note]:
    sender = draft.message.sender
    own = registrable_domain(sender.domain) if sender.domain else ""
    name = seen(unicodedata.normalize("NFKC", sender.name[:500]))
    shown = [registrable_domain(domain.lower()) for domain in _SHOWN_ADDRESS.findall(name)]
    if own and any(domain != own for domain in shown):
        yield draft.header("from-name-deceptive", "From", name[:60])
    if sender.domain and is_free_mail(sender.domain):
        yield draft.header("from-free-mail", "From", sender.domain)


def _signature(draft: Draft) -> Iterator[Note]:
    if not is_signed(draft.raw):
        return
    yield draft.header("already-signed", "DKIM-Signature")
    own = registrable_domain(draft.message.sender.domain) if draft.message.sender.domain else ""
    signers = [
        registrable_domain(found[1].lower())
        for value in draft.message.get_all("dkim-signature")[:20]
        if (found := _ALIGNED.search("".join(value.split())))
    ]
    if own and signers and own not in signers:
        yield draft.header("dkim-unaligned", "DKIM-Signature", *signers)


def _overrides(draft: Draft) -> Iterator[Note]:
    """Yield one note for letters that are shown in another order than they stand in."""
    message = draft.message
    places = {
        "From": message.sender.name,
        "Subject": message.subject,
        **{part.filename[:60]: part.filename for part in message.parts},
    }
    for name, text in places.items():
        if _OVERRIDE.search(text):
            yield draft.header("bidi-override", seen(name)[:60])
            return
    source = draft.html or message.text
    if _OVERRIDE.search(source) or re.search(r"&#(?:8237|8238|x202d|x202e);", source, re.IGNORECASE):
        yield Note("bidi-override", Where("html" if draft.html else "text"))


def _leaves(raw: bytes) -> list[Leaf]:
    """Return the parts of a message with their Content fields."""
    try:
        found = structure.head(raw)
    except MessageError:
        return []
    defects: list[str] = []
    headers = structure.content_fields(found, defects.append)
    return list(structure.leaves(raw, headers, found.body, len(raw), defects.append))


def _attachments(raw: bytes, leaves: list[Leaf]) -> Iterator[Note]:
    endings = _data.read_sections("content/attachments.txt")
    refused = {*endings["gmail"], *endings["outlook"]}
    names = (name for leaf in leaves for name in (*_names(leaf), *_packed(raw, leaf)))
    found = [name for name in names if _ending(name, endings["packed"]) in refused]
    if found:
        said = tuple(dict.fromkeys(name[:60] for name in found))
        yield Note("attachment-dangerous", Where("headers", None, said[0]), len(said), said[:10])


def _names(leaf: Leaf) -> set[str]:
    """Return the names that clients may show of a part, from both fields."""
    _, options = parameters(leaf.headers.get("content-disposition", ""))
    return {name for name in (options.get("filename", ""), leaf.options.get("name", "")) if name}


def _packed(raw: bytes, leaf: Leaf) -> list[str]:
    """Return the names of the files in a zip, into which Gmail looks, too."""
    if leaf.stop - leaf.start > _LARGEST_ZIP or not any(
        name.lower().endswith(".zip") for name in _names(leaf)
    ):
        return []
    try:
        data = decoded(raw[leaf.start : leaf.stop], transfer_encoding(leaf.headers))
        return [info.filename for info in ZipFile(BytesIO(data)).infolist()[:1000]]
    except (BadZipFile, ValueError, OSError, NotImplementedError, struct.error):
        return []


_LARGEST_ZIP = 2_000_000
"""bound: bytes of an archive whose list of files is read."""


def _ending(name: str, packed: tuple[str, ...]) -> str:
    """Return the ending that says what a file is; white space and dots behind it do not count in Windows."""
    name = seen(unicodedata.normalize("NFKC", _OVERRIDE.sub("", name[-300:]))).lower().rstrip(". \t\"'")
    stem, dot, ending = name.rpartition(".")
    if ending.strip() in packed and "." in stem:
        return stem.rpartition(".")[2].strip()
    return ending.strip() if dot else ""


def _pictures(draft: Draft, leaves: list[Leaf]) -> Iterator[Note]:
    """Compare ``cid:`` addresses with the parts (RFC 2392)."""
    if "cid:" not in draft.html.lower():
        return
    there = {_plain_id(leaf.headers.get("content-id", "")) for leaf in leaves}
    there |= {_plain_id(leaf.headers.get("content-location", "").removeprefix("cid:")) for leaf in leaves}
    wanted = dict.fromkeys(_plain_id(unescaped(found)) for found in _CID.findall(draft.html))
    if missing := [name for name in wanted if name and name not in there]:
        yield Note(
            "cid-missing", Where("html", None, f"cid:{missing[0][:70]}"), len(missing), tuple(missing[:10])
        )


def _plain_id(value: str) -> str:
    return unquote(value).strip().strip("<>").strip().lower()
