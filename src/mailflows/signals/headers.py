"""Headers: what a client, a tool or a server writes about itself. All of them are optional.

A discussion list's own headers (List-Post and its kin) are set aside before the rest is read: people
write to lists, so a List-Id or a List-Unsubscribe that a list server added says nothing about the
author (RFC 2369 section 3.4, RFC 2919).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows.signals._signal import Signal, bucket, some

if TYPE_CHECKING:
    from mailflows.message import Address, Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "is_discussion_list", "measure"]

_LIST_SOFTWARE = (
    "list-post",
    "x-mailman-version",
    "x-beenthere",
    "x-google-group-id",
    "mailing-list",
    "x-mailinglist",
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
_TOOL_HEADERS = (
    "x-campaign",
    "x-mc-",
    "x-mj-",
    "x-mailjet",
    "x-csa-complaints",
    "x-hs-",
    "x-sib-",
    "x-mailin-",
    "x-sg-",
    "x-mkt",
    "x-klaviyo",
    "x-kmail",
    "x-job",
    "x-newsletter",
    "x-mailer-lid",
    "x-mailer-recptid",
    "x-mailer-sid",
    "x-phplist",
    "x-cm-",
    "x-binding",
    "x-rpcampaign",
    "x-bulk",
    "x-sfmc",
    "x-sarbacane",
    "x-dolist",
    "x-egoi",
    "x-mailup",
    "x-ac-",
    "x-mailing",
    "x-list",
    "x-broadcast",
    "x-subscriber",
    "x-cleverreach",
    "x-rm-",
    "x-em-",
)
_SERVICE_HEADERS = (
    "x-github",
    "x-gitlab",
    "x-jira",
    "x-redmine",
    "x-bugzilla",
    "x-launchpad",
    "x-otrs",
    "x-zendesk",
    "x-rt-",
    "x-jenkins",
    "x-nagios",
    "x-cron",
    "x-php-",
    "x-php-originating",
    "x-order",
    "x-notification",
    "x-auto-",
    "x-autoreply",
    "x-autorespond",
    "x-failed-recipients",
    "x-ticket",
    "x-event",
    "x-shopify",
    "x-pm-tag",
    "x-pm-message-stream",
    "x-mailgun-tag",
    "x-ses-",
    "x-mt-",
    "x-entity-ref",
    "x-message-type",
    "x-git",
    "x-freedesktop",
    "x-patchwork",
    "x-kernel",
    "x-debian-pr",
    "x-trac",
    "x-phabricator",
    "x-gerrit",
    "x-transaction",
    "x-template",
)
_PERSON_HEADERS = (
    "thread-topic",
    "thread-index",
    "x-ms-has-attach",
    "x-ms-tnef-correlator",
    "accept-language",
    "x-originating-ip",
    "content-language",
    "x-mozilla",
    "x-gm-",
    "x-universally-unique",
    "x-enigmail",
    "openpgp",
    "autocrypt",
    "x-face",
    "mail-followup-to",
    "organization",
    "x-priority-person",
    "x-pgp",
    "x-ms-exchange",
    "disposition-notification-to",
    "x-operating-system",
    "x-attribution",
    "x-url",
    "mail-copies-to",
    "x-accept-language",
    "x-forwarded-message-id",
)
_REPLY = re.compile(
    r"\s{0,5}(?:\[[^\]]{0,60}\]\s{0,3})?(re|aw|sv|antw|odp|rv|res|vs|r|ref|回复|回覆|答复)\s?(?:\[\d+\])?\s?[:：]",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    r"\s{0,5}(?:\[[^\]]{0,60}\]\s{0,3})?(fwd?|tr|wg|i|enc|rv|pd|doorst|vb|vl|転送|转发)\s?[:：]",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?:#|n[°ºo.]|nr\.?|№)\s?[\w-]{0,9}\d{3,}|\b[A-Z]{1,6}[-_/]?\d{4,}|\b\d{6,}\b", re.IGNORECASE
)
_TAG = re.compile(r"\s{0,5}(?:re:\s?)?\[[^\]]{1,60}\]", re.IGNORECASE)
_PERCENT = re.compile(r"\d\s?[%٪％]|%\s?\d")
_MONEY = re.compile(r"[€$£¥₽]\s?\d|\d\s?(?:€|\$|£|zł|kr\b|руб|円|₽|eur\b|chf\b|r\$)|r\$\s?\d", re.IGNORECASE)
_CODE = re.compile(r"\b\d{4,8}\b|\b\d{3}[- ]\d{3}\b")
_CLIENT_ID = re.compile(
    r"^<?(?:ca[a-z0-9_+=-]{30,}@mail\.gmail\.com|[0-9a-f-]{36}@|[a-z0-9]{20,}\.prod\.outlook\.com|"
    r"[a-z0-9]+@[a-z0-9.-]*(?:outlook|exchange)|00[0-9a-f]{2,}[$][0-9a-f]+[$])",
    re.IGNORECASE,
)
_SERVER_ID = re.compile(
    r"javamail|@localhost|\.local>|@ip-|@ec2|phpmailer|swift\.generated|@www|@mta|@app|@web\d|@smtp|\.mail>$|@geopod|amazonses",
    re.IGNORECASE,
)
_NAME_SPLIT = re.compile(r"[\s._,'\"()-]+")

SIGNALS = tuple(
    Signal(name, sentence)
    for name, sentence in {
        "headers.auto_submitted": "Auto-Submitted says that no person sent it",
        "headers.auto_replied": "Auto-Submitted says that it is an automatic reply",
        "headers.list_unsubscribe": "it carries List-Unsubscribe",
        "headers.one_click": "it carries one-click unsubscribe",
        "headers.campaign_list_id": "it carries a List-Id that is no discussion list's",
        "headers.feedback_id": "it carries a Feedback-ID",
        "headers.precedence_bulk": "Precedence says bulk",
        "headers.suppress_responses": "it asks for no automatic responses",
        "headers.marketing_tool": "a mailing tool names itself",
        "headers.mail_client": "a person's mail client names itself",
        "headers.mail_library": "a mail library names itself",
        "headers.tool_headers": "it has headers that mailing tools add",
        "headers.service_headers": "it has headers that server applications add",
        "headers.person_headers": "it has headers that mail clients add",
        "headers.client_message_id": "the Message-ID has a mail client's form",
        "headers.server_message_id": "the Message-ID has a server's form",
        "headers.in_reply_to": "it answers a message",
        "headers.long_thread": "it stands in a longer thread",
        "headers.delivery_report": "it is a delivery or disposition report",
        "headers.high_priority": "it is marked urgent",
        "recipients.none": "it names no recipient",
        "recipients.many": "it has several recipients",
        "recipients.copied": "somebody is copied",
        "recipients.named": "the recipient is named beside the address",
        "recipients.same_domain": "sender and a recipient share a domain",
        "recipients.is_sender": "it is addressed to its own sender",
        "recipients.person": "the recipient's address looks like a person's",
        "recipients.list": "it is addressed to a list or a group",
        "sender.none": "it names no sender",
        "sender.no_reply": "the sender cannot be answered",
        "sender.system": "the sender's address is a program's",
        "sender.orders": "the sender's address is for orders and bills",
        "sender.news": "the sender's address is for news and offers",
        "sender.desk": "the sender's address is a desk's",
        "sender.person_address": "the sender's address carries the sender's name",
        "sender.dotted_address": "the sender's address has the form first.last",
        "sender.random_address": "the sender's address looks generated",
        "sender.person_name": "the sender is named like a person",
        "sender.company_name": "the sender is named like an organisation",
        "sender.name_at_company": "the sender is a person «of» an organisation",
        "sender.program_name": "the sender is named like a program or a service",
        "sender.news_name": "the sender is named like a newsletter or an offer",
        "sender.desk_name": "the sender is named like a team or a desk",
        "sender.no_name": "the sender's name is missing",
        "sender.name_is_domain": "the sender is named like the domain",
        "sender.free_mail": "the sender uses a personal mailbox provider",
        "sender.news_host": "the sender's host is for mailings",
        "sender.system_host": "the sender's host is a server's",
        "sender.deep_host": "the sender uses a sub-domain",
        "sender.reply_elsewhere": "answers go to another address",
        "sender.reply_other_domain": "answers go to another domain",
        "sender.bounce_address": "answers go to a generated address",
        "subject.none": "it has no subject",
        "subject.reply": "the subject is a reply's",
        "subject.forward": "the subject is a forward's",
        "subject.tagged": "the subject begins with a [tag]",
        "subject.number": "the subject has a reference number",
        "subject.code": "the subject has a code",
        "subject.percent": "the subject has a percentage",
        "subject.money": "the subject has an amount of money",
        "subject.emoji": "the subject has an emoji",
        "subject.exclamation": "the subject has an exclamation mark",
        "subject.question": "the subject asks",
        "subject.capitals": "the subject shouts in capitals",
        "subject.long": "the subject is long",
        "subject.short": "the subject is short",
        "subject.lower_case": "the subject begins in lower case",
        "subject.separator": "the subject has parts set off by bars or dashes",
        "subject.quoted": "the subject has something in quotation marks",
        "subject.automatic_reply": "the subject is an automatic reply's",
        "subject.issue": "the subject counts an issue",
        "subject.date": "the subject has a date or a time",
        "subject.path": "the subject names a host, a path or a version",
        "subject.names_recipient": "the subject names the recipient",
        "subject.names_sender": "the subject names the sender",
        "subject.patch": "the subject announces a patch",
    }.items()
)


def is_discussion_list(message: Message) -> bool:
    """Say whether a discussion list's server handled the message."""
    return any(name in message for name in _LIST_SOFTWARE) and message.get("list-post").lower()[:2] != "no"


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure headers, recipients, sender and subject."""
    return some(_headers(message) | _recipients(message) | _sender(message) | _subject(message, reading))


def _headers(message: Message) -> dict[str, float]:
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
        "headers.auto_submitted": bool(automatic) and not automatic.startswith("no"),
        "headers.auto_replied": "repl" in automatic,
        "headers.feedback_id": "feedback-id" in message,
        "headers.suppress_responses": "x-auto-response-suppress" in message,
        "headers.tool_headers": any(name.startswith(_TOOL_HEADERS) for name in names),
        "headers.service_headers": any(name.startswith(_SERVICE_HEADERS) for name in names),
        "headers.person_headers": any(name.startswith(_PERSON_HEADERS) for name in names),
        "headers.in_reply_to": "in-reply-to" in message,
        "headers.long_thread": get("references").count("@") > 1,
        "headers.delivery_report": "report" in kind[:20],
        "headers.high_priority": get("x-priority")[:1] in {"1", "2"} or get("importance").lower() == "high",
    }
    if identifier:
        values["headers.client_message_id"] = bool(_CLIENT_ID.search(identifier[:200]))
        values["headers.server_message_id"] = bool(_SERVER_ID.search(identifier[:200]))
    if mailer.strip():
        mailer = mailer[:200]
        tool = bool(_TOOLS.search(mailer))
        library = not tool and bool(_LIBRARIES.search(mailer))
        values["headers.marketing_tool"] = tool
        values["headers.mail_library"] = library
        values["headers.mail_client"] = not tool and not library and bool(_CLIENTS.search(mailer))
    if not on_list:
        values["headers.list_unsubscribe"] = "list-unsubscribe" in message
        values["headers.one_click"] = "list-unsubscribe-post" in message
        values["headers.campaign_list_id"] = "list-id" in message
        values["headers.precedence_bulk"] = precedence in {"bulk", "list", "junk"}
    return values


def _recipients(message: Message) -> dict[str, float]:
    """Measure whom it is addressed to."""
    found = message.recipients
    sender = message.sender
    if not found:
        return {"recipients.none": 1.0}
    first = found[0]
    return {
        "recipients.many": bucket(len(found), 2, 3, 6),
        "recipients.copied": "cc" in message,
        "recipients.named": bool(first.name) and first.name.lower() != first.address,
        "recipients.same_domain": any(a.domain == sender.domain for a in found),
        "recipients.is_sender": first.address == sender.address,
        "recipients.person": bool(re.fullmatch(r"[^\W\d_]{2,20}[._-][^\W\d_]{2,20}", first.local)),
        "recipients.list": _local_class(first.local) in {"desk", "news"}
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


@cache
def _free_mail() -> frozenset[str]:
    return frozenset(w for line in _data.read_sections("free-mail.txt")[""] for w in line.split())


def _local_class(local: str) -> str:
    """Return what a local part is used for, or an empty string.

    >>> _local_class("no-reply"), _local_class("newsletter-fr"), _local_class("ada.lovelace")
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
        return {"sender.none": 1.0}
    kind = _local_class(sender.local)
    values: dict[str, float] = {f"sender.{kind}": 1.0} if kind else {}
    labels = sender.domain.split(".")
    hosts = {_local_classes().get("@" + label) for label in labels[:-2]}
    values |= {
        "sender.free_mail": sender.domain in _free_mail(),
        "sender.news_host": "host_news" in hosts,
        "sender.system_host": "host_system" in hosts,
        "sender.deep_host": bucket(len(labels), 3, 4),
        "sender.dotted_address": bool(re.fullmatch(r"[^\W\d_]{1,20}[._-][^\W\d_]{2,20}", sender.local))
        and not kind,
        "sender.random_address": sum(c.isdigit() for c in sender.local) > 5 or len(sender.local) > 30,
    }
    values |= _sender_name(sender, kind) | _reply_to(message, sender)
    return values


def _sender_name(sender: Address, kind: str) -> dict[str, float]:
    """Measure the display name: a person's, an organisation's, or a person «of» one."""
    name = sender.name.strip()
    if not name or "@" in name:
        return {"sender.no_name": 1.0}
    words = [w for w in _NAME_SPLIT.split(name) if w]
    lower = [w.lower() for w in words]
    local = sender.local.lower()
    owner = sender.domain.split(".")[-2] if "." in sender.domain else sender.domain
    joined = "".join(lower)
    in_address = any(len(w) > 2 and w in local and w not in owner for w in lower)
    at_company = bool(
        re.search(
            r"\s(?:from|at|de chez|chez|von|bei|from the|di|da|van|z|из|w/)\s|\s[|@–/-]\s|\(.+\)|,\s", name
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
        "sender.program_name": "system" in named or "no_reply" in named or "orders" in named,
        "sender.news_name": "news" in named,
        "sender.desk_name": "desk" in named,
        "sender.person_address": in_address and not kind,
        "sender.person_name": looks_named and (in_address or not like_domain) and not at_company and not kind,
        "sender.company_name": len(words) == 1 or like_domain,
        "sender.name_at_company": at_company and not in_address,
        "sender.name_is_domain": like_domain,
    }


def _reply_to(message: Message, sender: Address) -> dict[str, float]:
    """Measure where answers go."""
    from mailflows.message import addresses  # noqa: PLC0415 -- only where Reply-To is present

    found = addresses(message.get("reply-to")) if "reply-to" in message else ()
    if not found or is_discussion_list(message):
        return {}
    return {
        "sender.reply_elsewhere": found[0].address != sender.address,
        "sender.reply_other_domain": found[0].domain != sender.domain,
        "sender.bounce_address": "+" in found[0].local or sum(c.isdigit() for c in found[0].local) > 5,
    }


_AUTOMATIC = re.compile(
    r"\s{0,5}(?:auto(?:matic|matische?|mated)?[- ]?(?:reply|response|antwort|antwoord|svar|respuesta)|autoreply|autosvar|out of (?:the )?office|abwesen|absen[ct]e|"
    r"r[eé]ponse automatique|respuesta autom|resposta autom|risposta autom|automatisch antwoord|afwezig|odpowied[zź] automat|automatyczna odp|автоответ|автоматический ответ|"
    r"自動返信|自動応答|不在|fuera de la oficina|fuori sede|fora do escrit|ausência|ausencia|assenza|nieobecno|отсутств|automatick|fraværende|frånvaro)",
    re.IGNORECASE,
)
_ISSUE = re.compile(
    r"(?:#|\bn[°ºo.]\s?|\bnr\.?|№|\bvol\.?|\bissue|\bausgabe|\bnum[eé]ro|\bn[uú]mero|\bedi\w{3,5}|\bnummer|\bвыпуск|第|\bvol)\s?\d{1,3}\b(?!\d|[/.-]\d)",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b\d{1,2}[./-]\d{1,2}(?:[./-]\d{2,4})?\b|\b20\d\d-\d\d|\b\d{1,2}[:h]\d{2}\b|\b\d{1,2}月")
_PATH = re.compile(
    r"\b[\w-]+\.[\w-]+\.[\w.-]+\b|/\w+/\w|\bv?\d+\.\d+(?:\.\d+|-rc)|\b\w+:\d{2,5}\b|@[0-9a-f]{7}"
)
_QUOTED = re.compile(r"[\"«„“「『]\s?.{2,80}?[\"»“”」』]")
_CAPITALS = re.compile(r"\b[A-ZÀ-ÞА-Я]{4,}\b")


def _subject(message: Message, reading: Reading) -> dict[str, float]:
    """Measure the form of the subject."""
    del reading
    subject = message.subject[:400]
    if not subject.strip():
        return {"subject.none": 1.0}
    recipients = message.recipients[:1]
    words = {w for w in _NAME_SPLIT.split(subject.lower()) if len(w) > 2}
    to_names = {w for a in recipients for w in _NAME_SPLIT.split(f"{a.name} {a.local}".lower()) if len(w) > 2}
    own = {w for w in _NAME_SPLIT.split(f"{message.sender.name}".lower()) if len(w) > 3}
    length = len(subject)
    return {
        "subject.reply": bool(_REPLY.match(subject)),
        "subject.forward": bool(_FORWARD.match(subject)),
        "subject.tagged": bool(_TAG.match(subject)),
        "subject.number": bool(_NUMBER.search(subject)),
        "subject.code": bool(_CODE.search(subject)),
        "subject.percent": bool(_PERCENT.search(subject)),
        "subject.money": bool(_MONEY.search(subject)),
        "subject.emoji": not subject.isascii()
        and any(
            c >= "\u2600" and not "\u3000" <= c <= "\ud7ff" and not "\uf900" <= c <= "\uffff" for c in subject
        ),
        "subject.exclamation": "!" in subject or "！" in subject,
        "subject.question": "?" in subject or "？" in subject,
        "subject.capitals": bucket(len(_CAPITALS.findall(subject)), 1, 3),
        "subject.long": length > 60,
        "subject.short": length < 20,
        "subject.lower_case": subject[:1].islower(),
        "subject.separator": " | " in subject
        or " - " in subject
        or " – " in subject
        or " — " in subject
        or ": " in subject,
        "subject.quoted": bool(_QUOTED.search(subject)),
        "subject.automatic_reply": bool(_AUTOMATIC.match(subject)),
        "subject.issue": bool(_ISSUE.search(subject)),
        "subject.date": bool(_DATE.search(subject)),
        "subject.path": bool(_PATH.search(subject)),
        "subject.names_recipient": bool(words & to_names),
        "subject.names_sender": bool(words & own),
        "subject.patch": "[patch" in subject.lower() or "[rfc" in subject.lower(),
    }
