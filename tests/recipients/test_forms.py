"""The validators of the guide, in the forms of Django, WTForms and pydantic."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import pytest

from mailflows._dns import Resolver
from mailflows.recipients import RecipientChecker
from mailflows.testing import FakeDns

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "recipients.md"
ZONE: dict[str, Any] = {
    "shop.fr": {"MX": ["10 mx.host.fr"]},
    "mx.host.fr": {"A": ["93.184.216.34"]},
    "yopmail.com": {"MX": ["10 mx.host.fr"]},
    "slow.fr": "timeout",
}


@pytest.fixture
def shown() -> dict[str, Any]:
    """Return what the guide's block defines, with a DNS from memory."""
    block = next(
        b for b in re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL) if "wtforms" in b
    )
    names: dict[str, Any] = {"block": block}
    exec(compile(block, "docs/recipients.md", "exec"), names)  # noqa: S102 -- what the guide shows
    names["CHECKER"] = RecipientChecker(resolver=FakeDns(ZONE))
    return names


IN_DJANGO = """
from django.conf import settings

settings.configure(USE_I18N=False)
from django import forms

form = type("SignUp", (forms.Form,), {"email": forms.EmailField(validators=[django_validator])})
for address in ("ada@shop.fr", "ada@slow.fr", "ada@gone.fr", "secret.name@yopmail.com"):
    filled = form({"email": address})
    errors = filled.errors.as_data().get("email", [])
    print(filled.is_valid(), *[e.code for e in errors], "secret.name" in str([e.messages for e in errors]))
"""


def test_django(shown: dict[str, Any]) -> None:
    """A form refuses what bounces or is disposable, with the reason's code, and repeats no local part.

    In a process of its own: Django is set up once a process.
    """
    pytest.importorskip("django")
    made = "from mailflows.testing import FakeDns\nCHECKER = RecipientChecker(resolver=FakeDns({zone!r}))"
    code = f"{shown['block']}\n{made.format(zone=ZONE)}\n{IN_DJANGO}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "True False",
        "True False",
        "False nxdomain False",
        "False disposable False",
    ]


def test_wtforms(shown: dict[str, Any]) -> None:
    """A StringField gets the usual form of the address, or an error."""
    wtforms = pytest.importorskip("wtforms")

    class SignUp(wtforms.Form):  # type: ignore[misc, name-defined] # optional
        email = wtforms.StringField(validators=[shown["wtforms_validator"]])

    good, bad = SignUp(email="ada@SHOP.fr"), SignUp(email="ada@gone.fr")
    good.process(data={"email": " ada@SHOP.fr "})
    bad.process(data={"email": "ada@gone.fr"})
    assert good.validate()
    assert good.email.data == "ada@shop.fr"
    assert not bad.validate()
    assert bad.email.errors


def test_pydantic(shown: dict[str, Any]) -> None:
    """An annotated text is normalised; an error of the model names the field."""
    pydantic = pytest.importorskip("pydantic")

    kind = Annotated[str, pydantic.AfterValidator(shown["pydantic_validator"])]
    model = pydantic.create_model("SignUp", email=(kind, ...))
    assert model(email=" ada@SHOP.fr ").email == "ada@shop.fr"
    with pytest.raises(pydantic.ValidationError) as caught:
        model(email="ada@gone.fr")
    assert caught.value.errors()[0]["loc"] == ("email",)


def test_a_form_answers_within_the_budget() -> None:
    """Also where the resolver is silent; the address is then unknown, and passes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver = Resolver(["127.0.0.1"], port=silent.getsockname()[1])
        started = time.monotonic()
        report = RecipientChecker(resolver=resolver, budget=0.5).ensure("ada@shop.fr")
        assert time.monotonic() - started < 0.5 + 2.0  # a busy machine may be late, the budget is no retry
    assert str(report.verdict) == "unknown"
