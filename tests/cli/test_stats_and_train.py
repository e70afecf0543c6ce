"""The commands ``stats`` and ``train``."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from mailflows import Classifier
from mailflows.cli import main

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "docs/notebooks/data/events.json.gz"


def test_campaigns_are_measured_and_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """Each campaign has its rates with intervals, and two are set side by side."""
    assert main(["stats", "sendgrid", str(EVENTS)]) == 0
    out = capsys.readouterr().out
    assert out.count("95% intervals") == 2
    assert "difference in points" in out


def test_one_campaign_as_json_and_as_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--campaign`` chooses, ``--json`` is a line each, ``--html`` a page; a folder of payloads is read."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.json").write_bytes(gzip.decompress(EVENTS.read_bytes()))
    page = tmp_path / "plain.html"
    command = [
        "stats",
        "sendgrid",
        str(tmp_path / "in"),
        "--campaign",
        "plain",
        "--json",
        "--html",
        str(page),
    ]
    assert main(command) == 0
    (line,) = capsys.readouterr().out.splitlines()
    rates = {rate["name"]: rate["count"] for rate in json.loads(line)["rates"]}
    assert rates["delivered"] > 300
    assert "plain" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "said"), [(b"{", "names a campaign"), (b"[]", "names a campaign"), (b"\x1f\x8b", "gzip")]
)
def test_payloads_that_cannot_be_read(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is no payload, or empty, or a damaged archive is said, with status 2."""
    file = tmp_path / ("events.json.gz" if content[:1] == b"\x1f" else "events.json")
    file.write_bytes(content)
    assert main(["stats", "sendgrid", str(file)]) == 2
    assert said in capsys.readouterr().err


def test_a_model_is_trained_and_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of labelled mail becomes a model file that classifies."""
    for number, file in enumerate(sorted((ROOT / "corpus").glob("*/*/*.eml"))[::20]):
        place = tmp_path / "mail" / file.parts[-3] / f"source{number % 3}" / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())
    model = tmp_path / "model.json"
    assert main(["train", str(tmp_path / "mail"), "--out", str(model), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["sources"]) == (str(model), 3)
    assert Classifier.load(model).classify(b"Subject: Tuesday\n\nDear Ada").likely


def test_training_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to do, and a folder without labels, are said with status 2."""
    assert main(["train", str(tmp_path)]) == 2
    assert main(["train", str(tmp_path), "--judge"]) == 2
    assert capsys.readouterr().err.count("mailflows: ") == 2
