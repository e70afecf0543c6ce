"""Make the small data of docs/notebooks: a list, its DNS, two campaigns as SendGrid posts them, and a log.

python tasks/make_notebook_data.py

Everything is drawn with a seed; people, addresses and domains are invented.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "docs" / "notebooks" / "data"
START = 1_790_000_000 - 1_790_000_000 % 86_400  # a midnight, UTC
DAY = 86_400

NAMES = "ada grace mary emmy lise rosa marie hedy chien shirley katherine dorothy annie joan karen".split()
# Not below .example: the checker knows that nobody has a mailbox there.
LIVING = [f"atelier{n}-brume.fr" for n in range(40)]
DEAD = [f"closed{n}-brume.fr" for n in range(6)]
TYPOS = ["gmial.com", "hotmial.com", "yaho.com", "gmail.con"]


def people(choice: random.Random) -> list[dict[str, str]]:
    """Return a mailing list as it lies in a shop: mostly sound, some of it old."""
    rows = []
    for number in range(600):
        draw = choice.random()
        name = f"{choice.choice(NAMES)}.{choice.choice('abcdefghklmnprstw')}{number}"
        if draw < 0.45:
            address = f"{name}@{choice.choice(LIVING)}"
        elif draw < 0.80:
            address = f"{name}@{choice.choice(['gmail.com', 'outlook.com', 'yahoo.com'])}"
        elif draw < 0.90:
            address = f"{name}@{choice.choice(DEAD)}"
        elif draw < 0.93:
            address = f"{name}@{choice.choice(TYPOS)}"
        elif draw < 0.95:
            address = f"{name}@yopmail.com"
        elif draw < 0.97:
            address = f"{choice.choice(['info', 'sales', 'office'])}@{choice.choice(LIVING)}"
        else:
            address = choice.choice([f"{name}@", f"{name} at {LIVING[0]}", "n/a", f"{name}@firm..fr"])
        source = "fair 2019" if draw >= 0.8 and choice.random() < 0.8 else choice.choice(["shop", "form"])
        rows.append({"customer": str(number), "email": address, "source": source})
    return rows


def records() -> list[dict[str, Any]]:
    """Return the DNS of the list, as `FakeDns.from_recording` reads it."""
    found: list[dict[str, Any]] = []
    for domain in [*LIVING, "gmail.com", "outlook.com", "yahoo.com", "yopmail.com"]:
        found += [
            {"query": {"name": domain, "type": "MX"}, "answer": [f"10 mx.{domain}."]},
            {"query": {"name": f"mx.{domain}", "type": "A"}, "answer": ["93.184.216.34"]},
        ]
    return found


def campaign(choice: random.Random, name: str, start: int, clicks: float) -> list[dict[str, Any]]:
    """Return what a provider posts about a mailing to 400 people."""
    events: list[dict[str, Any]] = []

    def post(kind: str, address: str, at: float, **more: object) -> None:
        facts = {"email": address, "timestamp": int(at), "event": kind, "category": name}
        events.append({**facts, "sg_event_id": f"{name}-{len(events)}", **more})

    for number in range(400):
        host = choice.choice(["gmail.com", "outlook.com", "yahoo.com", *LIVING[:3]])
        address = f"reader{number}@{host}"
        at = start + choice.random() * 1800
        if choice.random() < 0.02:
            reason = choice.choice(["550 5.1.1 User unknown", "552 5.2.2 Mailbox full"])
            post("bounce", address, at, type="bounce", reason=reason, status=reason[4:9])
            continue
        post("delivered", address, at, response="250 OK")
        if host == "gmail.com" or choice.random() < 0.3:
            post("open", address, at + 60, sg_machine_open=host == "gmail.com")
        if choice.random() < clicks:
            later = at + choice.expovariate(1 / (6 * 3600))
            url = choice.choice(["spring", "spring", "seeds", "terms"])
            post("click", address, later, url=f"https://shop.example/{url}")
        if choice.random() < 0.01:
            post("unsubscribe", address, at + choice.expovariate(1 / 7200))
    return events


def log(choice: random.Random) -> list[dict[str, object]]:
    """Return two weeks of a mail log: three people, and on the last day a thief and a bombed form."""
    rows: list[dict[str, object]] = []
    networks = {"ada": "192.0.2.7", "grace": "192.0.2.8", "mary": "198.51.100.20"}
    for day in range(14):
        for sender, client in networks.items():
            for letter in range(choice.randint(8, 14)):
                at = START + day * DAY + 9 * 3600 + letter * 2000 + choice.randint(0, 900)
                to = f"customer{choice.randint(0, 40)}@firm{choice.randint(0, 5)}.example"
                rows.append({"at": at, "sender": sender, "to": to, "client": client, "form": ""})
        for visit in range(12):
            at = START + day * DAY + 8 * 3600 + visit * 3000 + choice.randint(0, 600)
            to = f"visitor{day}.{visit}@{choice.choice(LIVING)}"
            client = f"203.0.113.{choice.randint(1, 250)}"
            rows.append({"at": at, "sender": "form", "to": to, "client": client, "form": "sign-up"})
    night = START + 13 * DAY + 3 * 3600
    for number in range(150):
        to = f"stranger{number}@elsewhere{number % 9}.example"
        rows.append({"at": night + 4 * number, "sender": "ada", "to": to, "client": "100.64.3.9", "form": ""})
    noon = START + 13 * DAY + 12 * 3600
    for number in range(200):
        client = f"10.{number}.7.9"
        to, at = "victim@firm7.example", noon + 3 * number
        rows.append({"at": at, "sender": "form", "to": to, "client": client, "form": "sign-up"})
    return sorted(rows, key=lambda row: row["at"])  # type: ignore[arg-type, return-value]


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def main() -> None:
    """Write the files."""
    DATA.mkdir(parents=True, exist_ok=True)
    (DATA / "list.csv").write_text(table(people(random.Random(1))), "utf-8")
    (DATA / "list-dns.json").write_text(json.dumps(records(), indent=0) + "\n", "utf-8")
    events = campaign(random.Random(2), "plain", START + 2 * DAY + 8 * 3600, 0.08)
    events += campaign(random.Random(3), "pictures", START + 9 * DAY + 8 * 3600, 0.15)
    posted = json.dumps(events, separators=(",", ":")).encode()
    (DATA / "events.json.gz").write_bytes(gzip.compress(posted, mtime=0))
    (DATA / "log.csv").write_text(table(log(random.Random(4))), "utf-8")


if __name__ == "__main__":
    main()
