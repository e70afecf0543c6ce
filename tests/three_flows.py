"""A sender with three flows, and a message of each: written for these tests."""

from __future__ import annotations

from email.message import EmailMessage

from mailflows.flows import FlowRoute, FlowSet


def three_flows(**relays: str) -> FlowSet:
    """Return three flows; each may be given a relay."""
    sources = {"transactional": "127.0.0.11", "marketing": "127.0.0.12", "professional": "127.0.0.13"}
    domains = {
        "transactional": "notify.lovelace.example",
        "marketing": "news.lovelace.example",
        "professional": "lovelace.example",
    }
    return FlowSet(
        *(
            FlowRoute(
                flow,
                domains=domains[flow],
                source_ips=sources[flow] if flow in relays else (),
                ehlo=f"{flow}.lovelace.example",
                relay=relays.get(flow, ""),
            )
            for flow in domains
        )
    )


def reset(
    to: str = "ada@babbage.example", sender: str = "Harbour <noreply@notify.lovelace.example>"
) -> EmailMessage:
    """Return a mail of a server after a user's action."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, "Reset your password"
    mail["Message-ID"], mail["Auto-Submitted"] = "<reset-1@notify.lovelace.example>", "auto-generated"
    mail.set_content(
        "Hello Ada,\n\nsomebody asked to reset the password of your account. Your code is 406117. It expires "
        "in ten minutes.\n\nIf it was not you, ignore this message.\n"
    )
    return mail


def newsletter(to: str = "ada@babbage.example") -> EmailMessage:
    """Return a mail to a list."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "Lovelace News <hello@news.lovelace.example>", to
    mail["Subject"] = "Spring sale: 30% off everything until Sunday"
    mail["List-Unsubscribe"] = "<https://news.lovelace.example/u/1>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail["Message-ID"] = "<sale-1@news.lovelace.example>"
    mail.set_content(
        "Our biggest sale of the year! Save 30% on all engines, free shipping, only until Sunday.\n"
        "Shop now: https://news.lovelace.example/sale\nUnsubscribe: https://news.lovelace.example/u/1\n"
    )
    mail.add_alternative(
        "<html><body><h1>Spring sale</h1><p>Save 30% on all engines!</p>"
        "<a href='https://news.lovelace.example/sale'>Shop now</a>"
        "<p><a href='https://news.lovelace.example/u/1'>Unsubscribe</a></p></body></html>",
        subtype="html",
    )
    return mail


def note(to: str = "ada@babbage.example") -> EmailMessage:
    """Return a mail that a person wrote."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "Charles <charles@lovelace.example>", to
    mail["Subject"], mail["Message-ID"] = "Re: Tuesday", "<note-1@lovelace.example>"
    mail["In-Reply-To"] = "<abc@babbage.example>"
    mail.set_content(
        "Dear Ada,\n\nthanks for the drawings. Shall we meet on Tuesday at noon?\n\nBest,\nCharles\n"
    )
    return mail
