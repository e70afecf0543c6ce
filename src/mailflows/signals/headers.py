"""Headers: who writes to whom about what, and what a client, a tool or a server writes about itself.

All of them are optional. A discussion list's own headers (List-Post and its kin) are set aside before the rest is
read: people write to lists, so a List-Id or a List-Unsubscribe that a list server added says nothing about the
author (RFC 2369 section 3.4, RFC 2919).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows._providers import is_free_mail
from mailflows.message import addresses
from mailflows.signals._signal import NAME_SPLIT, Signal, bucket, some

if TYPE_CHECKING:
    from mailflows.message import Address, Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "is_discussion_list", "is_encrypted", "local_class", "measure"]

_LIST_SOFTWARE = (
    "list-post x-mailman-version x-beenthere x-google-group-id mailing-list x-mailinglist".split()
)
_CLIENTS = re.compile(
    r"outlook|thunderbird|apple mail|iphone mail|ipad mail|mutt|kmail|evolution|claws|sylpheed|gnus|"
    r"roundcube|squirrelmail|horde|zimbra|lotus notes|k-9|android|eudora|pegasus|the bat|icedove|"
    r"seamonkey|mozilla/|sogo|rainloop|snappymail|airmail|spark|mailmate|becky|nmh|exmh|vm |pine|"
    r"openwave|nextcloud mail|protonmail|yahoomail|webmail|em client|postbox|mailspring|alpine|"
    r"wanderlust|internet mail service|microsoft office|blackberry|samsung|shuriken|novell groupwise"
)
_LIBRARIES = re.compile(
    r"phpmailer|swiftmailer|symfony|php/|nodemailer|javamail|jakarta mail|mime-tools|mime::lite|cdosys|"
    r"collaboration data|python|django|actionmailer|rails|laravel|codeigniter|zend|perl|mailx|sendmail|"
    r"msmtp|swaks|smtp4j|aspnet|system\.net|delphi|indy|blat|drupal|joomla|wordpress|prestashop|magento|"
    r"jira|bugzilla|github|gitlab|git-send-email|stgit|cron|nagios|redmine|otrs|zammad|confluence|"
    r"microsoft cdo|ec-cube|\bcgi\b|sap |odoo|dolibarr|typo3|liferay"
)
_TOOLS = re.compile(
    r"mailchimp|sendgrid|brevo|sendinblue|mailjet|klaviyo|hubspot|marketo|activecampaign|cleverreach|"
    r"getresponse|acymailing|mailpoet|constant contact|campaign|phplist|sarbacane|dolist|mailup|e-goi|"
    r"unisender|sendpulse|rapidmail|newsletter|emarsys|eloqua|exacttarget|salesforce|splio|mailkit|"
    r"freshmail|laposta|spotler|mailerlite|substack|beehiiv|inxmail|episerver|optimizely|vertical ?response|"
    r"lyris|sendy|mautic|listmonk|actito|selligent|acumbamail|mdirect|rd station|ymlp|aweber|omnisend"
)
_TOOL_HEADERS = tuple(
    (
        "x-campaign x-mc- x-mj- x-mailjet x-csa-complaints x-hs- x-sib- x-mailin- x-sg- x-mkt x-klaviyo "
        "x-kmail x-job x-newsletter x-mailer-lid x-mailer-recptid x-mailer-sid x-phplist x-cm- x-binding "
        "x-rpcampaign x-bulk x-sfmc x-sarbacane x-dolist x-egoi x-mailup x-ac- x-mailing x-list "
        "x-broadcast x-subscriber x-cleverreach x-rm- x-em-"
    ).split()
)
_SERVICE_HEADERS = tuple(
    (
        "x-github x-gitlab x-jira x-redmine x-bugzilla x-launchpad x-otrs x-zendesk x-rt- x-jenkins "
        "x-nagios x-cron x-php- x-php-originating x-order x-notification x-auto- x-autoreply "
        "x-autorespond x-failed-recipients x-ticket x-event x-shopify x-pm-tag x-pm-message-stream "
        "x-mailgun-tag x-ses- x-mt- x-entity-ref x-message-type x-git x-freedesktop x-patchwork x-kernel "
        "x-debian-pr x-trac x-phabricator x-gerrit x-transaction x-template"
    ).split()
)
_PERSON_HEADERS = tuple(
    (
        "thread-topic thread-index x-ms-has-attach x-ms-tnef-correlator accept-language x-originating-ip "
        "content-language x-mozilla x-gm- x-universally-unique x-enigmail openpgp autocrypt x-face "
        "mail-followup-to organization x-priority-person x-pgp x-ms-exchange disposition-notification-to "
        "x-operating-system x-attribution x-url mail-copies-to x-accept-language x-forwarded-message-id"
    ).split()
)
_CLIENT_ID = re.compile(
    r"^<?(?:ca[a-z0-9_+=-]{30,}@mail\.gmail\.com|[0-9a-f-]{36}@|[a-z0-9]{20,}\.prod\.outlook\.com|"
    r"[a-z0-9]+@[a-z0-9.-]*(?:outlook|exchange)|00[0-9a-f]{2,}[$][0-9a-f]+[$])",
    re.IGNORECASE,
)
_SERVER_ID = re.compile(
    r"javamail|@localhost|\.local>|@ip-|@ec2|phpmailer|swift\.generated|@www|@mta|@app|@web\d|@smtp|\.mail>$|@geopod|amazonses",
    re.IGNORECASE,
)

_FORWARD = re.compile(
    r"\s{0,5}(?:\[[^\]]{0,60}\]\s{0,3})?(fwd?|tr|wg|i|enc|rv|pd|doorst|vb|vl|転送|转发)\s?[:：]",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?:#|n[°ºo.]|nr\.?|№)\s?[\w-]{0,9}\d{3,}|\b[A-Z]{1,6}[-_/]?\d{4,}|\b\d{6,}\b", re.IGNORECASE
)
_ISSUE = re.compile(
    r"(?:\b(?:issue|ausgabe|num[eé]r[oy]?|nummer|edi[cçtz]\w{2,4}|sayı|číslo|vol\.?|no\.|n[°ºr]\.?)|№|выпуск|第)\s?\d{1,3}(?![\d-])"
    r"|(?<![\w./-])\d{1,2}/20\d\d\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b20\d\d-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./](?:20)?\d\d\b|\d月\d{1,2}日|\b\d{1,2}[:h]\d\d\b"
)
_TAG = re.compile(r"\s{0,5}(?:re:\s?)?\[[^\]]{1,60}\]", re.IGNORECASE)
_PERCENT = re.compile(r"\d\s?[%٪％]|%\s?\d")
_MONEY = re.compile(r"[€$£¥₽]\s?\d|\d\s?(?:€|\$|£|zł|kr\b|руб|円|₽|eur\b|chf\b|r\$)|r\$\s?\d", re.IGNORECASE)
_AUTOMATIC = re.compile(
    r"\s{0,5}(?:auto(?:matic|matische?|mated)?[- ]?(?:reply|response|antwort|antwoord|svar|respuesta)|autoreply|autosvar|out of (?:the )?office|abwesen|absen[ct]e|"
    r"r[eé]ponse automatique|respuesta autom|resposta autom|risposta autom|automatisch antwoord|afwezig|odpowied[zź] automat|automatyczna odp|автоответ|автоматический ответ|"
    r"自動返信|自動応答|不在|fuera de la oficina|fuori sede|fora do escrit|ausência|ausencia|assenza|nieobecno|отсутств|automatick|fraværende|frånvaro)",
    re.IGNORECASE,
)

_TWO_NAMES = re.compile(r"[^\W\d_]{2,20}[._-][^\W\d_]{2,20}")
_FIRST_LAST = re.compile(r"[^\W\d_]{1,20}[._-][^\W\d_]{2,20}")
_SIGNS = re.compile(r"[\W_]+")
_NO_LETTERS = re.compile(r"[\W_\d]+")
_OF_A_HOUSE = re.compile(
    r"\s(?:from|at|de chez|chez|von|bei|from the|di|da|van|z|из|w/)\s|\s[|@–/-]\s|\([^()]+\)|,\s"
)

_LONGEST_NAME = 200
_LONGEST_LOCAL = 320
"""Characters that are looked at: five times what RFC 5321 section 4.5.3.1.1 allows."""

SIGNALS = tuple(
    Signal(name, sentence)
    for name, sentence in {
        "headers-auto-submitted": "Auto-Submitted says that software sent it",
        "headers-auto-replied": "Auto-Submitted says that it is an automatic reply",
        "headers-list-unsubscribe": "it has a List-Unsubscribe header",
        "headers-one-click": "it has a one-click unsubscribe header",
        "headers-campaign-list-id": "it has the List-Id of a mailing, not of a discussion list",
        "headers-feedback-id": "it has a Feedback-ID header, which bulk senders add",
        "headers-precedence-bulk": "Precedence marks it as bulk mail",
        "headers-suppress-responses": "it asks that no automatic responses be sent",
        "headers-marketing-tool": "its headers name a mailing tool",
        "headers-mail-client": "it was written in a mail client",
        "headers-mail-library": "its headers name a mail library for programs",
        "headers-tool-headers": "it has headers that mailing tools add",
        "headers-service-headers": "it has headers that web services add",
        "headers-person-headers": "it has headers that mail clients add",
        "headers-client-message-id": "its Message-ID looks like a mail client's",
        "headers-server-message-id": "its Message-ID looks like a server's",
        "headers-in-reply-to": "it replies to an earlier message (In-Reply-To)",
        "headers-long-thread": "it belongs to a thread of several messages (References)",
        "headers-delivery-report": "it is a delivery or disposition report",
        "headers-high-priority": "it is marked urgent",
        "headers-encrypted": "it is encrypted",
        "headers-signed": "it carries a digital signature",
        "recipients-none": "it names no recipient",
        "recipients-many": "it has several recipients",
        "recipients-copied": "it has recipients in Cc",
        "recipients-named": "the recipient's name is given with the address",
        "recipients-same-domain": "sender and recipient share a domain",
        "recipients-is-sender": "sender and recipient have the same address",
        "recipients-person": "the recipient's address looks like a person's",
        "recipients-list": "it is addressed to a list or a group",
        "sender-none": "it names no sender",
        "sender-no-reply": "it comes from a no-reply address",
        "sender-system": "it comes from an address that programs use",
        "sender-orders": "it comes from an address for orders and invoices",
        "sender-news": "it comes from an address for news and offers",
        "sender-person-address": "the sender's address contains the sender's name",
        "sender-dotted-address": "the sender's address has the form first.last",
        "sender-random-address": "the sender's address looks generated",
        "sender-person-name": "the sender's name looks like a person's",
        "sender-company-name": "the sender's name looks like an organisation's",
        "sender-name-at-company": "the sender is presented as a person at an organisation",
        "sender-program-name": "the sender's name is a program's or a service's",
        "sender-news-name": "the sender's name is a newsletter's or an offer's",
        "sender-desk-name": "the sender's name is a team's",
        "sender-no-name": "the sender has no display name",
        "sender-name-is-domain": "the sender is named after its domain",
        "sender-free-mail": "it comes from a free mailbox provider",
        "sender-news-host": "it comes from a host name for mailings",
        "sender-system-host": "it comes from a server's host name",
        "sender-deep-host": "the sender uses a subdomain",
        "sender-reply-elsewhere": "replies go to another address",
        "sender-reply-other-domain": "replies go to another domain",
        "sender-bounce-address": "replies go to a generated address",
        "subject-none": "it has no subject",
        "subject-forward": "the subject is marked as a forward",
        "subject-tagged": "the subject begins with a tag in brackets",
        "subject-number": "the subject has a reference number",
        "subject-issue": "the subject has the number of an issue",
        "subject-date": "the subject has a date or a time",
        "subject-percent": "the subject has a percentage",
        "subject-money": "the subject has an amount of money",
        "subject-emoji": "the subject has an emoji",
        "subject-exclamation": "the subject has an exclamation mark",
        "subject-question": "the subject asks a question",
        "subject-lower-case": "the subject begins in lower case",
        "subject-automatic-reply": "the subject is that of an automatic reply",
        "subject-patch": "the subject announces a patch",
    }.items()
)


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure everything that the headers say."""
    del reading
    return some(_makers(message) | _recipients(message) | _sender(message) | _subject(message))


def is_discussion_list(message: Message) -> bool:
    """Return whether a discussion list's server handled the message."""
    return any(name in message for name in _LIST_SOFTWARE) and message.get("list-post").lower()[:2] != "no"


def is_encrypted(message: Message) -> bool:
    """Return whether the content is encrypted, by S/MIME (RFC 8551) or OpenPGP (RFC 3156)."""
    kind = message.get("content-type").lower()
    if kind.startswith(("application/pkcs7-mime", "application/x-pkcs7-mime")):
        return "signed-data" not in kind
    return kind.startswith("multipart/encrypted")


def _makers(message: Message) -> dict[str, float]:
    """Measure what clients, tools and servers write about themselves."""
    get = message.get
    on_list = is_discussion_list(message)
    automatic = get("auto-submitted").lower()
    mailer = f"{get('x-mailer')} {get('user-agent')}".lower()
    identifier = get("message-id")
    precedence = get("precedence").lower()
    names = [name for name, _ in message.headers if name[:2] == "x-" or name in _PERSON_HEADERS]
    kind = get("content-type").lower()
    values: dict[str, float] = {
        "headers-auto-submitted": bool(automatic) and not automatic.startswith("no"),
        "headers-auto-replied": automatic.startswith("auto-replied"),
        "headers-feedback-id": "feedback-id" in message,
        "headers-suppress-responses": "x-auto-response-suppress" in message,
        "headers-tool-headers": any(name.startswith(_TOOL_HEADERS) for name in names),
        "headers-service-headers": any(name.startswith(_SERVICE_HEADERS) for name in names),
        "headers-person-headers": any(name.startswith(_PERSON_HEADERS) for name in names),
        "headers-in-reply-to": "in-reply-to" in message,
        "headers-long-thread": get("references").count("@") > 1,
        "headers-delivery-report": kind.startswith("multipart/report"),
        "headers-encrypted": is_encrypted(message),
        "headers-signed": kind.startswith("multipart/signed"),
        "headers-high-priority": get("x-priority")[:1] in {"1", "2"} or get("importance").lower() == "high",
    }
    if identifier:
        values["headers-client-message-id"] = bool(_CLIENT_ID.search(identifier[:200]))
        values["headers-server-message-id"] = bool(_SERVER_ID.search(identifier[:200]))
    if mailer.strip():
        mailer = mailer[:200]
        tool = bool(_TOOLS.search(mailer))
        library = not tool and bool(_LIBRARIES.search(mailer))
        values["headers-marketing-tool"] = tool
        values["headers-mail-library"] = library
        values["headers-mail-client"] = not tool and not library and bool(_CLIENTS.search(mailer))
    if not on_list:
        values["headers-list-unsubscribe"] = "list-unsubscribe" in message
        values["headers-one-click"] = "list-unsubscribe-post" in message
        values["headers-campaign-list-id"] = "list-id" in message
        values["headers-precedence-bulk"] = precedence in {"bulk", "list", "junk"}
    return values


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
        "recipients-person": bool(_TWO_NAMES.fullmatch(first.local)),
        "recipients-list": local_class(first.local) in {"desk", "news"}
        or first.local.endswith(("list", "-l", "-dev", "-users", "-devel", "all", "tous", "alle")),
    }


@cache
def _local_classes() -> dict[str, str]:
    """Map a local part, or a host label behind "@", to what it is used for."""
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
    squeezed = _SIGNS.sub("", base)
    if "noreply" in squeezed or "donotreply" in squeezed:
        return "no_reply"
    for word in _NO_LETTERS.split(base):
        if word in classes and len(word) > 2:
            return classes[word]
    return ""


def _sender(message: Message) -> dict[str, float]:
    """Measure who sends: the address, the display name, where answers go."""
    sender = message.sender
    if not sender.address:
        return {"sender-none": 1.0}
    kind = local_class(sender.local)
    told = kind and kind != "desk"  # info@ writes mail of every flow
    values: dict[str, float] = {f"sender-{kind.replace('_', '-')}": 1.0} if told else {}
    labels = sender.domain.split(".")
    hosts = {_local_classes().get("@" + label) for label in labels[:-2]}
    values |= {
        "sender-free-mail": is_free_mail(sender.domain),
        "sender-news-host": "host_news" in hosts,
        "sender-system-host": "host_system" in hosts,
        "sender-deep-host": bucket(len(labels), 3, 4),
        "sender-dotted-address": bool(_FIRST_LAST.fullmatch(sender.local)) and not kind,
        "sender-random-address": sum(c.isdigit() for c in sender.local) > 5 or len(sender.local) > 30,
    }
    values |= _sender_name(sender, kind) | _reply_to(message, sender)
    return values


def _sender_name(sender: Address, kind: str) -> dict[str, float]:
    """Measure the display name: a person's, an organisation's, or a person "of" one."""
    name = sender.name.strip()[:_LONGEST_NAME]
    if not name or "@" in name:
        return {"sender-no-name": 1.0}
    words = [w for w in NAME_SPLIT.split(name) if w]
    lower = [w.lower() for w in words]
    local = sender.local.lower()[:_LONGEST_LOCAL]
    owner = sender.domain.split(".")[-2] if "." in sender.domain else sender.domain
    joined = "".join(lower)
    in_address = any(len(w) > 2 and w in local and w not in owner for w in lower)
    at_company = bool(_OF_A_HOUSE.search(name))
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


def _subject(message: Message) -> dict[str, float]:
    """Measure the form of the subject, apart from its words."""
    subject = message.subject[:400]
    if not subject.strip():
        return {"subject-none": 1.0}
    return {
        "subject-forward": bool(_FORWARD.match(subject)),
        "subject-tagged": bool(_TAG.match(subject)),
        "subject-number": bool(_NUMBER.search(subject)),
        "subject-issue": bool(_ISSUE.search(subject)),
        "subject-date": bool(_DATE.search(subject)),
        "subject-percent": bool(_PERCENT.search(subject)),
        "subject-money": bool(_MONEY.search(subject)),
        "subject-emoji": not subject.isascii()
        and any(
            c >= "\u2600" and not "\u3000" <= c <= "\ud7ff" and not "\uf900" <= c <= "\uffff" for c in subject
        ),
        "subject-exclamation": "!" in subject or "！" in subject,
        "subject-question": "?" in subject or "？" in subject,
        "subject-lower-case": subject[:1].islower(),
        "subject-automatic-reply": bool(_AUTOMATIC.match(subject)),
        "subject-patch": "[patch" in subject.lower() or "[rfc" in subject.lower(),
    }
