"""``mailflows limits``: list the limits of a gate, show or reset counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailflows._rates import duration
from mailflows._result import to_text
from mailflows.cli._store import store_to_look_at
from mailflows.cli._terminal import STATUS, complain, say, say_json, settings_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from mailflows.limits import Limiter

__all__ = ["add_command"]

KEYS = {
    "to": "the address of a recipient",
    "client": "the IP address of a visitor",
    "account": "the name of an account",
    "form": "the name of a form",
    "template": "the name of a template",
    "campaign": "the name of a mailing",
    "tenant": "the name of a tenant",
}

_NO_CLIENT = ", no client"
"""What is said behind a flow for the limits of a preset that are for background jobs."""

_NO_LIMITS = (
    "no limits: [limits] in the file names a preset for each flow, such as transactional = 'web_form'"
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    limits = commands.add_parser(
        "limits",
        help="list the limits of a gate, show or reset counters",
        description="List the limits of a gate, and show or reset the counters of a key.",
        epilog=STATUS,
    )
    verbs = limits.add_subparsers(required=True, metavar="VERB")
    for name, text in (
        ("list", "list the limits"),
        ("show", "show what remains for a key, such as --to ada@example.org"),
        ("reset", "reset the counters of a key"),
    ):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("file", metavar="FLOWS.toml", help="the file of the gate")
        if name != "list":
            _add_keys(verb)
        verb.add_argument("--json", action="store_true", help="write JSON")
        verb.set_defaults(run=_run, verb=name)


def _add_keys(verb: argparse.ArgumentParser) -> None:
    for key, what in KEYS.items():
        names = [f"--{key}", *(["--recipient"] if key == "to" else [])]  # as a rule says it
        verb.add_argument(
            *names, metavar="VALUE", help=f"{what}, in plain text; it is hashed before the lookup"
        )


def _run(options: argparse.Namespace) -> int:
    from mailflows._stores._read_only import ReadOnlyStore  # noqa: PLC0415
    from mailflows.gate._place import store_from_file  # noqa: PLC0415 -- only for this command
    from mailflows.gate._settings import parts_from_file  # noqa: PLC0415

    file = settings_of(options.file)
    if file is None:
        return 2
    store = store_from_file(file) if options.verb == "reset" else ReadOnlyStore(store_to_look_at(file))
    limiters = _limiters(parts_from_file(file, store).get("limiter"))
    if options.verb == "list":
        return _list(limiters, as_json=options.json)
    keys = {key: value for key in KEYS if (value := getattr(options, key)) is not None}
    if not keys:
        complain(f"limits {options.verb} needs one of --{', --'.join(KEYS)}")
        return 2
    return (_show if options.verb == "show" else _reset)(limiters, keys, as_json=options.json)


def _limiters(found: Any) -> Mapping[str, Limiter]:  # noqa: ANN401 -- one limiter, or one for each flow
    if found is None:
        return {}
    limiters = {str(flow): one for flow, one in found.items()} if isinstance(found, dict) else {"all": found}
    background = {f"{flow}{_NO_CLIENT}": one.background for flow, one in limiters.items() if one.background}
    return limiters | background


def _list(limiters: Mapping[str, Limiter], *, as_json: bool) -> int:
    rows = [
        (flow, str(rate), limit.kind, limit.of or limit.counts, promise)
        for flow, limiter in limiters.items()
        for limit in limiter.limits
        for rate, promise in zip(limit.rates, limit.guarantees, strict=True)
    ]
    _print(("flow", "rate", "per", "counts", "guarantee"), rows, none=_NO_LIMITS, as_json=as_json)
    return 0


def _show(limiters: Mapping[str, Limiter], keys: dict[str, Any], *, as_json: bool) -> int:
    rows = [
        (flow, one.rule, one.remaining, one.limit, one.reset_after)
        for flow, limiter in limiters.items()
        for one in limiter.show(**keys)
        if not flow.endswith(_NO_CLIENT) or one.remaining < one.limit
    ]
    header = ("flow", "rule", "remaining", "limit")
    if as_json:
        seconds = [(*row[:-1], round(row[-1], 1)) for row in rows]
        _print((*header, "reset_after"), seconds, as_json=True)
    else:
        words = [(*row[:-1], duration(row[-1]) if row[-1] else None) for row in rows]
        none = f"no limit counts by {' or '.join(keys)}" if limiters else _NO_LIMITS
        _print((*header, "full again in"), words, none=none)
    return int(not rows)


def _reset(limiters: Mapping[str, Limiter], keys: dict[str, Any], *, as_json: bool) -> int:
    rows = [(flow, limiter.reset(**keys)) for flow, limiter in limiters.items()]
    _print(("flow", "counters"), rows, none=_NO_LIMITS, as_json=as_json)
    return int(not any(number for _, number in rows))


def _print(header: tuple[str, ...], rows: list[Any], *, none: str = "", as_json: bool = False) -> None:
    if as_json:
        say_json([dict(zip(header, row, strict=True)) for row in rows])
    else:
        say(to_text(header, rows) if rows else none)
