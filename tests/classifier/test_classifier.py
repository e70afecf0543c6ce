"""Classifying: flows, reasons, abstaining, and never failing."""

from __future__ import annotations

import json
import math
import pickle
import random
import re
import subprocess
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import pytest

import mailflows
from hostile import mutated
from mailflows import Classifier, ConfigurationError, Flow, MessageError
from mailflows.signals import words

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

PERSON = (
    b"From: Ada Lovelace <ada@lovelace.uk>\nTo: Charles Babbage <charles@babbage.uk>\n"
    b"Subject: Re: the mill\nIn-Reply-To: <1@babbage.uk>\nUser-Agent: Mozilla Thunderbird\n\n"
    b"Dear Charles,\n\nI had a look at your drawing. Could you send me the second page?\n\nAda\n\n"
    b"> On Tuesday you wrote:\n> it turns at last\n"
)
NEWSLETTER = (
    "From: La Fabrique à Pain <newsletter@lafabriqueapain.fr>\nTo: client@orange.fr\n"
    "Subject: -20 % sur toute la boutique, derniers jours !\nContent-Type: text/html; charset=utf-8\n"
    "List-Unsubscribe: <https://lafabriqueapain.fr/d>\n\n"
    '<table width="600"><tr><td><img src="https://x.fr/hero.jpg" width="600" alt="Soldes"></td></tr>'
    "<tr><td><p>Profitez de nos offres jusqu'à dimanche, livraison gratuite.</p>"
    '<a href="https://lafabriqueapain.fr/s?utm_source=nl" style="background:#c00">J\'en profite</a>'
    '<p>Vous recevez cet e-mail car vous êtes abonné. <a href="https://lafabriqueapain.fr/desabonnement">'
    "Se désabonner</a></p></td></tr></table>"
).encode()
RESET = (
    b"From: Kontor <noreply@kontor.de>\nTo: j.meier@gmx.de\nSubject: Passwort zuruecksetzen\n\n"
    b"Sie haben ein neues Passwort angefordert. Der Link ist 30 Minuten gueltig:\n"
    b"https://kontor.de/passwort/reset?token=9f8a7c6d5e4b3a2918273645546372819\n\n"
    b"Bitte antworten Sie nicht auf diese automatisch erzeugte Nachricht.\n"
)


@pytest.mark.parametrize(
    ("message", "flow"),
    [(PERSON, Flow.PROFESSIONAL), (NEWSLETTER, Flow.MARKETING), (RESET, Flow.TRANSACTIONAL)],
    ids=["a person's reply", "a French newsletter", "a German password reset"],
)
def test_plain_cases_are_told_with_and_without_the_model(message: bytes, flow: Flow) -> None:
    """The three flows, in three languages, by the model and by the readable table alone."""
    assert mailflows.classify(message).flow == flow
    assert Classifier.heuristic().classify(message).likely == flow


def test_reasons_and_the_rest_add_up_to_the_score(root: Path) -> None:
    """At least three reasons, and with the rest their weights sum to the log odds, for every message."""
    classifier = Classifier()
    for path in islice(sorted((root / "corpus").glob("*/*/*.eml")), 0, None, 11):
        result = classifier.classify(path)
        assert len(result.reasons) >= 3
        told = math.fsum(r.weight or 0.0 for r in result.reasons)
        assert told + result.rest == pytest.approx(result.score, abs=1e-9)
        assert all(r.sentence for r in result.reasons)
        if not result.reasons[0].code.startswith("rule-"):
            ordered = [result.probabilities[flow] for flow in Flow]
            logits = [math.log(p) for p in ordered]
            best = max(logits)
            assert result.score == pytest.approx(best - math.fsum(logits) / 3, abs=1e-6)


def test_probabilities_sum_to_one_and_name_every_flow() -> None:
    """Also for what cannot be read."""
    for source in (PERSON, NEWSLETTER, RESET, b"", b"%PDF-1.4\n"):
        result = mailflows.classify(source)
        assert list(result.probabilities) == list(Flow)
        assert math.fsum(result.probabilities.values()) == pytest.approx(1.0)


def test_below_the_threshold_the_answer_is_unsure() -> None:
    """Nothing is sure enough for a threshold of one; anything is for zero."""
    strict = Classifier(threshold=1.0).classify(NEWSLETTER)
    assert strict.flow is None
    assert strict.likely == Flow.MARKETING
    assert str(strict).startswith("unsure (perhaps marketing)")
    assert Classifier(threshold=0).classify(b"From: a@b.fr\nSubject: x\n\ny").flow is not None


def test_a_threshold_outside_zero_and_one_is_refused() -> None:
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match="in \\[0, 1\\]") as caught:
        Classifier(threshold=85)
    assert caught.value.field == "threshold"


@pytest.mark.parametrize(
    "source",
    [b"", b"   \n", b"%PDF-1.4\n%\xe2\xe3", "just a line", b"\x00" * 100, b"From: a@b.fr\n\n"],
    ids=["empty", "blank", "a PDF", "a line of text", "zero bytes", "neither subject nor text"],
)
def test_what_cannot_be_judged_is_unsure_with_the_reason(source: bytes | str) -> None:
    """Never an exception for bytes, never a guess."""
    result = mailflows.classify(source)
    assert result.flow is None
    assert result.likely is None
    assert result.reasons[0].code == "defect-unreadable"
    assert result.to_dict()["flow"] is None


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """A missing file and a directory are the caller's mistake."""
    for path in (tmp_path / "missing.eml", tmp_path):
        with pytest.raises(MessageError):
            mailflows.classify(path)
    with pytest.raises(MessageError, match="int"):
        mailflows.classify(42)  # type: ignore[arg-type]


def test_a_delivery_report_is_certain() -> None:
    """RFC 3462 reports are a mail system's, whatever they quote."""
    report = (
        b"From: Mail Delivery <mailer-daemon@relay.fr>\nTo: ada@lovelace.uk\nSubject: Undelivered\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        b"--b\n\nHi Charles, it could not be delivered.\n--b\n"
        b"Content-Type: message/delivery-status\n\nStatus: 5.1.1\n--b--\n"
    )
    result = mailflows.classify(report)
    assert result.flow == Flow.TRANSACTIONAL
    assert result.reasons[0].code == "rule-delivery-report"


def test_a_result_shows_itself_as_line_data_and_table() -> None:
    """`str` is one line, `to_dict` is JSON, and the table escapes what a message says."""
    result = mailflows.classify(NEWSLETTER)
    assert "\n" not in str(result)
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()
    html = result._repr_html_()
    assert html.count("<tr>") == 1 + 3 + 1 + len(result.reasons)
    assert "<script" not in html
    assert result.machine_made == pytest.approx(1 - result.probabilities[Flow.PROFESSIONAL])
    assert result.marketing_if_machine_made > 0.5
    assert pickle.loads(pickle.dumps(result)) == result


def test_the_wording_is_named_in_the_messages_own_words() -> None:
    """The words stand in the message as they are quoted, and never as the first reason."""
    text = (
        "From: Shop <noreply@shop.example>\nTo: ada@lovelace.uk\nSubject: Your order 40812 has shipped\n\n"
        "Hello,\n\nyour order 40812 was handed to the carrier. Your tracking number is 8L40021.\n\n"
        "This message was sent automatically, please do not reply."
    )
    result = mailflows.classify(text)
    quoted = [seen for reason in result.reasons for seen in reason.evidence]
    assert "noreply@shop.example" in quoted
    assert all(seen in text for seen in quoted)
    assert result.reasons[0].code != "wording"
    (wording,) = [reason for reason in result.reasons if reason.code == "wording"]
    assert re.fullmatch('".+" in the (text|subject).*: words typical of transactional mail', wording.sentence)
    assert not any("http" in seen for seen in wording.evidence)


def test_no_reason_is_a_sum_or_a_pair(root: Path) -> None:
    """What is folded away stands in the rest; each code is one fact, for the flow before against it."""
    classifier = Classifier()
    for path in islice(sorted((root / "corpus").glob("*/*/*.eml")), 0, None, 17):
        reasons = classifier.classify(path).reasons
        codes = [reason.code for reason in reasons]
        assert not {"start", "others"} & set(codes)
        assert len(codes) == len(set(codes)) <= 9
        assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)
        sides = [(reason.weight or 0.0) < 0 for reason in reasons]
        assert sides == sorted(sides)


def test_words_that_speak_for_a_flow_are_typical_of_it(root: Path) -> None:
    """A reason for one flow never calls its words typical of another."""
    classifier = Classifier()
    for path in islice(sorted((root / "corpus").glob("*/*/*.eml")), 0, None, 7):
        result = classifier.classify(path)
        for reason in result.reasons:
            if reason.code == "wording" and (reason.weight or 0.0) > 0:
                assert reason.sentence.endswith(f"words typical of {result.likely} mail"), path


def test_reasons_are_only_worked_out_when_they_are_read() -> None:
    """A pickled verdict carries its reasons, and no model."""
    result = mailflows.classify(NEWSLETTER)
    assert not isinstance(result._why, tuple)
    copy = pickle.loads(pickle.dumps(result))
    assert copy.reasons == result.reasons
    assert len(pickle.dumps(result)) < 10_000


def test_a_paragraph_explains_the_verdict_without_a_manual() -> None:
    """It says the flow and how sure that is, with facts; where it is unsure, what is missing."""
    sure = mailflows.classify(NEWSLETTER).explain()
    assert sure.startswith("This is marketing mail (over 99% sure). In favour of marketing: ")
    assert not any(word in sure for word in ("log odds", "signal", "None", "logit"))
    unsure = Classifier(threshold=0.999).classify(
        b"From: a@b.example\nSubject: Invoice\n\nPlease see the file."
    )
    assert unsure.flow is None
    assert "the threshold is 99.9%" in unsure.explain()
    assert mailflows.classify(b"").explain().startswith("No flow could be determined: ")


def test_every_verdict_names_the_model() -> None:
    """Name and digest, also for what cannot be read and for rules without a model."""
    digest = Classifier().model.about["digest"]
    for source in (PERSON, b""):
        assert mailflows.classify(source).model_version == f"mailflows {digest[:12]}"
    assert re.fullmatch(r"heuristics [0-9a-f]{12}", Classifier.heuristic().classify(PERSON).model_version)


def test_many_messages_come_back_in_order_one_by_one() -> None:
    """The iterator is lazy: an endless input gives its first results."""

    def endless() -> Iterator[bytes]:
        while True:
            yield PERSON
            yield RESET

    flows = [r.flow for r in islice(Classifier().classify_many(endless()), 4)]
    assert flows == [Flow.PROFESSIONAL, Flow.TRANSACTIONAL] * 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_processes_give_the_same_answers_as_one() -> None:
    """Chunks through joblib keep the order and the numbers."""
    messages = [PERSON, NEWSLETTER, RESET] * 100
    classifier = Classifier()
    alone = [r.to_dict() for r in classifier.classify_many(messages)]
    together = [r.to_dict() for r in classifier.classify_many(messages, n_jobs=2)]
    assert alone == together


def test_processes_do_not_work_reasons_out() -> None:
    """A run that looks at flows alone pays for no reasons in other processes either."""
    results = list(Classifier().classify_many([PERSON, NEWSLETTER, b""] * 70, n_jobs=2))
    assert not any(isinstance(result._why, tuple) for result in results if result.likely)
    assert results[0].reasons == mailflows.classify(PERSON).reasons


def test_classifying_loads_no_heavy_package() -> None:
    """A sender never pays for scikit-learn, numpy or joblib."""
    code = (
        "import sys, mailflows;"
        "mailflows.classify(b'From: a@b.fr\\nSubject: x\\n\\nhttps://b.fr');"
        "print(sorted({'sklearn', 'numpy', 'scipy', 'joblib', 'dns', 'pickle'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_mutated_messages_never_raise(root: Path) -> None:
    """A seeded slice of the hundred thousand mutations that tasks/fuzz.py runs."""
    chance = random.Random(20261123)
    classifier = Classifier()
    originals = [p.read_bytes() for p in islice(sorted((root / "corpus").glob("*/*/*.eml")), 0, None, 23)]
    for _ in range(1500):
        result = classifier.classify(mutated(chance.choice(originals), chance))
        assert 0 <= result.confidence <= 1


def test_a_path_where_a_model_is_wanted_is_refused() -> None:
    """The error names the way to load a file."""
    with pytest.raises(ConfigurationError, match=r"Classifier\.load"):
        Classifier("my.json")  # type: ignore[arg-type]


@pytest.mark.parametrize("sources", ["text", b"bytes"])
def test_one_message_is_not_many(sources: str | bytes) -> None:
    """A string would be read letter by letter."""
    with pytest.raises(ConfigurationError, match="classify"):
        Classifier().classify_many(sources)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="n_jobs"):
        Classifier().classify_many([PERSON], n_jobs=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_open_files_are_read_before_they_travel(tmp_path: Path) -> None:
    """Processes cannot share a handle."""
    path = tmp_path / "a.eml"
    path.write_bytes(RESET)
    with path.open("rb") as handle:
        (result,) = Classifier().classify_many([handle], n_jobs=2)
    assert result.flow == Flow.TRANSACTIONAL


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a@b.c\nSubject: =?iso-2022-jp-2?q?=1B=2E=4A=1B=4E=40?=\n\nhi",
        b"From: a@b.c\nSubject: x\nContent-Type: text/plain; charset=iso-2022-jp-2\n\n\x1b.J\x1bN@",
        (
            b'From: a@b.c\nSubject: =?utf-7?q?+2AA-?=\nContent-Type: text/plain; charset="=?utf-7?q?+2AA-?="'
            b"\n\nhi"
        ),
    ],
    ids=["a broken escape in a word", "in a body", "half a character"],
)
def test_charsets_that_break_decoders_give_an_answer_that_can_be_written(raw: bytes) -> None:
    """Python's own decoder raises RuntimeError on some ISO-2022 sequences."""
    result = mailflows.classify(raw)
    assert json.dumps(result.to_dict(), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("header", [b"Auto-Submitted: no; reply-by=monday", b"Content-Type: text/x-report"])
def test_a_certain_case_needs_the_exact_header(header: bytes) -> None:
    """A newsletter is not a report because a word occurs in a header."""
    result = mailflows.classify(b"From: news@shop.fr\nSubject: -50 %\n" + header + b"\n\nSoldes")
    assert not any(reason.code.startswith("rule-") for reason in result.reasons)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_missing_file_does_not_end_a_run(tmp_path: Path, n_jobs: int) -> None:
    """It is unsure with its reason, and the others keep their answers."""
    sources: list[Any] = [PERSON, tmp_path / "missing.eml", RESET]
    first, second, third = Classifier().classify_many(sources, n_jobs=n_jobs)
    assert first.flow == Flow.PROFESSIONAL
    assert "missing.eml" in second.reasons[0].sentence
    assert third.flow == Flow.TRANSACTIONAL


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_processes_do_not_read_an_endless_input_ahead() -> None:
    """What is read is bounded by what is taken."""
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield PERSON

    results = Classifier().classify_many(endless(), n_jobs=2)
    assert next(results).flow == Flow.PROFESSIONAL
    assert read <= 1000
    cast("Generator[object]", results).close()


def test_words_that_nobody_uses_are_not_kept_for_ever() -> None:
    """The memory of tokens is bounded."""
    lexicon = words._lexicon("en")
    for number in range(60):
        words.find(lexicon, tuple(f"unsubscribe{number}x{i}" for i in range(1000)))
    assert len(lexicon.starts) <= words._MAX_KNOWN + 1
