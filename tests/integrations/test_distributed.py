"""Many messages on a Dask cluster of processes, by joblib's own backend: a real cluster on loopback."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import pytest

from mailflows import Classifier
from mailflows.recipients import RecipientChecker

if TYPE_CHECKING:
    from collections.abc import Iterator

distributed = pytest.importorskip("distributed")

CORPUS = Path(__file__).resolve().parents[2] / "corpus"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Start two worker processes and a scheduler."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the event loops and sockets of dask, not of ours
        settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
        with distributed.LocalCluster(**settings) as cluster, distributed.Client(cluster) as found:
            yield found


@pytest.mark.filterwarnings("ignore")
def test_classify_many_on_a_cluster(client: Any) -> None:
    """The workers give the answers of one process, in order, and a file that is missing ends nothing."""
    files = sorted(CORPUS.rglob("*.eml"))[::9]
    messages: list[Any] = [file.read_bytes() for file in files] + [Path("missing.eml")]
    with joblib.parallel_config(backend="dask"):
        found = list(Classifier().classify_many(messages, n_jobs=2))
    alone = list(Classifier().classify_many(messages))
    assert [(one.flow, one.confidence) for one in found] == [(one.flow, one.confidence) for one in alone]
    assert found[-1].reasons[0].code == "defect-unreadable"
    assert len(client.scheduler_info()["workers"]) == 2


@pytest.mark.filterwarnings("ignore")
def test_check_list_on_a_cluster(client: Any) -> None:
    """A list is read by the workers and judged as one process judges it, row by row."""
    rows = [f"ada{number}@{'shop.fr' if number % 3 else 'gmial.com'}" for number in range(4000)]
    rows[7], rows[1234] = "not an address", rows[0]
    checker = RecipientChecker(dns=False)
    with joblib.parallel_config(backend="dask"):
        found = checker.check_list(rows, n_jobs=2)
    alone = checker.check_list(rows)
    facts = [(one.verdicts, one.duplicates, one.traits) for one in (found, alone)]
    assert facts[0] == facts[1]
    assert list(found.clean()) == list(alone.clean())
    assert client.status == "running"
