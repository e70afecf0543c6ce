"""A sign-up form that cannot be used to flood anybody: `python app.py`, then open http://127.0.0.1:5000/.

It needs Flask (`pip install flask`) and an SMTP server: SMTP_HOST and SMTP_PORT, localhost and 25
by default. Counts are kept in the file LIMITS_DB, which all worker processes share. The DNS is queried for
whether the domain of an address accepts mail.
"""

from __future__ import annotations

import os
import smtplib
from contextlib import suppress
from email.message import EmailMessage

from flask import Flask, Response, render_template_string, request

from mailflows import AddressError, LimitExceeded, ensure_recipient
from mailflows.limits import SQLiteStore, presets

PAGE = """<!doctype html><title>Newsletter</title>
<p>{{ said }}</p>
<form method="post"><label>Address <input name="email" type="email" required maxlength="254"></label>
<button>Sign up</button></form>"""

# The same words whether the address is known, unknown, or was written to too often: the form tells nobody
# who has an account.
SAID = "If the address can be written to, a message with a link is on its way."


def create_app(
    limits_db: str = "limits.db", host: str = "localhost", port: int = 25, *, dns: bool = True
) -> Flask:
    """Return the application; without *dns*, an address is judged by its syntax alone."""
    app = Flask(__name__)
    limiter = presets.web_form(SQLiteStore(limits_db))

    @app.get("/")
    def form() -> str:
        return render_template_string(PAGE, said="")

    @app.post("/")
    def sign_up() -> Response | str:
        address = request.form["email"].strip()
        language = request.headers.get("Accept-Language")
        try:
            # One address, and nothing else: no second recipient, no line that would become a header.
            ensure_recipient(address, dns=dns, language=language)
        except AddressError as problem:
            return Response(render_template_string(PAGE, said=str(problem)), status=400)
        message = confirmation(address)
        try:
            # remote_addr is the visitor only if nothing stands in front of the application; behind a proxy of
            # your own, use werkzeug.middleware.proxy_fix with the number of proxies, never the bare header.
            with (
                limiter.sending(message, client=request.remote_addr, form="sign-up", template="confirm"),
                smtplib.SMTP(host, port) as smtp,
                # A mailbox that is refused counts like any other, and the visitor does not learn of it.
                suppress(smtplib.SMTPRecipientsRefused),
            ):
                smtp.send_message(message)
        except LimitExceeded as refusal:
            if refusal.decision.per in {"recipient", "duplicate", "recipient_domain"}:
                return render_template_string(PAGE, said=SAID)  # about the victim: say nothing
            said = refusal.decision.for_visitor(language)
            return Response(
                render_template_string(PAGE, said=said), status=429, headers=refusal.decision.headers()
            )
        return render_template_string(PAGE, said=SAID)

    return app


def confirmation(address: str) -> EmailMessage:
    """Return the message; apart from the address, nothing in it was typed by a visitor."""
    message = EmailMessage()
    message["From"] = "Example shop <no-reply@shop.example>"
    message["To"] = address
    message["Subject"] = "Please confirm your address"
    message.set_content(
        "Somebody, perhaps you, typed this address.\n\nhttps://shop.example/confirm/0123456789\n"
    )
    return message


if __name__ == "__main__":
    create_app(
        os.environ.get("LIMITS_DB", "limits.db"),
        os.environ.get("SMTP_HOST", "localhost"),
        int(os.environ.get("SMTP_PORT", "25")),
    ).run()
