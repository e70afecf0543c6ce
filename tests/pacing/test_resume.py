"""A run that is killed, and two runs of one name: nothing lost, nothing twice."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, cast

from mailflows.limits import MemoryStore
from mailflows.pacing import Pacer

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

RUN = """
import sys, time
from mailflows.limits import SQLiteStore
from mailflows.pacing import Pacer
folder, number = sys.argv[1], int(sys.argv[2])
pacer = Pacer(SQLiteStore(folder + "/run.db"), rates={"google": "100000/s"})
with open(folder + "/sent", "a", buffering=1) as sent:
    for to, slot in pacer.stream([f"{n}@gmail.com" for n in range(number)], resume="news"):
        sent.write(to + chr(10))
        time.sleep(0.002)
        slot.sent()
"""


def start(folder: Path, number: int) -> subprocess.Popen[bytes]:
    """Start a process that sends what is left of a run."""
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder), str(number)])


def sent(folder: Path) -> Counter[str]:
    """Return who was written to, and how often."""
    file = folder / "sent"
    return Counter(file.read_text().split()) if file.exists() else Counter()


def test_two_processes_share_one_name(tmp_path: Path) -> None:
    """Both send, and everybody is written to once."""
    both = [start(tmp_path, 120) for _ in range(2)]
    assert [process.wait(30) for process in both] == [0, 0]
    assert (len(sent(tmp_path)), max(sent(tmp_path).values())) == (120, 1)


def test_what_a_killed_process_had_is_given_again(tmp_path: Path) -> None:
    """At most the one message under way at each kill is given twice, and nobody is left out."""
    for kill in range(1, 4):
        process = start(tmp_path, 120)
        until = time.monotonic() + 20
        while sum(sent(tmp_path).values()) < 25 * kill and time.monotonic() < until:
            time.sleep(0.005)
        process.kill()
        process.wait(30)
    assert start(tmp_path, 120).wait(30) == 0
    found = sent(tmp_path)
    assert len(found) == 120
    assert sum(found.values()) - 120 <= 3


def test_a_second_run_in_the_same_process_shares() -> None:
    """Two streams side by side never give the same message; what the first leaves the next start has."""
    store = MemoryStore()
    people = [f"{n}@gmail.com" for n in range(20)]
    streams = [Pacer(store, rates={"google": "100000/s"}).stream(people, resume="news") for _ in range(2)]
    given = [to for pair in zip(*streams, strict=False) for to, _ in pair]
    assert len(given) == len(set(given)) == 20
    for stream in streams:
        cast("Generator[object]", stream).close()
    again = list(Pacer(store, rates={"google": "100000/s"}).stream(people, resume="news"))
    assert len(again) == 20  # none was told what became of it
