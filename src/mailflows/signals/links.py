"""Links: where they lead, how they are drawn and what they say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows._domain import host_of, registrable_domain
from mailflows.signals._signal import Signal, bucket, some

if TYPE_CHECKING:
    from mailflows._html.scan import Link
    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "measure"]

_URL = re.compile(r"https?://[^\s<>\"'\])}»]{3,2000}")
_WORD = re.compile(r"[a-z]{4,}")
_MAX_URLS = 60  # bound: more links tell nothing new; half from each end
_URL_HEAD = 160
"""Characters of a web address that are read for words; bound: behind that come tokens."""

_SOCIAL = frozenset(
    "facebook fb instagram twitter x linkedin youtube youtu tiktok pinterest vk t xing line wa threads bsky mastodon".split()
)
_STORES = ("apps.apple.com", "itunes.apple.com", "play.google.com")

# The first letters of words in web addresses, in the languages of the lexicons.
_UNSUBSCRIBE = frozenset(
    "unsub optou desab desin abmel austr cance disis desca remov afmel uitsc wypis rezyg otpis leave kuend "
    "haish taika avreg odhla afmel abbes opzeg darse signo".split()
)
_PREFERENCES = frozenset("prefe profi subsc voork einst zgody nastr abonn".split())
_BROWSER = frozenset("webvi webve brows mirro enlig viewi viewo viewe versi archi onlin".split())
_ACTION = frozenset(
    "reset confi verif activ token valid signi login logon invit accep magic passw motde contr senha "
    "haslo wacht optin aktiv besta poten podtv".split()
)
_OBJECT = frozenset(
    "order comma pedid beste ordin zamow invoi factu rechn fattu fatur ticke issue merge build pipel "
    "commi suivi track booki reser accou compt konto cuent conta dashb setti admin billi espac porta "
    "kunde zakaz sched zahlu payme".split()
)
_CAMPAIGN = (
    "utm_",
    "mc_cid",
    "_hsenc",
    "_ke=",
    "xtor=",
    "wt_mc",
    "at_medium",
    "pk_campaign",
    "mtm_",
    "gclid",
    "trk=",
    "cmpid",
    "_kx=",
)
# A redirect names itself in the first label of the host, the first step of the path, or the
# provider's own domain.
_REDIRECT_HOSTS = frozenset(
    "click clicks track trk tracking link links lnk ct e em email r go nl news mail mailing c t clic clics r1 l".split()
)
_REDIRECT_PATHS = frozenset(
    "ls click clicks track tracking cl lnk wf c r l e f tr trk redirect redir ct ss e3t u mps mpss t go ck link".split()
)
_REDIRECT_DOMAINS = (
    "list-manage.com",
    "mjt.lu",
    "sendibm1.com",
    "sendibm2.com",
    "sendibm3.com",
    "sendibt2.com",
    "sendibt3.com",
    "createsend.com",
    "cmail19.com",
    "cmail20.com",
    "hubspotlinks.com",
    "klclick.com",
    "klclick1.com",
    "mailchimpapp.com",
    "acemlnb.com",
    "rs6.net",
    "exct.net",
    "awstrack.me",
    "sendgrid.net",
    "mandrillapp.com",
    "mlsend.com",
    "mailchimp.com",
    "campaign-archive.com",
)

SIGNALS = tuple(
    Signal(name, sentence)
    for name, sentence in {
        "links-none": "it has no link",
        "links-one": "it has exactly one web link",
        "links-few": "it has two or three web links",
        "links-many": "it has many links",
        "links-dense": "it has many links for so little text",
        "links-repeated": "several links lead to the same place",
        "links-domains": "its links lead to several domains",
        "links-own-share": "its links lead to the sender's own domain",
        "links-foreign": "none of its links leads to the sender's domain",
        "links-tracking-share": "its links go through a click-tracking redirect",
        "links-utm-share": "its links carry campaign parameters",
        "links-unsubscribe": "it has an unsubscribe link",
        "links-preferences": "it has a link to email preferences",
        "links-browser-view": "it has a link to view it in a browser",
        "links-action": "it has a link that performs an action, such as confirming",
        "links-one-action": "its few links serve one action, such as confirming",
        "links-object": "it has a link to an account, an order or a ticket",
        "links-social": "it links to social networks",
        "links-social-block": "it has a row of social network links",
        "links-app-stores": "it links to app stores",
        "links-mail-to": "it links to an email address",
        "links-mail-to-sender": "it links to the sender's own address",
        "links-images-share": "its links are images",
        "links-buttons": "it has buttons",
        "links-one-button": "it has exactly one button",
        "links-in-text-only": "its links are in plain text",
    }.items()
)


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure the links of the HTML, or of the plain text where there is no HTML."""
    anchors = message.document.links if message.html else ()
    web = [link.href for link in anchors if link.href[:4].lower() == "http"]
    in_text = False
    if not web and "://" in reading.text:
        web = _URL.findall(reading.text)
        in_text = bool(web)
    if len(web) > _MAX_URLS:
        web = web[: _MAX_URLS // 2] + web[-_MAX_URLS // 2 :]
    values = _targets(message, web, reading) if web else {"links-none": 1.0}
    values["links-in-text-only"] = in_text
    if anchors:
        values |= _anchors(message, anchors)
    return some(values)


def _is_redirect(host: str, domain: str, url: str) -> bool:
    """Return whether an address looks like a click counter's."""
    if domain in _REDIRECT_DOMAINS or host.partition(".")[0].rstrip("0123456789") in _REDIRECT_HOSTS:
        return True
    step = url.split("/", 4)[3:4]
    # Choice: a counter's step is followed by a long token; the length of the host's name says nothing.
    return bool(step) and len(url) - len(host) > 28 and step[0].partition("?")[0].lower() in _REDIRECT_PATHS


def _targets(message: Message, web: list[str], reading: Reading) -> dict[str, float]:
    """Measure where the web links lead."""
    distinct = list(dict.fromkeys(web))
    count = len(distinct)
    hosts = [host_of(url) for url in distinct]
    domains = [registrable_domain(host) for host in hosts]
    own = registrable_domain(message.sender.domain) if message.sender.domain else ""
    owned = domains.count(own) / count if own else 0.0
    social = sum(1 for domain in domains if domain.partition(".")[0] in _SOCIAL)
    redirects = sum(map(_is_redirect, hosts, domains, distinct))
    return _purposes([url[:_URL_HEAD].lower() for url in distinct]) | {
        "links-one": count == 1,
        "links-few": 2 <= count <= 3,
        "links-many": bucket(count, 5, 10, 20, 40),
        "links-dense": bucket(100 * len(web) / (len(reading.body) + 20), 2, 5, 10),
        "links-repeated": bucket(len(web) - count, 1, 3, 8),
        "links-domains": bucket(len(set(domains)), 2, 3, 5, 8),
        "links-own-share": owned,
        "links-foreign": not owned,
        "links-tracking-share": redirects / count,
        "links-social": bucket(social, 1, 2),
        "links-social-block": social >= 3,
    }


def _purposes(urls: list[str]) -> dict[str, float]:
    """Measure what the links are for, by the words in their addresses."""
    joined = "\n".join(urls)
    starts = {word[:5] for word in _WORD.findall(joined)}
    action = not starts.isdisjoint(_ACTION)
    campaign = sum(any(mark in url for mark in _CAMPAIGN) for url in urls) if "=" in joined else 0
    return {
        "links-utm-share": campaign / len(urls),
        "links-unsubscribe": not starts.isdisjoint(_UNSUBSCRIBE) or "opt-out" in joined,
        "links-preferences": not starts.isdisjoint(_PREFERENCES),
        "links-browser-view": not starts.isdisjoint(_BROWSER),
        "links-action": action,
        "links-one-action": action and len(urls) <= 3,
        "links-object": not starts.isdisjoint(_OBJECT),
        "links-app-stores": any(store in joined for store in _STORES),
    }


def _anchors(message: Message, anchors: tuple[Link, ...]) -> dict[str, float]:
    """Measure how links are drawn."""
    count = len(anchors)
    buttons = sum(link.is_button for link in anchors)
    mails = [link.href[7:].lower() for link in anchors if link.href[:7].lower() == "mailto:"]
    return {
        "links-mail-to": bool(mails),
        "links-mail-to-sender": any(
            m.startswith(message.sender.address) for m in mails if message.sender.address
        ),
        "links-images-share": sum(link.has_image for link in anchors) / count,
        "links-buttons": bucket(buttons, 1, 2, 4),
        "links-one-button": buttons == 1,
    }
