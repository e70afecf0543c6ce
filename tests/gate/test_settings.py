"""``flows.toml``: the tables that say which parts a gate has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mailflows import ConfigurationError, Flow, Gate
from mailflows.gate import GateDecision
from mailflows.limits import Limiter, MemoryStore
from three_flows import newsletter, reset

if TYPE_CHECKING:
    from pathlib import Path

FLOWS = """\
[flows.transactional]
domains = ["notify.lovelace.example"]
[flows.marketing]
domains = ["news.lovelace.example"]
"""


def written(folder: Path, tables: str = "") -> Path:
    """Write a file of settings."""
    file = folder / "flows.toml"
    file.write_text(FLOWS + tables)
    return file


def test_the_flows_alone_make_a_gate(tmp_path: Path) -> None:
    """Five lines protect: all that needs no decision of the user is on, and nothing asks the network."""
    gate = Gate.from_toml(written(tmp_path))
    assert gate.check(reset(), flow="transactional")
    assert not gate.check(newsletter(), flow="transactional")
    assert gate.recipients is not None
    assert gate.recipients.dns is False
    assert all((gate.suppressions, gate.reputation, gate.senders, gate.templates))
    assert all(gate.limiter_of(flow) is None for flow in Flow)


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    """Every table and key is heard."""
    file = written(
        tmp_path,
        """
[gate]
store = "state.db"
dry_run = true
on_conflict = "reject"
senders = false
templates = false
on_error = { scanners = "accept" }
[limits]
transactional = "web_form"
marketing = "campaign"
on_error = "deny"
[recipients]
dns = true
budget = 2
[guard]
flag_recipients = 5
kinds = { review-request = "transactional" }
[classifier]
heuristic = true
threshold = 0.8
""",
    )
    gate = Gate.from_toml(file)
    assert (tmp_path / "state.db").exists() or gate.check(reset(), flow="transactional")
    assert (gate.dry_run, gate._parts.on_conflict, gate.senders, gate.templates) == (
        True,
        GateDecision.REJECT,
        None,
        None,
    )
    assert gate._parts.on_error["scanners"] is GateDecision.ACCEPT
    assert isinstance(gate.limiter_of(Flow.TRANSACTIONAL), Limiter)
    assert gate.limiter_of(Flow.PROFESSIONAL) is None
    assert gate._parts.recipients_budget == 2.0
    assert gate._parts.guard_settings is not None
    assert gate._parts.guard_settings.flag_recipients == 5


def test_arguments_go_before_the_file(tmp_path: Path) -> None:
    """A test gives its own store and no dry run."""
    file = written(tmp_path, '[gate]\nstore = "state.db"\ndry_run = true\n')
    Gate.from_toml(file, store=MemoryStore(), dry_run=False).check(reset(), flow="transactional")
    assert [path.name for path in tmp_path.iterdir()] == ["flows.toml"]


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ("[gate]\ndry_runs = true\n", "line 6: [gate] unknown key dry_runs: did you mean dry_run?"),
        ("[gate]\nxyz = 1\n", "unknown key xyz: choose from store"),
        ('[gate]\ndry_run = "yes"\n', "line 6: [gate] dry_run must be true or false or a list; got 'yes'"),
        (
            '[gate]\non_conflict = "perhaps"\n',
            "flows.toml, line 6: on_conflict must be one of accept, defer, hold, reject",
        ),
        ('[gate]\non_error = { dns = "accept" }\n', "on_error must name parts, which are message"),
        (
            '[limits]\ntransactional = "form"\n',
            "line 6: [limits] transactional must be a preset, or a provider",
        ),
        ('[limits]\nmarketting = "campaign"\n', "did you mean marketing?"),
        ('[limits]\nprofessional = "professional"\n', "professional, which has no route"),
        ("[recipients]\nbudget = true\n", "budget must be a number"),
        ("[guard]\nflag_recipients = 500\n", "it would never flag"),
        ("[classifier]\nthreshold = 2.0\n", "threshold"),
        ("[gates]\n", "line 5: unknown table [gates]: did you mean gate?"),
        ("[gate\n", "flows.toml: "),
        ('[classifier]\nmodel = "gone.json"\n', "line 6: [classifier] model: there is no file"),
        ('[gate]\nstore = "mysql://x"\n', "line 6: [gate] store is a file, or redis://host:port/0"),
        ('[gate]\nstore = "redis://u:hush@x"\n', "does not belong in a file"),
        ("gate = 1\n", "flows.toml"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, tables: str, said: str) -> None:
    """The error names the file, the line or the key, and what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        Gate.from_toml(written(tmp_path, tables))
    assert said in str(caught.value)
    assert "hush" not in str(caught.value)


def test_state_is_kept_for_the_owner_only(tmp_path: Path) -> None:
    """The file of the store holds mail and hashes of addresses: nobody else reads it."""
    Gate.from_toml(written(tmp_path, '[gate]\nstore = "state.db"\n'))
    assert (tmp_path / "state.db").stat().st_mode & 0o077 == 0


def test_redis_keeps_it_for_several_machines(tmp_path: Path, redis_server: Any) -> None:
    """What one gate holds, another knows, and what is released leaves there."""
    file = written(tmp_path, f'[gate]\nstore = "redis://127.0.0.1:{redis_server.port}/0"\n')
    stranger = reset(sender="Eve <eve@elsewhere.example>").as_bytes()
    first, second = Gate.from_toml(file), Gate.from_toml(file)
    held = first.check(stranger).held
    assert second.held is not None
    (one,) = second.held.list()
    assert (one.id, str(one).split()[2]) == (held, "eve@elsewhere.example")
    second.held.release(one.id, flow="transactional")
    assert first.check(stranger)
    for gate in (first, second):
        gate.held.forget("eve@elsewhere.example")  # type: ignore[union-attr]
