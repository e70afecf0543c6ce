"""The key of a recipient: one per mailbox, however it is spelled; several addresses have none."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, cast

from mailflows._mail.address import mailbox_of
from mailflows._mailbox import mailbox_key
from mailflows.errors import MessageError
from mailflows.message import Envelope, Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows.message import Source

__all__ = ["Unreadable", "canonical", "is_django", "recipients_of"]

_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bq]\?[^?]*\?=", re.IGNORECASE)


class Unreadable(ValueError):  # noqa: N818 -- says what it is
    """What is given as a recipient is not exactly one address: a list, a second header, look-alikes.

    It is refused, never counted under a key of its own: each such spelling would have a quota of its own, and
    the server behind would still deliver to the mailbox that it reads in it. Its text holds no address.
    """


@lru_cache(maxsize=8192)
def canonical(recipient: str) -> str:
    r"""Return the key of the one mailbox that a recipient names.

    Raises:
        Unreadable: If it is not exactly one address.

    >>> canonical(' "Ada"@Shop.example. '), canonical("Ada <ada+news@shop.example>")
    ('ada@shop.example', 'ada@shop.example')
    """
    text = unicodedata.normalize("NFC", recipient.strip())
    if not text:
        msg = "a recipient must be an address; got empty text"
        raise Unreadable(msg)
    read = mailbox_of(text)
    if read is None:
        _refuse("something else")
    local, _, domain = read.rpartition("@")
    if _ENCODED_WORD.search(local):
        _refuse("an encoded word")
    is_odd = unicodedata.normalize("NFKC", read) != read
    if is_odd and (unicodedata.normalize("NFKC", local) != local or not _is_idna(domain)):
        _refuse("compatibility characters, such as full-width letters")
    return mailbox_key(read)


def _is_idna(domain: str) -> bool:
    """Return whether a domain in other letters has A-labels, by which it is counted."""
    return mailbox_key(f"a@{domain}").isascii()


def _refuse(what: str) -> NoReturn:
    msg = f"a recipient must be one address, such as ada@example.org; got {what}"
    raise Unreadable(msg)


def recipients_of(message: Source | object) -> Iterable[str]:
    """Return the recipients of a message: of its envelope where it has one, else To, Cc and Bcc.

    Raises:
        Unreadable: If the message cannot be read.
    """
    if isinstance(message, Envelope):
        return message.recipients
    if is_django(message):  # django.core.mail.EmailMessage, and what is made like it
        return _of_django(message)
    try:
        read = Message.read(message)  # type: ignore[arg-type]
    except MessageError as problem:
        msg = f"the message has no readable recipients: {problem}"
        raise Unreadable(msg) from problem
    if read.envelope is not None and read.envelope.recipients:
        return read.envelope.recipients
    return [one.address for one in read.recipients]


def _of_django(message: Any) -> Iterable[str]:
    """Return the addresses of Django's recipients, which may have display names."""
    found = [mailbox_of(text) for text in message.recipients()]
    if None in found:
        _refuse("something else")
    return cast("list[str]", found)


def is_django(message: object) -> bool:
    """Return whether a message has its recipients as Django's do."""
    return callable(getattr(message, "recipients", None))
