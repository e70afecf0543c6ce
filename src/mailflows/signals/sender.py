"""Sender and recipients: whose address it is, how it is named, whom it is for, where answers go."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows._providers import is_free_mail
from mailflows.message import addresses
from mailflows.signals._signal import NAME_SPLIT, Signal, bucket, some
from mailflows.signals.headers import is_discussion_list

if TYPE_CHECKING:
    from mailflows.message import Address, Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "local_class", "measure"]

_LONGEST_NAME = 200
_LONGEST_LOCAL = 320
"""Characters that are looked at: five times what RFC 5321 section 4.5.3.1.1 allows."""


SIGNALS = tuple(
    Signal(name, sentence)
    for name, sentence in {
        "recipients-none": "it names no recipient",
        "recipients-many": "it has several recipients",
        "recipients-copied": "somebody is in copy (Cc)",
        "recipients-named": "the recipient's name stands beside the address",
        "recipients-same-domain": "sender and recipient share a domain",
        "recipients-is-sender": "sender and recipient have the same address",
        "recipients-person": "the recipient's address looks like a person's",
        "recipients-list": "it is addressed to a list or a group",
        "sender-none": "it names no sender",
        "sender-no-reply": "it comes from a no-reply address",
        "sender-system": "it comes from an address that programs use",
        "sender-orders": "it comes from an address for orders and bills",
        "sender-news": "it comes from an address for news and offers",
        "sender-desk": "it comes from a role account",
        "sender-person-address": "the sender's address contains the sender's name",
        "sender-dotted-address": "the sender's address has the form first.last",
        "sender-random-address": "the sender's address looks generated",
        "sender-person-name": "the sender's name looks like a person's",
        "sender-company-name": "the sender's name looks like an organisation's",
        "sender-name-at-company": "the sender is presented as a person at an organisation",
        "sender-program-name": "the sender's name is a program's or a service's",
        "sender-news-name": "the sender's name is a newsletter's or an offer's",
        "sender-desk-name": "the sender's name is a team's",
        "sender-no-name": "the sender gives no name",
        "sender-name-is-domain": "the sender is named after its domain",
        "sender-free-mail": "it comes from a personal mailbox provider",
        "sender-news-host": "it comes from a host name for mailings",
        "sender-system-host": "it comes from a server's host name",
        "sender-deep-host": "the sender uses a sub-domain",
        "sender-reply-elsewhere": "replies go to another address",
        "sender-reply-other-domain": "replies go to another domain",
        "sender-bounce-address": "replies go to a generated address",
    }.items()
)


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure who sends to whom."""
    del reading
    return some(_recipients(message) | _sender(message))


def _recipients(message: Message) -> dict[str, float]:
    """Measure whom it is addressed to."""
    found = message.recipients
    sender = message.sender
    if not found:
        return {"recipients-none": 1.0}
    first = found[0]
    return {
        "recipients-many": bucket(len(found), 2, 3, 6),
        "recipients-copied": "cc" in message,
        "recipients-named": bool(first.name) and first.name.lower() != first.address,
        "recipients-same-domain": any(a.domain == sender.domain for a in found),
        "recipients-is-sender": first.address == sender.address,
        "recipients-person": bool(re.fullmatch(r"[^\W\d_]{2,20}[._-][^\W\d_]{2,20}", first.local)),
        "recipients-list": local_class(first.local) in {"desk", "news"}
        or first.local.endswith(("list", "-l", "-dev", "-users", "-devel", "all", "tous", "alle")),
    }


@cache
def _local_classes() -> dict[str, str]:
    """Map a local part, or a host label behind «@», to what it is used for."""
    found: dict[str, str] = {}
    for section, lines in _data.read_sections("senders.txt").items():
        prefix = "@" if section.startswith("host_") else ""
        for line in lines:
            for word in line.split():
                found.setdefault(prefix + word, section)
    return found


def local_class(local: str) -> str:
    """Return what a local part is used for, or an empty string.

    >>> local_class("no-reply"), local_class("newsletter-fr"), local_class("ada.lovelace")
    ('no_reply', 'news', '')
    """
    classes = _local_classes()
    base = local.partition("+")[0]
    if base in classes:
        return classes[base]
    squeezed = re.sub(r"[\W_]+", "", base)
    if "noreply" in squeezed or "donotreply" in squeezed:
        return "no_reply"
    for word in re.split(r"[\W_\d]+", base):
        if word in classes and len(word) > 2:
            return classes[word]
    return ""


def _sender(message: Message) -> dict[str, float]:
    """Measure who sends: the address, the name beside it, where answers go."""
    sender = message.sender
    if not sender.address:
        return {"sender-none": 1.0}
    kind = local_class(sender.local)
    values: dict[str, float] = {f"sender-{kind.replace('_', '-')}": 1.0} if kind else {}
    labels = sender.domain.split(".")
    hosts = {_local_classes().get("@" + label) for label in labels[:-2]}
    values |= {
        "sender-free-mail": is_free_mail(sender.domain),
        "sender-news-host": "host_news" in hosts,
        "sender-system-host": "host_system" in hosts,
        "sender-deep-host": bucket(len(labels), 3, 4),
        "sender-dotted-address": bool(re.fullmatch(r"[^\W\d_]{1,20}[._-][^\W\d_]{2,20}", sender.local))
        and not kind,
        "sender-random-address": sum(c.isdigit() for c in sender.local) > 5 or len(sender.local) > 30,
    }
    values |= _sender_name(sender, kind) | _reply_to(message, sender)
    return values


def _sender_name(sender: Address, kind: str) -> dict[str, float]:
    """Measure the display name: a person's, an organisation's, or a person «of» one."""
    name = sender.name.strip()[:_LONGEST_NAME]
    if not name or "@" in name:
        return {"sender-no-name": 1.0}
    words = [w for w in NAME_SPLIT.split(name) if w]
    lower = [w.lower() for w in words]
    local = sender.local.lower()[:_LONGEST_LOCAL]
    owner = sender.domain.split(".")[-2] if "." in sender.domain else sender.domain
    joined = "".join(lower)
    in_address = any(len(w) > 2 and w in local and w not in owner for w in lower)
    at_company = bool(
        re.search(
            r"\s(?:from|at|de chez|chez|von|bei|from the|di|da|van|z|из|w/)\s|\s[|@–/-]\s|\([^()]+\)|,\s",
            name,
        )
    )
    looks_named = 2 <= len(words) <= 4 and all(
        w[:1].isupper() and not w.isupper() for w in words if len(w) > 3
    )
    like_domain = len(owner) > 2 and (
        owner in joined or (len(joined) > 3 and joined in owner.replace("-", ""))
    )
    named = {_local_classes().get(w, "") for w in lower if len(w) > 2}
    return {
        "sender-program-name": "system" in named or "no_reply" in named or "orders" in named,
        "sender-news-name": "news" in named,
        "sender-desk-name": "desk" in named,
        "sender-person-address": in_address and not kind,
        "sender-person-name": looks_named and (in_address or not like_domain) and not at_company and not kind,
        "sender-company-name": len(words) == 1 or like_domain,
        "sender-name-at-company": at_company and not in_address,
        "sender-name-is-domain": like_domain,
    }


def _reply_to(message: Message, sender: Address) -> dict[str, float]:
    """Measure where answers go."""
    found = addresses(message.get("reply-to")) if "reply-to" in message else ()
    if not found or is_discussion_list(message):
        return {}
    return {
        "sender-reply-elsewhere": found[0].address != sender.address,
        "sender-reply-other-domain": found[0].domain != sender.domain,
        "sender-bounce-address": "+" in found[0].local or sum(c.isdigit() for c in found[0].local) > 5,
    }
