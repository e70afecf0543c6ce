"""The event loop goes on while a gate looks at a message."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import asyncio, sys
from mailflows import Gate
from mailflows.flows import FlowRoute, FlowSet
gate = Gate(FlowSet(FlowRoute("transactional", domains="example.org")))
before = set(sys.modules)
reset = b"From: a@example.org\\nTo: b@example.net\\nSubject: Reset\\n\\nyour code is 406117.\\n"
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
assert asyncio.run(gate.acheck(reset, flow="transactional"))
print(sorted(str(name) for name in opened if "mailflows" in str(name)))
print(sorted(name for name in set(sys.modules) - before if name.startswith("mailflows")))
"""


def test_the_first_check_reads_no_file() -> None:
    """Model, word lists and suffixes were read when the gate was made: the loop does not wait for them."""
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.splitlines()) == (0, ["[]", "[]"]), ran.stderr
