"""The guide for Django sites is a site: its blocks are files of one, and its tests pass there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("django")

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/howto/django.md").read_text("utf-8")
PYTHON, TOML = (re.findall(rf"(?ms)^```{kind}\n(.*?)^```$", GUIDE) for kind in ("python", "toml"))
SITE = """
from pathlib import Path

BASE_DIR = Path(__file__).parent
SECRET_KEY = "guide"
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
USE_TZ = True
ADMINS = [("Ops", "ops@example.net")]
"""
URLS = """
import views
from django.urls import path

urlpatterns = [path("sign-up", views.sign_up), path("order", views.order), path("hook", views.postmark_hook)]
"""
MORE = """
import json

from django.contrib.auth.models import User
from django.core.mail import mail_admins
from tests import SignUp, mail
from views import send_newsletter


class Further(SignUp):
    def test_a_typing_error_is_told_in_the_visitors_language(self):
        answer = self.client.post("/sign-up", {"email": "ada@"}, headers={"Accept-Language": "sv,en;q=0.5"})
        self.assertEqual((answer.status_code, answer.content.decode()), (400, "Det står ingenting efter @."))

    def test_a_receipt_that_is_refused_is_no_error_page(self):
        self.client.force_login(User.objects.create_user("ada", "buyer@example.net"))
        answers = [self.client.post("/order") for _ in range(2)]
        self.assertEqual([answer.status_code for answer in answers], [200, 200])
        self.assertEqual(len(mail.outbox), 1)
        self.assertIn("Please try again in 15 minutes", answers[1].content.decode())

    def test_a_newsletter_goes_on_past_who_is_gone(self):
        told = {"RecordType": "Bounce", "Type": "HardBounce", "Email": "gone@example.net",
                "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist", "ID": 4}
        self.assertEqual(self.client.post("/hook", json.dumps(told), "application/json").status_code, 200)
        names = ("gone", "eve", "bob")
        readers = {f"{name}@example.net": f"https://news.example.org/u/{name}" for name in names}
        self.assertEqual(send_newsletter("Spring list", "Ten new novels, 20 % off until Sunday.", readers), 2)
        self.assertEqual([one.to for one in mail.outbox], [["eve@example.net"], ["bob@example.net"]])

    def test_the_admins_get_the_first_reports_of_a_storm(self):
        for number in range(30):
            mail_admins(f"Error {number}", f"Traceback {number}")
        self.assertEqual(len(mail.outbox), 20)
"""


def test_the_guide_is_a_site(tmp_path: Path) -> None:
    """Settings, views and tests of the page, and what else the page says of them."""
    settings, views, tests = PYTHON
    files = {"settings": SITE + settings, "views": views, "urls": URLS, "tests": tests, "test_more": MORE}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    (tmp_path / "flows.toml").write_text(TOML[0], "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "django", "test", "--settings=settings", "tests", "test_more"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "src")])},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"Ran \d+ tests", done.stderr)
