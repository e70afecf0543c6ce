"""Headers: what a client, a tool or a server writes about itself. All of them are optional.

A discussion list's own headers (List-Post and its kin) are set aside before the rest is read: people
write to lists, so a List-Id or a List-Unsubscribe that a list server added says nothing about the
author (RFC 2369 section 3.4, RFC 2919).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows.signals._signal import Signal, some

if TYPE_CHECKING:
    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "is_discussion_list", "is_encrypted", "measure"]

_LIST_SOFTWARE = tuple(
    ("list-post x-mailman-version x-beenthere x-google-group-id mailing-list x-mailinglist").split()
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
        "headers-marketing-tool": "a mailing tool names itself in the headers",
        "headers-mail-client": "a mail client that people use names itself in the headers",
        "headers-mail-library": "a mail library that programs use names itself in the headers",
        "headers-tool-headers": "it has headers that mailing tools add",
        "headers-service-headers": "it has headers that web services add",
        "headers-person-headers": "it has headers that mail clients add",
        "headers-client-message-id": "its Message-ID looks like one that a mail client makes",
        "headers-server-message-id": "its Message-ID looks like one that a server makes",
        "headers-in-reply-to": "it replies to an earlier message (In-Reply-To)",
        "headers-long-thread": "it belongs to a thread of several messages (References)",
        "headers-delivery-report": "it is a delivery or disposition report",
        "headers-high-priority": "it is marked urgent",
        "headers-encrypted": "it is encrypted",
        "headers-signed": "it carries a digital signature",
    }.items()
)


def is_discussion_list(message: Message) -> bool:
    """Say whether a discussion list's server handled the message."""
    return any(name in message for name in _LIST_SOFTWARE) and message.get("list-post").lower()[:2] != "no"


def is_encrypted(message: Message) -> bool:
    """Say whether the content is encrypted, by S/MIME (RFC 8551) or OpenPGP (RFC 3156)."""
    kind = message.get("content-type").lower()
    if kind.startswith(("application/pkcs7-mime", "application/x-pkcs7-mime")):
        return "signed-data" not in kind
    return kind.startswith("multipart/encrypted")


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure what clients, tools and servers write about themselves."""
    del reading
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
    return some(values)
