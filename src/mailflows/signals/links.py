"""Links: where they lead, how they are drawn and what they say."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows.signals._signal import Signal, bucket, some

if TYPE_CHECKING:
    from mailflows._html import Link
    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "measure", "registrable_domain"]

_URL = re.compile(r"https?://[^\s<>\"'\])}»]{3,2000}")
_MAX_URLS = 200
_SOCIAL = (
    "facebook.", "fb.com", "instagram.", "twitter.", "x.com", "linkedin.", "youtube.", "youtu.be", "tiktok.", "pinterest.",
    "vk.com", "t.me", "xing.", "line.me", "wa.me", "threads.net", "bsky.", "mastodon",
)
_STORES = ("apps.apple.com", "itunes.apple.com", "play.google.com")
_UNSUBSCRIBE = re.compile(
    r"unsub|opt-?out|desabon|desinscri|désinscri|d[eé]sabon|abmeld|austrag|cancelar?-?(?:sus|inscri|subs)|darse-?de-?baja|"
    r"\bbaja\b|disiscri|descadastr|remover|afmeld|uitschrij|wypis|rezygn|otpis|leave|remove_?me|list-?manage\.com/unsub|"
    r"kuendig|stop-?mail|haishin|taikai|avregistr|afmelding|odhlas", re.I,
)
_PREFERENCES = re.compile(r"preferenc|profile/|manage[-_]?(?:sub|pref|mail)|subscription[-_]?cent|update-?profile|voorkeur|einstellung|prefer", re.I)
_BROWSER = re.compile(r"view[-_]?(?:in|online|as|email|web)|webview|web-?version|browser|online-?version|mirror|versione?-?web|campaign-archive|mailchi\.mp|archive/|enligne|en-ligne", re.I)
_TRACKING = re.compile(
    r"/(?:ls/click|track(?:ing)?/|click[/?.]|clicks?/|cl/|lnk/|wf/click|c/|r/|l/|e/|f/a/|mps?c?/|redirect|trk|t/[a-z0-9]|ct/|ss/c/|e3t/|u/click)"
    r"|//(?:click|clicks|track|trk|link|links|lnk|ct|t|e|em|url\d*|r|go|email|tracking|nl|news|mail|mailing|c)\d{0,3}\.|list-manage|mjt\.lu|sendibm|sendibt|cmail\d|createsend|"
    r"hubspotlinks|hs-sites|klclick|mailchimpapp|acemlnb|rs6\.net|exct\.net|awstrack|sendgrid\.net|mandrillapp|mlsend|substack\.com/redirect", re.I,
)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,}|%2[fFbB3][A-Za-z0-9%]{20,}")
_ACTION = re.compile(
    r"reset|confirm|verif|activ|token=|valid|signin|sign-in|login|logon|invite|invitation|accept|magic|auth|code=|"
    r"password|passwort|motdepasse|contrase|senha|haslo|wachtwoord|optin|opt-in|doi", re.I,
)
_OBJECT = re.compile(r"order|commande|pedido|bestell|ordine|zamow|invoice|facture|rechnung|factura|fattura|fatura|ticket|issue|"
    r"/pull/|/merge_requests|/browse/|build|job|pipeline|commit|track|suivi|booking|reserv|account|compte|konto|cuenta|conta|dashboard|settings|admin|billing|espace|portal|mein|kunde", re.I)
_UTM = re.compile(r"[?&](?:utm_|mc_cid|_hsenc|_ke=|xtor=|wt_mc|at_medium|pk_campaign|mtm_|gclid|trk=|cmpid|ref=email|esp_|_kx)", re.I)

SIGNALS = tuple(
    Signal(name, sentence)
    for name, sentence in {
        "links.none": "it has no link",
        "links.one": "it has a single web link",
        "links.few": "it has two or three web links",
        "links.many": "it has many links",
        "links.dense": "links are dense in the text",
        "links.domains": "links lead to several domains",
        "links.own_share": "links lead to the sender's own domain",
        "links.foreign": "no link leads to the sender's domain",
        "links.tracking_share": "links pass a click-tracking redirect",
        "links.token_share": "links carry long tokens",
        "links.utm_share": "links carry campaign parameters",
        "links.unsubscribe": "a link unsubscribes",
        "links.preferences": "a link leads to preferences",
        "links.browser_view": "a link shows the message in a browser",
        "links.action": "a link performs an action such as confirming",
        "links.one_action": "its few links serve one action",
        "links.object": "a link leads to an account, an order or a ticket",
        "links.social": "it has social network links",
        "links.social_block": "it has a block of social network links",
        "links.app_stores": "it links to app stores",
        "links.mail_to": "it links to a mail address",
        "links.mail_to_sender": "it links to the sender's own address",
        "links.telephone": "it links to a telephone number",
        "links.images_share": "links are images",
        "links.buttons": "links are drawn as buttons",
        "links.one_button": "it has exactly one button",
        "links.bare_share": "links show their own address",
        "links.in_text_only": "links stand in plain text",
        "links.home_page": "a link leads to a home page",
        "links.repeated": "several links lead to the same place",
        "links.long_labels": "link texts are sentences",
        "links.insecure_share": "links are plain http",
        "links.to_anchor": "links lead to places inside the message",
    }.items()
)


@cache
def _suffixes() -> Any:  # noqa: ANN401 -- publicsuffixlist has no type information
    """Load the public suffix list on first use (it costs about 20 ms)."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 -- only where links are read

    return PublicSuffixList()


def registrable_domain(host: str) -> str:
    """Return the domain that somebody registered, by the public suffix list.

    >>> registrable_domain("news.shop.example.co.uk")
    'example.co.uk'
    """
    host = host.rstrip(".").lower()
    if len(host) > 253:
        return host[-253:]
    if len(_known) > 4096:
        _known.clear()
    if (found := _known.get(host)) is None:
        found = _known[host] = _suffixes().privatesuffix(host) or host
    return found


_known: dict[str, str] = {}


def _host(url: str) -> str:
    """Return the host of a web address, without user and port."""
    rest = url.partition("//")[2]
    end = min((i for c in "/?#" if (i := rest.find(c)) >= 0), default=len(rest))
    return rest[:end].rpartition("@")[2].partition(":")[0].lower()


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure the links of the HTML, or of the plain text where there is no HTML."""
    anchors = message.document.links if message.html else ()
    web = [link.href for link in anchors if link.href[:4].lower() == "http"]
    in_text = False
    if not web and "://" in reading.text:
        web = _URL.findall(reading.text)[:_MAX_URLS]
        in_text = bool(web)
    web = [url[:1000] for url in web[:_MAX_URLS]]
    values = _targets(message, web, reading) if web else {"links.none": 1.0}
    values["links.in_text_only"] = in_text
    if anchors:
        values |= _anchors(message, anchors)
    return some(values)


def _share(urls: list[str], expression: re.Pattern[str]) -> float:
    """Return the share of addresses that match."""
    return sum(1 for url in urls if expression.search(url)) / len(urls)


def _targets(message: Message, web: list[str], reading: Reading) -> dict[str, float]:
    """Measure where the web links lead."""
    distinct = list(dict.fromkeys(web))
    hosts = [_host(url) for url in distinct]
    domains = [registrable_domain(host) for host in hosts]
    own = registrable_domain(message.sender.domain) if message.sender.domain else ""
    owned = sum(domain == own for domain in domains) / len(domains)
    social = sum(1 for host in hosts if host.removeprefix("www.").startswith(_SOCIAL))
    joined = "\n".join(distinct)
    action = bool(_ACTION.search(joined))
    return {
        "links.one": len(distinct) == 1,
        "links.few": 2 <= len(distinct) <= 3,
        "links.many": bucket(len(distinct), 5, 10, 20, 40),
        "links.dense": bucket(100 * len(web) / (len(reading.body) + 20), 2, 5, 10),
        "links.domains": bucket(len(set(domains)), 2, 3, 5, 8),
        "links.own_share": owned,
        "links.foreign": not owned,
        "links.tracking_share": _share(distinct, _TRACKING),
        "links.token_share": _share(distinct, _TOKEN),
        "links.utm_share": _share(distinct, _UTM),
        "links.unsubscribe": bool(_UNSUBSCRIBE.search(joined)),
        "links.preferences": bool(_PREFERENCES.search(joined)),
        "links.browser_view": bool(_BROWSER.search(joined)),
        "links.action": action,
        "links.one_action": action and len(distinct) <= 3,
        "links.object": bool(_OBJECT.search(joined)),
        "links.social": bucket(social, 1, 2),
        "links.social_block": social >= 3,
        "links.app_stores": any(store in joined for store in _STORES),
        "links.home_page": any(url.rstrip("/").count("/") == 2 for url in distinct),
        "links.repeated": bucket(len(web) - len(distinct), 1, 3, 8),
        "links.insecure_share": sum(url[:5].lower() == "http:" for url in distinct) / len(distinct),
    }


def _anchors(message: Message, anchors: tuple[Link, ...]) -> dict[str, float]:
    """Measure how links are drawn."""
    count = len(anchors)
    buttons = sum(link.is_button for link in anchors)
    mails = [link.href[7:].lower() for link in anchors if link.href[:7].lower() == "mailto:"]
    return {
        "links.mail_to": bool(mails),
        "links.mail_to_sender": any(m.startswith(message.sender.address) for m in mails if message.sender.address),
        "links.telephone": any(link.href[:4].lower() == "tel:" for link in anchors),
        "links.images_share": sum(link.has_image for link in anchors) / count,
        "links.buttons": bucket(buttons, 1, 2, 4),
        "links.one_button": buttons == 1,
        "links.bare_share": sum(_shows_itself(link) for link in anchors) / count,
        "links.long_labels": sum(link.text.count(" ") > 5 for link in anchors) / count,
        "links.to_anchor": any(link.href[:1] == "#" for link in anchors),
    }


def _shows_itself(link: Link) -> bool:
    """Say whether the text of a link is its address."""
    text = link.text.lower().removeprefix("https://").removeprefix("http://").rstrip("/")
    return "." in text and " " not in text and text[:20] in link.href.lower()
