"""Templates over time: how often clean mail raises an alarm, and how many abused slots are found.

    python benchmarks/flows_templates.py [SHARED]

Every transactional message of the open corpus (and of SHARED/corpus, and the pages of
SHARED/corpus-extra) that has a name or a placeholder becomes the template of one sender: its numbers, names
and links are filled anew for each message, and one of its lines is there only sometimes. Then the name
holds somebody else's text. Real series of one sender in SHARED/corpus run as they are.
"""

from __future__ import annotations

import csv
import random
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import recording

from mailflows.errors import MessageError
from mailflows.limits import MemoryStore
from mailflows.message import Message
from mailflows.templates import TemplateMemory

CLEAN = 30
INJECTED = 6
NAMES = [
    *("Ada", "José", "Li Wei", "Anne-Marie", "O'Connor", "Jean-Baptiste de La Tour", "Łukasz Żak", "Max"),
    *(
        "María del Carmen García López",
        "Søren",
        "Dr. Hannah Weiß",
        "Иван Петров",
        "山田太郎",
        "Mehmet Öztürk",
    ),
    *("Smith & Sons Ltd.", "Chloé D.", "nguyen van an", "K. Müller", "Fatima Zahra El Idrissi", "bob77", ""),
    *("Pim van der Meer", "Zoë", "Σοφία Παπαδοπούλου", "R. J. Ellis Jr.", "Ana (Lisboa)", "M. et Mme Petit"),
]
ATTACKS = [
    "Congratulations! You won a prize, claim it at http://prizes.example/claim?id=7",
    "Ada\n\nYour account is locked. Call +44 20 7946 0958 now.",
    "Win 5000 EUR www.prizes.example",
    "prizes.example/win",
    "Bonjour, gagnez un téléphone : https://cadeau.example/tel",
    "Hallo, du hast gewonnen!\nRuf an: 0900 123 456 78",
    (
        "Make money from home today, thousands already do, and it takes only ten minutes of your time every "
        "day to earn more than in your job"
    ),
    "Gana dinero ya: llama al +34 600 123 456",
    "x\r\n\r\nDear customer, we noticed unusual activity.",
    "Jetzt anrufen 030-1234-5678-90",
    "💰 BTC x2 → t.me/double_btc",
    "<a href=http://x.example>Click</a>",
    "Вы выиграли приз! Заберите: http://priz.example/ru",
    "当選しました http://atari.example/now",
    "Vinci subito, scrivi a premi@vinci.example",
    "Kliknij nagroda.com aby odebrac",
    "Dear friend,\nI am a lawyer and need your help with a transfer of funds.",
    "Claim at bit.ly/3xyz",
    "Ganhe agora: (11) 98765-4321",
    "Hello,\nplease find your invoice attached and pay today.",
]
_NUMBER = re.compile(r"\d+")
_URL = re.compile(r"https?://[^\s<>\"]+")
_PLACEHOLDER = re.compile(r"\{\{[^{}]{1,80}\}\}|\{%[^%]{1,80}%\}|%[A-Z_]{3,30}%|\$\{[^}]{1,60}\}")
_GREETING = re.compile(
    r"^(?:hi|hello|dear|hey|bonjour|bonsoir|cher|chère|hola|estimad[oa]|hallo|liebe[r]?|guten tag|ciao|"
    r"gentile|olá|beste|cześć|dzień dobry|hej|kære|dobrý den|здравствуйте)\b"
    r"[ ,]*(\w[\w .'-]{1,40}?)(?=[,!:]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Template:
    r"""Lines with slots: ``\\x01`` a name, ``\\x02`` a number, ``\\x03`` a link; the first is the subject."""

    sender: str
    lines: tuple[str, ...]
    optional: int

    def fill(self, chance: random.Random, name: str) -> Message:
        """Return one message of the series."""
        shown = [line for n, line in enumerate(self.lines) if n != self.optional or chance.random() < 0.7]
        text = "\n".join(shown[1:])
        text = re.sub("\x02(\\d+);", lambda found: _digits(chance, int(found[1])), text)
        text = text.replace("\x03", "/" + _digits(chance, 12)).replace("\x01", name)
        subject = re.sub("\x02(\\d+);", lambda found: _digits(chance, int(found[1])), self.lines[0])
        subject = subject.replace("\x03", "").replace("\x01", name.split("\n", maxsplit=1)[0].strip())
        made = EmailMessage()
        made["From"], made["Subject"] = self.sender, " ".join(subject.split())
        made.set_content(text)
        return Message.read(made)


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choice("0123456789") for _ in range(count))


def _slot_for(found: re.Match[str]) -> str:
    """Return what fills a placeholder: by its name a name, a link, nothing, or a number."""
    word = found[0].lower()
    if word.startswith("{%"):
        return ""
    if "name" in word or "user" in word:
        return "\x01"
    return "https://s.example/\x03" if "url" in word or "link" in word else "\x026;"


def template_of(subject: str, body: str, name: str, sender: str, chance: random.Random) -> Template | None:
    """Make a template of a message, or `None` where there is no name to fill."""
    lines = [subject, *(line for line in body.split("\n") if line.strip())][:120]
    found = []
    has_name = False
    for written in lines:
        line = _PLACEHOLDER.sub(_slot_for, written)
        greeted = _GREETING.match(line.strip())
        if name and len(name) > 2 and name in line:
            line = line.replace(name, "\x01")
        elif greeted and "\x01" not in line and not has_name:
            line = line.replace(greeted[1], "\x01", 1)
        has_name |= bool(found) and "\x01" in line  # a subject alone cannot hold most attacks
        line = _URL.sub(lambda url: url[0].split("?")[0].rstrip(".,)") + "\x03", line)
        found.append(_NUMBER.sub(lambda number: f"\x02{len(number[0])};", line))
    if not has_name or len(found) < 5:
        return None
    plain = [n for n, line in enumerate(found) if n > 1 and not set("\x01\x02\x03") & set(line)]
    return Template(sender, tuple(found), chance.choice(plain) if plain else -1)


def corpus_templates(folder: Path, chance: random.Random) -> list[Template]:
    """Return the templates that the transactional messages of a corpus give."""
    made = []
    for number, path in enumerate(sorted((folder / "transactional").rglob("*.eml"))):
        try:
            message = Message.read(path)
        except MessageError:
            continue
        name = message.recipients[0].name if message.recipients else ""
        made.append(template_of(message.subject, message.body, name, f"n{number}@s.example", chance))
    return [template for template in made if template]


def page_templates(folder: Path, chance: random.Random) -> list[Template]:
    """Return the templates that pages with placeholders give."""
    made = []
    for number, path in enumerate(sorted((folder / "templates/transactional").rglob("*.html"))):
        html = path.read_text("utf-8", "replace")
        body = Message.read("Subject: x\nContent-Type: text/html\n\n" + html).body
        made.append(template_of(path.stem, body, "", f"p{number}@s.example", chance))
    return [template for template in made if template]


def run(templates: list[Template], seed: int = 7) -> dict[str, object]:
    """Run every series, clean and then abused."""
    chance = random.Random(seed)
    memory = TemplateMemory(MemoryStore())
    tally: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for template in templates:
        for _ in range(CLEAN):
            seen = memory.observe(template.fill(chance, chance.choice(NAMES)), flow="transactional")
            tally["clean"] += 1
            tally["flagged"] += not seen.ok
            codes.update(alarm.code for alarm in seen.alarms)
            if seen.alarms and "-v" in sys.argv:
                print("CLEAN", [(a.code, a.slot) for a in seen.alarms])
        tally[f"series {seen.series}"] += 1
        for attack in chance.sample(ATTACKS, INJECTED):
            seen = memory.observe(template.fill(chance, attack), flow="transactional")
            tally["injected"] += 1
            tally["found"] += not seen.ok
            if seen.ok and "-v" in sys.argv:
                print("MISSED", attack[:30].encode(), seen)
    return {
        "templates": len(templates),
        "clean messages": tally["clean"],
        "clean flagged": round(tally["flagged"] / max(1, tally["clean"]), 4),
        "injected messages": tally["injected"],
        "injected found": round(tally["found"] / max(1, tally["injected"]), 4),
        "series": {key[7:]: count for key, count in sorted(tally.items()) if key.startswith("series")},
        "codes of clean alarms": dict(codes),
    }


def real_series(corpus: Path) -> dict[str, object]:
    """Run real messages, sender by sender, in the order of their files: no alarm is right."""
    by_sender: dict[str, list[Message]] = defaultdict(list)
    with (corpus / "MANIFEST.tsv").open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened, delimiter="\t"):
            if row["label"] == "transactional":
                try:
                    message = Message.read(corpus / row["file"])
                except MessageError:
                    continue
                by_sender[message.sender.address].append(message)
    memory = TemplateMemory(MemoryStore())
    tally: Counter[str] = Counter()
    for messages in by_sender.values():
        if len(messages) < 3:
            continue
        for message in messages:
            seen = memory.observe(message, flow="transactional")
            tally["messages"] += 1
            tally["known"] += seen.total > 1
            tally["judged"] += seen.total > 6
            tally["flagged"] += not seen.ok
            if seen.alarms and "-v" in sys.argv:
                print("REAL", message.sender.domain, [(a.code, a.slot) for a in seen.alarms])
    rate = tally["flagged"] / max(1, tally["messages"])
    return {**{key: tally[key] for key in ("messages", "known", "judged", "flagged")}, "rate": round(rate, 4)}


def main() -> None:
    """Run everything and write the result."""
    given = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    chance = random.Random(1)
    result: dict[str, object] = {"open corpus": run(corpus_templates(recording.ROOT / "corpus", chance))}
    if given:
        shared = Path(given[0])
        result["outside corpus"] = run(corpus_templates(shared / "corpus", chance))
        result["outside pages"] = run(page_templates(shared / "corpus-extra", chance))
        result["real series"] = real_series(shared / "corpus")
    recording.write("flows_templates", result)


if __name__ == "__main__":
    main()
