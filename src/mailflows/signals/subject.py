"""Subject: its form, apart from its words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows.signals._signal import NAME_SPLIT, Signal, bucket, some

if TYPE_CHECKING:
    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "measure"]

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

_SEPARATORS = (" | ", " - ", " – ", " — ", ": ")

SIGNALS = tuple(
    Signal(name, sentence)
    for name, sentence in {
        "subject-none": "it has no subject",
        "subject-reply": "the subject is marked as a reply",
        "subject-forward": "the subject is marked as a forward",
        "subject-tagged": "the subject begins with a tag in brackets",
        "subject-number": "the subject has a reference number",
        "subject-code": "the subject has a code",
        "subject-percent": "the subject has a percentage",
        "subject-money": "the subject has an amount of money",
        "subject-emoji": "the subject has an emoji",
        "subject-exclamation": "the subject has an exclamation mark",
        "subject-question": "the subject asks a question",
        "subject-capitals": "the subject has words in capitals",
        "subject-long": "the subject is long",
        "subject-short": "the subject is short",
        "subject-lower-case": "the subject begins in lower case",
        "subject-separator": "the subject has parts set off by bars or dashes",
        "subject-quoted": "the subject has something in quotation marks",
        "subject-automatic-reply": "the subject is that of an automatic reply",
        "subject-issue": "the subject has an issue number",
        "subject-date": "the subject has a date or a time",
        "subject-path": "the subject names a host, a path or a version",
        "subject-names-recipient": "the subject names the recipient",
        "subject-names-sender": "the subject names the sender",
        "subject-patch": "the subject announces a patch",
    }.items()
)


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure the form of the subject."""
    del reading
    subject = message.subject[:400]
    if not subject.strip():
        return {"subject-none": 1.0}
    recipients = message.recipients[:1]
    words = {w for w in NAME_SPLIT.split(subject.lower()) if len(w) > 2}
    to_names = {w for a in recipients for w in NAME_SPLIT.split(f"{a.name} {a.local}".lower()) if len(w) > 2}
    own = {w for w in NAME_SPLIT.split(f"{message.sender.name}".lower()) if len(w) > 3}
    length = len(subject)
    reply, forward = _REPLY.match(subject), _FORWARD.match(subject)
    marked = reply or forward
    own_words = subject[marked.end() :].lstrip() if marked else subject
    return some(
        {
            "subject-reply": bool(reply),
            "subject-forward": bool(forward),
            "subject-tagged": bool(_TAG.match(subject)),
            "subject-number": bool(_NUMBER.search(subject)),
            "subject-code": bool(_CODE.search(subject)),
            "subject-percent": bool(_PERCENT.search(subject)),
            "subject-money": bool(_MONEY.search(subject)),
            "subject-emoji": not subject.isascii()
            and any(
                c >= "\u2600" and not "\u3000" <= c <= "\ud7ff" and not "\uf900" <= c <= "\uffff"
                for c in subject
            ),
            "subject-exclamation": "!" in subject or "！" in subject,
            "subject-question": "?" in subject or "？" in subject,
            "subject-capitals": bucket(len(_CAPITALS.findall(subject)), 1, 3),
            "subject-long": length > 60,
            "subject-short": length < 20,
            "subject-lower-case": subject[:1].islower(),
            "subject-separator": any(mark in own_words for mark in _SEPARATORS),
            "subject-quoted": bool(_QUOTED.search(subject)),
            "subject-automatic-reply": bool(_AUTOMATIC.match(subject)),
            "subject-issue": bool(_ISSUE.search(subject)),
            "subject-date": bool(_DATE.search(subject)),
            "subject-path": bool(_PATH.search(subject)),
            "subject-names-recipient": bool(words & to_names),
            "subject-names-sender": bool(words & own),
            "subject-patch": "[patch" in subject.lower() or "[rfc" in subject.lower(),
        }
    )
