"""Archives, columns, and the threshold for mail of one's own."""

from __future__ import annotations

import mailbox
from contextlib import closing
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import mailflows
from mailflows import Classifier, ConfigurationError, Flow, MessageError
from mailflows.training import load_corpus

if TYPE_CHECKING:
    from pathlib import Path

RESET = (
    b"From: Kontor <noreply@kontor.de>\nTo: j.meier@gmx.de\nSubject: Passwort zuruecksetzen\n\n"
    b"Sie haben ein neues Passwort angefordert.\n\nFrom here on it is text.\n"
)
PERSON = (
    b"From: Ada Lovelace <ada@lovelace.uk>\nTo: Charles <charles@babbage.uk>\nSubject: Re: the mill\n"
    b"In-Reply-To: <1@babbage.uk>\n\nDear Charles,\n\ncould you send me the second page?\n\nAda\n"
)


@pytest.fixture
def archives(tmp_path: Path) -> dict[str, Path]:
    """Return an mbox and a Maildir with the same two messages."""
    with closing(mailbox.mbox(tmp_path / "mail.mbox")) as mbox:
        mbox.add(RESET)
        mbox.add(PERSON)
    box = mailbox.Maildir(tmp_path / "Maildir")
    box.add(RESET)
    box.add(PERSON)
    return {"mbox": tmp_path / "mail.mbox", "Maildir": tmp_path / "Maildir"}


@pytest.mark.parametrize("kind", ["mbox", "Maildir"])
def test_every_message_of_an_archive_is_classified(archives: dict[str, Path], kind: str) -> None:
    """A path is an archive where many are asked for."""
    results = list(Classifier(threshold=0).classify_many(archives[kind]))
    assert sorted(str(result.flow) for result in results) == ["professional", "transactional"]


@pytest.mark.parametrize("kind", ["mbox", "Maildir"])
def test_an_archive_is_not_one_message(archives: dict[str, Path], kind: str) -> None:
    """One verdict on a whole archive would be wrong: the error names the way."""
    with pytest.raises(MessageError, match="classify_many"):
        mailflows.classify(archives[kind])


def test_an_mbox_line_above_a_single_message_does_no_harm(tmp_path: Path) -> None:
    """Mail clients save one message so, and "From" may begin a paragraph."""
    path = tmp_path / "one.eml"
    path.write_bytes(b"From ada@lovelace.uk Mon Jan  6 10:00:00 2025\n" + RESET)
    assert mailflows.classify(path).likely == Flow.TRANSACTIONAL


def test_a_folder_without_messages_is_unsure_with_the_reason(tmp_path: Path) -> None:
    """Nothing is raised in the middle of a run."""
    (result,) = Classifier().classify_many(tmp_path)
    assert "no messages found in this folder" in result.reasons[0].sentence


def test_a_column_gives_a_frame_with_the_same_index() -> None:
    """So that it can be joined to the rows it came from."""
    table = pd.DataFrame({"raw": [RESET, PERSON, b""]}, index=["b", "a", "c"])
    frame = Classifier(threshold=0).classify_many(table["raw"])
    assert list(frame.index) == ["b", "a", "c"]
    assert list(frame["likely"][:2]) == ["transactional", "professional"]
    assert pd.isna(frame.loc["c", "flow"])
    assert frame[[flow.value for flow in Flow]].sum(axis=1).round(9).eq(1).all()
    assert table.join(frame)["confidence"].between(0, 1).all()


def test_a_threshold_is_found_on_mail_of_ones_own(root: Path) -> None:
    """It is the lowest that is right often enough, and says what it costs."""
    examples = load_corpus(root / "corpus")[::8]
    messages, flows = [e.message for e in examples], [e.label for e in examples]
    classifier = Classifier.heuristic()
    found = classifier.calibrate(messages, flows, right=0.9)
    assert found.right >= 0.9
    assert 0 < found.coverage < 1
    results = list(Classifier.heuristic(threshold=found.threshold).classify_many(messages))
    kept = [r.flow == flow for r, flow in zip(results, flows, strict=True) if r.flow]
    assert len(kept) / len(results) == pytest.approx(found.coverage)
    assert sum(kept) / len(kept) == pytest.approx(found.right)
    strict = classifier.calibrate(messages, flows, right=0.97)
    assert strict.threshold > found.threshold


def test_calibrating_needs_messages_and_known_flows() -> None:
    """A few messages say nothing, and a wrong word is named."""
    with pytest.raises(ConfigurationError, match="at least 30"):
        Classifier().calibrate([RESET], ["transactional"])
    with pytest.raises(ConfigurationError, match="spam"):
        Classifier().calibrate([RESET] * 30, ["spam"] * 30)
    with pytest.raises(ConfigurationError, match="right"):
        Classifier().calibrate([RESET] * 30, ["transactional"] * 30, right=98)
