"""The headers and the markup that mail clients and tools put around a text, for `compose_messages.py`.

A draft with ``dress=gmail`` is plain text with a little markup: ``# heading``, ``[label](address)`` alone on
a line, ``![what the picture says](address)``, ``| cell | cell |``, and ``@footer sentence|label of the way
out``. The dress makes of it what that client or tool sends.
"""

from __future__ import annotations

import hashlib
import html
import re
from dataclasses import dataclass

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((\S+)\)")


@dataclass(frozen=True, slots=True)
class Dress:
    """What a client or tool adds.

    Attributes:
        headers: Its header fields; ``{token}``, ``{domain}`` and ``{lang}`` are filled in.
        page: Its HTML around ``{rows}``, or empty for plain text alone.
        line: Its HTML around one line of text.
        button: Its HTML around a link that stands alone.
        has_text: Whether the plain text goes along with the HTML.
    """

    headers: tuple[str, ...] = ()
    page: str = ""
    line: str = "<p>{text}</p>"
    button: str = '<a href="{url}">{text}</a>'
    has_text: bool = True


_COLUMN = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"><style>@media only screen and (max-width:600px)'
    '{.w{width:100%!important}}</style></head><body><table width="100%" cellpadding="0" cellspacing="0">'
    '<tr><td align="center"><table class="w" width="600" cellpadding="0" cellspacing="0" role="presentation">'
    "{rows}</table></td></tr></table>{pixel}</body></html>"
)
_CELL = '<tr><td style="padding:12px 24px;font-family:Arial,sans-serif;font-size:16px">{text}</td></tr>'
_BUTTON = (
    '<tr><td align="center" style="padding:16px"><a href="{url}" style="background:#1f5fbf;color:#fff;'
    'padding:12px 28px;border-radius:4px;text-decoration:none">{text}</a></td></tr>'
)

DRESSES = {
    "none": Dress(),
    "gmail": Dress(
        ("MIME-Version: 1.0", "Message-ID: <CA{token}{token}@mail.gmail.com>"),
        '<div dir="ltr">{rows}</div>',
        "<div>{text}</div>",
    ),
    "outlook": Dress(
        (
            "Thread-Index: Ad{token}==",
            "Message-ID: <{token}@EXCH01.{domain}>",
            "Accept-Language: {lang}",
            "X-MS-Has-Attach:",
        ),
        '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style>p.MsoNormal{margin:0cm;'
        'font-size:11.0pt}</style></head><body><div class="WordSection1">{rows}</div></body></html>',
        '<p class="MsoNormal">{text}</p>',
    ),
    "apple": Dress(
        ("X-Mailer: Apple Mail (2.3774.600.62)", "Message-ID: <{uuid}@{domain}>"),
        '<html><body style="overflow-wrap: break-word; -webkit-nbsp-mode: space; '
        'line-break: after-white-space;">{rows}</body></html>',
        "<div>{text}</div>",
    ),
    "iphone": Dress(("X-Mailer: iPhone Mail (21F90)", "Message-ID: <{uuid}@{domain}>")),
    "roundcube": Dress(("User-Agent: Roundcube Webmail/1.6.6", "Message-ID: <{token}@{domain}>")),
    "thunderbird": Dress(
        ("User-Agent: Mozilla Thunderbird", "Content-Language: {lang}", "Message-ID: <{uuid}@{domain}>")
    ),
    "mutt": Dress(("User-Agent: Mutt/2.2.12", "Message-ID: <20251104081207.GA{digits}@{domain}>")),
    "handmade": Dress(
        ("X-Mailer: PHPMailer 5.2.14", "Message-ID: <{token}@{domain}>"),
        '<html><body bgcolor="#fffdf5"><font face="Verdana" size="2">{rows}</font></body></html>',
        "{text}<br>",
        has_text=False,
    ),
    "esp": Dress(
        (
            "Message-ID: <{token}@{domain}>",
            "List-Unsubscribe: <https://{domain}/u/{token}>, <mailto:u-{digits}@{domain}>",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "Feedback-ID: {digits}:campaign:{domain}",
            "Precedence: bulk",
        ),
        _COLUMN,
        _CELL,
        _BUTTON,
    ),
    "platform": Dress(
        (
            "Message-ID: <{token}@{domain}>",
            "List-Id: <{digits}.{domain}>",
            "List-Unsubscribe: <https://{domain}/out/{token}>",
        ),
        _COLUMN,
        _CELL,
        '<tr><td style="padding:8px 24px"><a href="{url}">{text}</a></td></tr>',
    ),
    "image": Dress(
        ("Message-ID: <{token}@{domain}>", "List-Unsubscribe: <https://{domain}/u/{token}>"),
        '<html><body style="margin:0"><center>{rows}</center></body></html>',
        has_text=False,
    ),
    "saas": Dress(("Message-ID: <{token}@{domain}>", "X-Entity-Ref-ID: {uuid}"), _COLUMN, _CELL, _BUTTON),
    "receipt": Dress(("Message-ID: <{digits}.JavaMail.app@{domain}>",), _COLUMN, _CELL, _BUTTON),
    "php": Dress(("X-PHP-Originating-Script: 1001:kontakt.php", "X-Mailer: PHP/8.1.2")),
    "django": Dress(("Message-ID: <{digits}@app2.{domain}>", "X-Auto-Response-Suppress: All")),
    "cron": Dress(("Auto-Submitted: auto-generated", "Message-ID: <2025{digits}@{domain}>")),
    "auto": Dress(
        ("Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All", "Message-ID: <{uuid}@{domain}>")
    ),
}


def dressed(headers: list[str], lines: list[str], name: str, language: str) -> tuple[list[str], list[str]]:
    """Return the headers of a draft with those of its dress, and its lines as parts."""
    dress = DRESSES[name]
    facts = _facts("\n".join(headers), language)
    added = [line.format(**facts) for line in dress.headers]
    charset = "charset=utf-8 encoding=quoted-printable"
    text = [f"@@ text {charset}", *filter(None.__ne__, map(_plain, lines))]
    if not dress.page:
        return [*headers, *added, "MIME-Version: 1.0"], text
    page = [f"@@ html {charset}", *_page(dress, lines, facts).split("\n")]
    parts = ["@@ alternative", *text, *page, "@@ end"] if dress.has_text else page
    return [*headers, *(line for line in added if not line.startswith("MIME")), "MIME-Version: 1.0"], parts


def _facts(headers: str, language: str) -> dict[str, str]:
    """Return what a dress fills in: the same for the same headers."""
    digest = hashlib.sha256(headers.encode()).hexdigest()
    sender = re.search(r"@([\w.-]+)", headers)
    return {
        "token": digest[:24],
        "uuid": f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}".upper(),
        "digits": str(int(digest[:12], 16))[:10],
        "domain": sender[1] if sender else "localhost",
        "lang": language,
    }


def _plain(line: str) -> str:
    """Return a line of the plain text."""
    if line.startswith("@footer "):
        return "-- \n" + line[8:].replace("|", "\n")
    if line.startswith("|"):
        return "  ".join(cell.strip() for cell in line.strip("|").split("|"))
    return _LINK.sub(
        lambda found: found[2] if found[1] else f"{found[2]}: {found[3]}", line.removeprefix("# ")
    )


def _page(dress: Dress, lines: list[str], facts: dict[str, str]) -> str:
    """Return the HTML of a draft."""
    rows = [_row(dress, line, facts) for line in lines if line.strip() or "<div>" in dress.line]
    pixel = '<img src="https://{domain}/o/{token}.gif" width="1" height="1" alt="">'.format(**facts)
    has_pixel = any(line.startswith(("@footer", "#")) for line in lines)
    return dress.page.replace("{rows}", "\n".join(rows)).replace("{pixel}", pixel if has_pixel else "")


def _row(dress: Dress, line: str, facts: dict[str, str]) -> str:
    found = _LINK.fullmatch(line.strip())
    if found and found[1]:
        picture = f'<img src="{found[3]}" alt="{html.escape(found[2])}" width="600" style="display:block">'
        linked = f'<a href="https://{facts["domain"]}/c/{facts["token"]}">{picture}</a>'
        return f"<tr><td>{linked}</td></tr>" if "<tr>" in dress.line else linked
    if found:
        return dress.button.format(text=html.escape(found[2]), url=html.escape(found[3]))
    if line.startswith("@footer "):
        sentence, _, label = html.escape(line[8:]).partition("|")
        out = f'<a href="https://{facts["domain"]}/u/{facts["token"]}">{label}</a>'
        return f'<tr><td style="font-size:11px;color:#888;padding:24px">{sentence}<br>{out}</td></tr>'
    if line.startswith("|"):
        cells = "".join(f"<td>{html.escape(cell.strip())}</td>" for cell in line.strip("|").split("|"))
        return f'<tr><td style="padding:0 24px"><table width="100%"><tr>{cells}</tr></table></td></tr>'
    text = html.escape(line.removeprefix("# ")) or "<br>"
    if line.startswith("# "):
        text = f'<h1 style="font-size:28px">{text}</h1>'
    return dress.line.format(text=text)
