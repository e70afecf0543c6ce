"""Mutate a part of the library and count the mutants that its tests notice.

Usage: python tasks/mutation.py PART [--sample 150] [--seed 1] [--show] [--survivors]
       python tasks/mutation.py named

A seeded sample of the part's mutants (`tasks/mutants.py`) is run against those tests of its lane that execute
the changed line; a mutant is killed by the first that fails, or by taking far longer than the tests do.
Everything happens in a copy of the checkout. The tests are collected once; each mutant is a fork in which the
changed functions get their new code, so that it costs no start of Python. Writes the part's figures into
benchmarks/results/mutation.json, with the survivors; those that no test can notice are listed, with the
reason, in tasks/equivalent_mutants.toml, and count neither way. ``named`` runs those of
tasks/named_mutants.toml.
Not run by the tests: a part takes minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import coverage
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mutants import Mutant, mutants_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Covering = dict[str, dict[int, list[str]]]

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "mutation.json"
SOURCE = "src/mailflows"
CACHED = type(functools.cache(lambda: None))

# What is mutated, and the tests that are to notice: lanes of CONTRIBUTING.md, and examples in docstrings.
PARTS: dict[str, tuple[list[str], list[str]]] = {
    # Not against the races of tests/stores/test_concurrency.py: on a busy machine they fail by themselves.
    "limits": (
        ["limits", "_stores"],
        [
            *("tests/limits", "tests/stores", "--ignore=tests/stores/test_concurrency.py"),
            "--deselect=tests/stores/test_meters.py::test_a_million_values_within_two_percent",  # slow
        ],
    ),
    "feedback": (["feedback"], ["tests/feedback"]),
    "reader": (
        ["_mail", "message.py"],
        ["tests/mail", "tests/test_message.py", "tests/classifier/test_archives.py"],
    ),
    "gate": (
        ["gate"],
        [
            *("tests/gate", "tests/held"),
            *(f"tests/cli/test_{name}.py" for name in ("gate", "held", "status", "store")),
            *("tests/integrations/test_smtplib.py", "tests/integrations/test_mail_log.py"),
            "--ignore=tests/gate/test_containment.py",  # slow: whole days of mail
        ],
    ),
    # Not by two tests that take longer than all others together: no mutant is worth that.
    "recipients": (
        ["recipients"],
        [
            *("tests/recipients", "tests/dns"),
            "--deselect=tests/recipients/test_syntax.py::test_generated_strings_are_read_as_email_validator_reads_them",
            "--deselect=tests/recipients/test_list.py::test_memory_stays_flat",
        ],
    ),
    "classifier": (["classifier", "signals"], ["tests/classifier", "tests/signals"]),
    "content": (["content"], ["tests/content"]),
    "tracking": (["tracking"], ["tests/tracking", "tests/test_token.py"]),
}
MEMORY = 4 << 30  # bytes: a mutant that gathers for ever ends itself before the machine does
EXAMPLES = "25"  # of each property: what 25 do not notice, is mostly not noticed by 200
QUICK = 0.2  # seconds: slower tests run after all others, as those have mostly noticed by then
PATIENCE = 5  # a mutant may take so many times as long as the tests, and ten seconds more


def main() -> int:
    """Mutate a part, and write what its tests noticed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("part", choices=[*PARTS, "named"])
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print every survivor")
    parser.add_argument("--survivors", action="store_true", help="only those that survived last time")
    options = parser.parse_args()
    if options.part == "named":
        return named()
    sources, tests = PARTS[options.part]
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        tree = Path(folder) / "checkout"
        copy_checkout(tree)
        os.chdir(tree)
        files = [file for name in sources for file in python_files(tree / SOURCE / name)]
        every = [made for file in files for made in mutants_of(file, tree)]
        drawn = random.Random(options.seed).sample(every, min(options.sample, len(every)))
        sample = [made() for made in drawn]
        killed = 0
        if options.survivors:  # tests were added, and the code is the same: what was killed is killed
            known = {(s["path"], s["before"], s["after"]) for s in recorded()[options.part]["survivors"]}
            killed = sum(mutant.key not in known for mutant in sample)
            sample = [mutant for mutant in sample if mutant.key in known]
        runner = Runner(tree, sample, covering_tests(tree, files, tests, Path(folder) / "coverage"))
        sys.path.insert(0, str(tree / "src"))
        os.environ["PYTHONPATH"] = str(tree / "src")
        os.environ["MAILFLOWS_EXAMPLES"] = EXAMPLES
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        pytest.main(arguments(files, tests, tree), plugins=[runner])
    figures = summary(sample, runner.outcomes, killed) | {"of": len(every), "seed": options.seed}
    record(options.part, figures)
    for mutant in sample if options.show else ():
        if runner.outcomes.get(mutant) == "survived":
            print(mutant)
    print(json.dumps({name: value for name, value in figures.items() if name != "survivors"}))
    return 0 if len(runner.outcomes) == len(sample) else 1


def named() -> int:
    """Make each change that has a name; return how many the tests of its lane do not notice."""
    noticed = {}
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        tree = Path(folder) / "checkout"
        copy_checkout(tree)
        for row in tomllib.loads((ROOT / "tasks" / "named_mutants.toml").read_text("utf-8"))["mutant"]:
            file = tree / row["path"]
            text = file.read_text("utf-8")
            if text.count(row["before"]) != 1:
                raise SystemExit(f"{row['path']} does not hold once: {row['before']}")
            file.write_text(text.replace(row["before"], row["after"]), "utf-8")
            ran = ran_pytest(tree, ["-x", *arguments([], row["tests"], tree)])
            file.write_text(text, "utf-8")
            noticed[row["about"]] = ran.returncode == 1
            print("noticed" if noticed[row["about"]] else "NOT NOTICED", row["about"], flush=True)
    record("named", {"noticed": noticed})
    return sum(not is_noticed for is_noticed in noticed.values())


def ran_pytest(tree: Path, given: list[str]) -> subprocess.CompletedProcess[str]:
    """Run tests of a copy in a process of their own."""
    command = [sys.executable, "-m", "pytest", *given]
    env = os.environ | {"PYTHONPATH": str(tree / "src"), "MAILFLOWS_EXAMPLES": EXAMPLES}
    return subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False)  # noqa: S603


def copy_checkout(tree: Path) -> None:
    """Copy what git knows of the checkout, changes included."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode()  # noqa: S603
    for name in found.split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)


def python_files(path: Path) -> list[Path]:
    """Return the modules of a package, or the one module."""
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def arguments(files: Iterable[Path], tests: Sequence[str], tree: Path) -> list[str]:
    """Return the arguments of pytest for a lane and the examples of the files."""
    return [
        "-q",
        "-n0",
        "--no-cov",
        "-p",
        "no:cacheprovider",
        *tests,
        *(str(f.relative_to(tree)) for f in files),
    ]


def covering_tests(tree: Path, files: Sequence[Path], tests: Sequence[str], data: Path) -> Covering:
    """Run the lane once with coverage; return, for each file and line, the tests that execute it."""
    settings = data.with_suffix(".ini")
    wanted = "\n  ".join(map(str, files))
    settings.write_text(f"[run]\ndata_file = {data}\ninclude =\n  {wanted}\n", "utf-8")
    given = [argument for argument in arguments(files, tests, tree) if argument != "--no-cov"]
    given += [f"--cov-config={settings}", "--cov-context=test", "--cov-report="]
    ran = ran_pytest(tree, given)
    if ran.returncode:
        raise SystemExit(
            f"the tests fail before anything is changed:\n{ran.stdout[-3000:]}{ran.stderr[-1000:]}"
        )
    read = coverage.CoverageData(str(data))
    read.read()
    return {
        str(file.relative_to(tree)): {
            line: [context.split("|")[0] for context in contexts if context]
            for line, contexts in read.contexts_by_lineno(str(file)).items()
        }
        for file in files
    }


class Runner:
    """A plugin of pytest that runs, instead of the tests, each mutant against the tests that cover it."""

    def __init__(self, tree: Path, sample: Sequence[Mutant], covering: Covering) -> None:
        self.tree = tree
        self.sample = sample
        self.covering = covering
        self.outcomes: dict[Mutant, str] = {}
        self._is_first_failure_the_end = self._is_control = False
        self._seconds: defaultdict[str, float] = defaultdict(float)  # of each test, as the control measured

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """End a mutant's process with the first test that fails."""
        self._seconds[report.nodeid] += report.duration
        if report.failed and self._is_first_failure_the_end:
            if self._is_control:
                print(report.longreprtext, file=sys.stderr)
            os._exit(1)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run every mutant in a fork of what pytest has collected."""
        items = {item.nodeid: item for item in session.items}
        # The control changes nothing, and goes the same way: what fails here would be a kill that is none.
        started = time.monotonic()
        first = self.sample[0].path
        control = Mutant(first, 0, "control", "", "", (self.tree / first).read_text("utf-8"))
        untouched = self._forked(list(items.values()), control, 3600)
        whole = time.monotonic() - started
        if untouched != "survived":
            pytest.exit(f"the tests fail before anything is changed ({untouched}): see above", returncode=2)
        self._seconds.update(json.loads(self._measured.read_text("utf-8")))
        for number, mutant in enumerate(self.sample):
            names = self._in_order(mutant)
            chosen = [items[name] for name in names if name in items]
            share = len(chosen) / len(items)
            self.outcomes[mutant] = self._forked(chosen, mutant, 10 + PATIENCE * whole * max(share, 0.2))
            print(
                f"{number + 1}/{len(self.sample)} {self.outcomes[mutant]} {len(chosen)} {mutant}",
                file=sys.stderr,
            )
        return True

    @property
    def _measured(self) -> Path:
        """The file by which the control's process says what each test takes."""
        return self.tree.parent / "seconds.json"

    def _in_order(self, mutant: Mutant) -> list[str]:
        """Return the tests of the changed lines, quick ones first: one case of each, then the others."""
        lines = self.covering.get(mutant.path, {})
        found = lines.get(mutant.line)
        if found == []:  # it ran while the module was loaded, and a cache kept what it returned
            found = [name for names in lines.values() for name in names]
        names = dict.fromkeys(found or ())
        seen: Counter[str] = Counter()
        turns = []
        for name in names:
            function = name.split("[")[0]
            turns.append((self._seconds[name] > QUICK, seen[function], name))
            seen[function] += 1
        return [name for *_, name in sorted(turns)]

    def _forked(self, chosen: list[pytest.Item], mutant: Mutant, patience: float) -> str:
        """Return what became of a mutant: killed, timed out, or survived."""
        if not chosen:
            return "survived"
        sys.stdout.flush()
        child = os.fork()
        if not child:
            os.setsid()  # with the servers that its fixtures start, to be ended together
            self._child(chosen, mutant)
        status = _waited(child, patience)
        if status is None:
            return "timed out"
        return "survived" if status == 0 else "killed"

    def _child(self, chosen: list[pytest.Item], mutant: Mutant) -> None:
        """Run the tests with the mutant's code, and end the process."""
        try:
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            install(mutant, self.tree)
            self._is_first_failure_the_end, self._is_control = True, mutant.kind == "control"
            chosen[0].config.pluginmanager.unregister(name="terminalreporter")
            for item, following in zip(chosen, [*chosen[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._is_control:
                self._measured.write_text(json.dumps(self._seconds), "utf-8")
        except BaseException as problem:  # noqa: BLE001 -- whatever a mutant does, the fork ends here
            if self._is_control:
                print(repr(problem), file=sys.stderr)
            os._exit(1)
        os._exit(0)


def _waited(child: int, patience: float) -> int | None:
    """Return the status of a process once it has ended; None where it had to be ended."""
    until = time.monotonic() + patience
    status = None
    while time.monotonic() < until:
        pid, code = os.waitpid(child, os.WNOHANG)
        if pid:
            status = code
            break
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if status is None:
        os.waitpid(child, 0)
    return status


def install(mutant: Mutant, tree: Path) -> None:
    """Give the changed functions of a loaded module the mutant's code, and empty the caches of all."""
    path = tree / mutant.path
    path.write_text(mutant.source, "utf-8")  # for the tests that start a process
    # Not compared as a whole: code that ran differs from code that did not, by the interpreter's own notes.
    new = {_place(code): code for code in _walk(compile(mutant.source, str(path), "exec", dont_inherit=True))}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename == str(path):
            thing.__code__ = new[_place(thing.__code__)]
        elif isinstance(thing, CACHED) and thing.__module__.startswith("mailflows"):
            thing.cache_clear()


def _place(code: CodeType) -> tuple[str, int, tuple[str, ...]]:
    """Return what tells a function from the others of its module, and stays in a mutant."""
    return code.co_qualname, code.co_firstlineno, code.co_varnames


def _walk(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all that it holds."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _walk(constant)


def summary(sample: Sequence[Mutant], outcomes: dict[Mutant, str], killed: int) -> dict[str, Any]:
    """Return the figures of a part, what was killed before among them, with the survivors."""
    listed = tomllib.loads((ROOT / "tasks" / "equivalent_mutants.toml").read_text("utf-8"))["mutant"]
    equivalent = {(row["path"], row["before"], row["after"]) for row in listed}
    survived = [mutant for mutant in sample if outcomes.get(mutant) == "survived"]
    telling = [mutant for mutant in survived if mutant.key not in equivalent]
    noticed = killed + len(outcomes) - len(survived)
    return {
        "mutants": killed + len(outcomes),
        "killed": noticed,
        "of which by time": sum(outcome == "timed out" for outcome in outcomes.values()),
        "equivalent": len(survived) - len(telling),
        "survived": len(telling),
        "share killed": round(noticed / max(1, noticed + len(telling)), 3),
        "survivors": [
            {"path": m.path, "line": m.line, "kind": m.kind, "before": m.before, "after": m.after}
            for m in sorted(telling, key=lambda mutant: (mutant.path, mutant.line))
        ],
    }


def recorded() -> dict[str, Any]:
    """Return the figures of all parts so far."""
    found: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    return found


def record(part: str, figures: dict[str, Any]) -> None:
    """Write a part's figures beside those of the others."""
    kept = recorded()
    kept[part] = {
        "date": datetime.now(UTC).date().isoformat(),
        "mutmut": metadata.version("mutmut"),
    } | figures
    RESULTS.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
