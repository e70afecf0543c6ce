"""A small shop that sends three flows of mail through one gate.

Visitors sign up and order (transactional), the shop writes a newsletter (marketing), and two people answer
customers (professional). Every message is composed here, checked by the gate, and handed to the relay of
its flow. `story.py` attacks the shop.
"""

from __future__ import annotations

import smtplib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from mailflows import Gate, Refused
from mailflows.feedback import SuppressionList
from mailflows.gate import GateDecision
from mailflows.integrations import delivery_of
from mailflows.integrations.smtplib import GateSMTP
from mailflows.limits import presets
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.templates import TemplateMemory

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailflows.flows import FlowSet
    from mailflows.limits import Store

NEWS, NOTIFY, PEOPLE = "news.shop.example", "notify.shop.example", "shop.example"


@dataclass
class Waiting:
    """A message that is tried again."""

    message: EmailMessage
    known: dict[str, Any]
    due: float


@dataclass
class Shop:
    """The application: it sends what visitors, the newsletter and two people cause.

    Args:
        flows: Each flow with its domain and its relay.
        store: What all processes of the shop share: counts, reputations, suppressed addresses.
        clock: Returns seconds since 1970.
    """

    flows: FlowSet
    store: Store
    clock: Callable[[], float] = time.time
    queue: list[Waiting] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate = Gate(
            self.flows,
            limiter={
                "transactional": presets.web_form(self.store),
                "marketing": presets.campaign(self.store),
                "professional": presets.professional(self.store),
            },
            senders=SenderControl(self.store, clock=self.clock),
            suppressions=SuppressionList(self.store, clock=self.clock),
            reputation=Reputation(self.store, clock=self.clock),
            templates=TemplateMemory(self.store, clock=self.clock),
        )
        self._smtp = GateSMTP(self.gate, timeout=10)
        self._numbers = iter(range(1, 1_000_000_000))

    def sign_up(self, name: str, address: str, client: str) -> str:
        """Greet whoever typed a name and an address into the form, and ask them to confirm the address."""
        text = (
            f"Hello {name},\n\nplease confirm your email address for your account:\n\n"
            f"https://{PEOPLE}/confirm/{next(self._numbers):08}\n\nIf it was not you, ignore this message.\n"
        )
        mail = self._mail(f"Shop <noreply@{NOTIFY}>", address, "Please confirm your address", text)
        known = {"flow": "transactional", "client": client, "form": "sign-up", "template": "confirm"}
        # The visitor who is told "later" tries again: a form keeps nothing in a queue for an attacker.
        return self._send(mail, known, waits=False)

    def order(self, number: int, address: str, client: str) -> str:
        """Confirm an order."""
        text = (
            f"Thank you for your order {number}.\n\nWe have received your payment and will send your parcel "
            f"within two days.\n\nYour order: https://{PEOPLE}/orders/{number}\n"
        )
        mail = self._mail(f"Shop <noreply@{NOTIFY}>", address, f"Your order {number}", text)
        known = {"flow": "transactional", "client": client, "form": "checkout", "template": "order"}
        return self._send(mail, known)

    def newsletter(self, issue: str, address: str) -> str:
        """Send an issue of the newsletter to one reader."""
        leave = f"https://{NEWS}/leave/{next(self._numbers):08}"
        text = (
            f"News from the shop: {issue}\n\nTen new things for the garden, 20% off all seeds until Sunday.\n"
            f"See them all: https://{NEWS}/{issue}\n\nUnsubscribe: {leave}\n"
        )
        mail = self._mail(f"Shop news <hello@{NEWS}>", address, f"The shop's news: {issue}", text)
        mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"] = f"<{leave}>", "List-Unsubscribe=One-Click"
        return self._send(mail, {"flow": "marketing", "campaign": issue, "template": issue})

    def letter(self, account: str, address: str, subject: str, text: str, client: str) -> str:
        """Send what a logged-in person wrote."""
        mail = self._mail(f"{account.title()} <{account}@{PEOPLE}>", address, subject, text)
        known = {"flow": "professional", "account": f"{account}@{PEOPLE}", "client": client}
        return self._send(mail, known, waits=False)  # a person is told at once

    def run_queue(self) -> int:
        """Retry what is due; return how many messages are still waiting."""
        waiting, self.queue = self.queue, []
        for one in waiting:
            if one.due > self.clock():
                self.queue.append(one)
            else:
                self._send(one.message, one.known)
        return len(self.queue)

    def close(self) -> None:
        """End the sessions with the relays."""
        self._smtp.quit()

    def _mail(self, sender: str, to: str, subject: str, text: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject
        mail["Date"] = format_datetime(datetime.fromtimestamp(self.clock(), UTC))
        # The same at every attempt, so that a receiver can tell that it has it already.
        mail["Message-ID"] = f"<{next(self._numbers)}@{sender.rpartition('@')[2]}"
        mail.set_content(text)
        return mail

    def _send(self, message: EmailMessage, known: dict[str, Any], *, waits: bool = True) -> str:
        """Hand a message to the gate and its relay; return ``sent``, ``later``, or what stopped it."""
        try:
            self._smtp.send_message(message, **known)
        except Refused as refused:
            verdict = refused.verdict
            if verdict.decision is GateDecision.DEFER and waits:
                self._wait(message, known, verdict.retry_after or 600.0)
                return "later"
            return str(verdict.why[0].part)
        except (smtplib.SMTPException, OSError) as problem:
            delivery = delivery_of(problem)
            if delivery is None or not (delivery.deferred or delivery.unknown):
                return "relay"
            self._wait(message, known, 600.0)
            return "later"
        return "sent"

    def _wait(self, message: EmailMessage, known: dict[str, Any], seconds: float) -> None:
        self.queue.append(Waiting(message, known, self.clock() + seconds))
