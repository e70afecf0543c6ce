"""Which links of whole mailings are tracked, with new wordings and several page designs.

    python benchmarks/tracking_leaving.py [--seen]

Each row of ``leaving_links.tsv`` is set into a mailing of its language: a shop's tables, a magazine's blocks,
or a plain letter. ``--seen`` names what is wrong in the half that rules may be mended on. Writes
``results/tracking_leaving.json``.
"""

# ruff: noqa: E501 -- lines of pages and of languages

from __future__ import annotations

import argparse
import html
import re
from collections import Counter
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from recording import write

from mailflows.tracking import Tracker

TRACKER = Tracker([b"k" * 32], "https://t.news.example/")

# Why it is sent, privacy, in the browser, the everyday word for leaving.
LANGUAGES = {
    "en": ("You receive this because you signed up at our shop.", "Privacy", "View online", "Unsubscribe"),
    "de": ("Sie erhalten diese Nachricht als Kunde.", "Datenschutz", "Im Browser ansehen", "Abmelden"),
    "fr": (
        "Vous recevez ce message en tant que client.",
        "Confidentialité",
        "Voir en ligne",
        "Se désabonner",
    ),
    "es": ("Recibes este mensaje por ser cliente.", "Privacidad", "Ver en el navegador", "Darse de baja"),
    "pt": ("Recebe esta mensagem por ser cliente.", "Privacidade", "Ver no navegador", "Cancelar subscrição"),
    "it": ("Ricevi questo messaggio come cliente.", "Privacy", "Vedi nel browser", "Disiscriviti"),
    "nl": ("U ontvangt dit bericht als klant.", "Privacy", "Bekijk online", "Uitschrijven"),
    "pl": ("Otrzymujesz tę wiadomość jako klient.", "Prywatność", "Zobacz online", "Wypisz się"),
    "cs": ("Tuto zprávu dostáváte jako zákazník.", "Ochrana soukromí", "Zobrazit online", "Odhlásit odběr"),
    "sv": ("Du får det här som kund.", "Integritet", "Visa i webbläsaren", "Avregistrera dig"),
    "da": ("Du modtager denne mail som kunde.", "Privatliv", "Se i browser", "Afmeld nyhedsbrev"),
    "no": ("Du mottar denne meldingen som kunde.", "Personvern", "Se i nettleser", "Meld deg av"),
    "fi": ("Saat tämän viestin asiakkaanamme.", "Tietosuoja", "Näytä selaimessa", "Peruuta tilaus"),
    "hu": ("Ügyfelünkként kapja ezt a levelet.", "Adatvédelem", "Megnyitás böngészőben", "Leiratkozás"),
    "ro": (
        "Primiți acest mesaj în calitate de client.",
        "Confidențialitate",
        "Vezi în browser",
        "Dezabonare",
    ),
    "ru": (
        "Вы получили это письмо как наш клиент.",
        "Конфиденциальность",
        "Открыть в браузере",
        "Отписаться",
    ),
    "uk": ("Ви отримали цей лист як наш клієнт.", "Конфіденційність", "Відкрити у браузері", "Відписатися"),
    "el": ("Λαμβάνετε αυτό το μήνυμα ως πελάτης.", "Απόρρητο", "Προβολή στον περιηγητή", "Απεγγραφή"),
    "tr": ("Bu mesajı müşterimiz olarak aldınız.", "Gizlilik", "Tarayıcıda görüntüle", "Abonelikten çık"),
    "ar": ("وصلتك هذه الرسالة بصفتك عميلا.", "الخصوصية", "عرض في المتصفح", "إلغاء الاشتراك"),
    "he": ("קיבלת הודעה זו כלקוח.", "פרטיות", "צפייה בדפדפן", "להסרה מרשימת התפוצה"),
    "ko": ("고객님께 보내 드리는 메일입니다.", "개인정보 처리방침", "브라우저에서 보기", "수신거부"),
    "ja": ("このメールは会員の皆さまにお送りしています。", "プライバシー", "ブラウザで表示", "配信停止"),
    "zh": ("您收到此邮件是因为您是我们的客户。", "隐私", "在浏览器中查看", "退订"),
}
LEAVING = (
    "https://x.example/l/7Gk2pQ",
    "https://click.mailer.example/f/a/q9XvT2~~/AAAHUQA~/RgRn",
    "https://shop.example/r?d=c2hvcHwxMjM0&h=1f9b2c3d",
    "https://shop.example/mail.php?c=812&m=55021",
    "https://go.mailer.example/e/12345/2026-11-29/8kq2n3/771",
    "https://shop.example/c/9f8e7d6c-5b4a-4938-a7b6-c5d4e3f2a1b0",
    "https://shop.example/me?email=ada%40lovelace.example",
    "https://mailer.example/p/es?s=15001&e=AjQ2k",
)
PLAIN = (
    "https://shop.example/goodbye",
    "https://shop.example/letters",
    "https://shop.example/stay/or/go.html",
)
PRODUCTS = (
    "https://shop.example/p/linen-shirt-4711",
    "https://shop.example/product?id=8812&colour=blue",
    "https://x.example/l/8Hk3qR",
    "https://shop.example/de/c/2231/new",
    "https://blog.shop.example/2026/11/oven",
    "https://go.mailer.example/e/12345/2026-11-29/8kq2n4/12",
)
SECTIONS = (
    "https://shop.example/women",
    "https://shop.example/c/new-in",
    "https://www.shop.example/en/women.html?utm_source=newsletter&utm_campaign=2026-11-29",
    "https://shop.example/collections/gifts/",
    "https://shop.example/c/1204/",
    "https://shop.example/en-gb/help/delivery-and-returns",
)
TARGET = "https://x.example/the-link-in-question"  # replaced by its address


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes:
        number: Its place among the rows of its kind.
        kind: ``leaves`` or ``other``.
        language: Two letters.
        place: Where on the page it stands.
        text: What it says, with the link in brackets.
    """

    number: int
    kind: str
    language: str
    place: str
    text: str

    @property
    def url(self) -> str:
        """Where the link leads."""
        if self.kind == "leaves":
            choice = PLAIN if self.place.startswith("plain") else LEAVING
        else:
            choice = SECTIONS if self.place in {"category", "legal", "app"} else PRODUCTS
        if self.place == "social":
            return "https://www.instagram.com/shop.example"
        return choice[self.number % len(choice)]

    @property
    def link(self) -> str:
        """The markup of its sentence."""
        text = self.text if "[" in self.text else f"[{self.text}]"
        before, said, behind = re.split(r"[\[\]]", text)
        if self.place == "picture":
            inner = f'<img src="https://i.shop.example/x.png" alt="{html.escape(said)}" width="120">'
        elif self.place in {"card", "footerproduct"}:
            picture = '<img src="https://i.shop.example/p.jpg" width="280" alt="">'
            inner = f"{picture}<br>{html.escape(said)}"
        else:
            inner = html.escape(said)
        style = ' style="color:#666"' if self.number % 3 else ""
        return (
            f'{html.escape(before)}<a href="{html.escape(self.url)}"{style}>{inner}</a>{html.escape(behind)}'
        )


def rows() -> list[Row]:
    """Return the rows of the table, numbered within their kind."""
    seen: Counter[str] = Counter()
    found = []
    for line in Path(__file__).with_name("leaving_links.tsv").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            kind, language, place, text = line.split("\t")
            found.append(Row(seen[kind], kind, language, place, text))
            seen[kind] += 1
    return found


def message(row: Row) -> bytes:
    """Return the mailing that a row's link stands in."""
    page = (shop, magazine, letter)[2 if row.place == "letter" else row.number % 3](row)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "news@shop.example", "ada@lovelace.example", "News"
    token = "c2hvcHwxMjM0" if row.place != "header" else row.url.rpartition("/")[2][-12:]
    if row.place == "header":
        host = row.url.partition("//")[2].partition("/")[0]
        mail["List-Unsubscribe"] = f"<https://{host}/one-click/{token}>"
    elif row.number % 2 or row.kind == "other":
        mail["List-Unsubscribe"] = "<mailto:leave@shop.example>"
    mail.set_content(page, subtype="html")
    return mail.as_bytes()


def parts(row: Row) -> dict[str, str]:
    """Return the pieces of a page, the link among them."""
    reason, privacy, online, leave = LANGUAGES[row.language]
    known = f'<a href="https://x.example/l/Zq81Lm">{leave}</a>' if row.kind == "other" else ""
    inside = {"row": "row", "picture": "row", "plainpath": "row", "category": "row", "legal": "row"}
    place = {"prose": "prose", "plainprose": "prose", "header": "end", "letter": "end"} | inside | {
        "top": "top", "app": "row", "social": "row", "footerproduct": "late", "partner": "late",
    }  # fmt: skip
    pieces = dict.fromkeys(("top", "body", "late", "end", "row", "prose"), "")
    pieces[place.get(row.place, "end" if row.place in {"last", "ps"} else "body")] = row.link
    return pieces | {"reason": reason, "privacy": privacy, "online": online, "known": known}


def shop(row: Row) -> str:
    """Return a page of tables."""
    p = parts(row)
    cards = "".join(
        f'<td width="290"><a href="https://shop.example/p/{n}"><img src="https://i.shop.example/{n}.jpg" '
        f'width="280" alt=""></a><p style="font-size:16px">{name}</p></td>'
        for n, name in enumerate(("Oak stool", "Wool rug"), 4712)
    )
    separated = " | ".join(
        piece
        for piece in (f'<a href="https://shop.example/privacy">{p["privacy"]}</a>', p["row"], p["known"])
        if piece
    )
    return f"""<html><body style="margin:0;font-family:Arial;font-size:16px"><table width="600" align="center">
<tr><td style="font-size:11px" align="right">{p["top"]} <a href="https://shop.example/v/Zq81Lm">{p["online"]}</a></td></tr>
<tr><td><a href="https://shop.example/"><img src="https://i.shop.example/logo.png" width="160" alt="Shop"></a></td></tr>
<tr><td><h1>November</h1><p style="font-size:16px">Oven, oak and wool, as every year.</p>{p["body"]}</td></tr>
<tr>{cards}</tr><tr><td>{p["late"]}</td></tr><tr><td style="font-size:16px">{p["end"]}</td></tr>
<tr><td align="center" style="font-size:11px;color:#888">
<a href="https://www.facebook.com/shop"><img src="https://i.shop.example/f.png" width="24" alt="Facebook"></a>
<p>{p["reason"]} {p["prose"]}</p><p>Shop Ltd, 1 Main Street, 75001 Paris</p><p>{separated}</p></td></tr></table></body></html>"""


def magazine(row: Row) -> str:
    """Return a page of blocks with a style sheet."""
    p = parts(row)
    items = "".join(
        f"<li>{piece}</li>"
        for piece in (f'<a href="https://shop.example/privacy">{p["privacy"]}</a>', p["row"], p["known"])
        if piece
    )
    return f"""<html><head><style>body{{font:17px Georgia}} .foot{{font-size:12px;color:#777}}</style></head><body>
<div class="pre">{p["top"]}</div><div class="main"><h2>The November issue</h2>
<p>A long read about bread, and a short one about rain. <a href="https://blog.shop.example/bread">Read on</a></p>
<div>{p["body"]}</div><p>And a picture: <a href="https://blog.shop.example/2026/11/rain">rain in the city</a>.</p>
<div>{p["late"]}</div><p>{p["end"]}</p></div>
<div class="foot"><p>© 2026 Shop Ltd · 1 Main Street · 75001 Paris</p><ul>{items}</ul><p>{p["reason"]} {p["prose"]}</p></div>
</body></html>"""


def letter(row: Row) -> str:
    """Return a page like a letter, without any dress."""
    p = parts(row)
    foot = " &middot; ".join(piece for piece in (p["row"], p["known"]) if piece)
    return f"""<p>{p["top"]}</p><p>Dear reader,</p><p>the oven is hot: <a href="https://blog.shop.example/oven">our story</a>.</p>
<p>{p["body"]}</p><p>And <a href="https://shop.example/p/oak-stool-4712">the oak stool</a> is back.</p><p>{p["late"]}</p><p>Warmly,<br>the shop</p>
{f"<p>{p['end']}</p>" if p["end"] else ""}<p>{p["reason"]} {p["prose"]}</p>{f"<p>{foot}</p>" if foot else ""}"""


def is_tracked(row: Row) -> bool:
    """Say whether the link of a row is tracked."""
    return next(link.is_tracked for link in TRACKER.links(message(row)) if link.url == row.url)


def main() -> None:
    """Judge every link, and write how many are wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seen", action="store_true")
    arguments = parser.parse_args()
    result: dict[str, dict[str, int]] = {}
    for row in rows():
        half = "unseen" if row.number % 2 else "seen"
        tracked = is_tracked(row)
        counted = result.setdefault(f"{row.kind}_{half}", {"links": 0, "tracked": 0})
        counted["links"] += 1
        counted["tracked"] += tracked
        if arguments.seen and half == "seen" and tracked is (row.kind == "leaves"):
            print("tracked" if tracked else "left alone", row.language, row.place, row.url, row.text)
    print(result)
    if not arguments.seen:
        write("tracking_leaving", result)


if __name__ == "__main__":
    main()
