"""The tables of measured figures that stand in docs/; `write_figures.py` puts them there."""

from __future__ import annotations

import ast
import json
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailflows.flows._advert import known_kinds

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def result(name: str) -> dict[str, Any]:
    """Read a result file."""
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


def table(header: list[str], rows: list[list[object]]) -> str:
    """Set a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def number(value: float) -> str:
    """Write a share with three places."""
    return f"{value:.3f}"


def percent(value: float) -> str:
    """Write a share as a percentage with one place."""
    return f"{value * 100:.1f} %"


def limits() -> str:
    """Return what a decision costs in each store."""
    memory, sqlite, redis = result("limits_memory"), result("limits_sqlite"), result("limits_redis")
    peer = memory["fastest_correct_peer"]
    rows: list[list[object]] = []
    for count in ("1", "5"):
        times = memory[f"microseconds_{count}_rule{'s' * (count != '1')}"]
        rows += [
            [f"memory, {count} rule{'s' * (count != '1')}: `acquire`", f"{times['mailflows']} µs"],
            ["… the store alone", f"{times['mailflows engine']} µs"],
            [f"… {peer}, the fastest peer that passes the race tests", f"{times[peer]} µs"],
        ]
    for kind, words in (("steady", "a steady rate"), ("exact_3", "an exact window of 3")):
        rows.append([f"memory: bytes per key of {words}", memory[kind]["mean"]])
    rows.append(["memory: longest call while a million keys arrive", f"{memory['worst_pause_ms']} ms"])
    for processes, row in sqlite["processes"].items():
        said = f"{row['per_second']:,} a second, 99 % within {row['p99_ms']} ms"
        rows.append([f"SQLite, {processes} process{'es together' * (processes != '1')}", said])
    times = redis["microseconds_5_rules"]
    rows += [
        ["Redis on loopback, 5 rules, one command", f"{times['mailflows']} µs"],
        [f"… {redis['fastest_peer']}, five commands", f"{times[redis['fastest_peer']]} µs"],
    ]
    return table(["decision", "measured"], rows)


def senders() -> str:
    """Return what the default policy means for honest senders and for others."""
    found = result("sender_control")
    honest = found["invalid"]["honest"]
    who = (
        f"{honest['senders']:,} senders at {honest['share']:.0%} invalid, {honest['recipients']:,} recipients"
    )
    rows: list[list[object]] = [[who, f"{honest['blocked']} stopped"]]
    for share in ("0.1", "0.2", "0.3"):
        row = found["invalid"][f"share_{share}"]
        said = f"median after {row['median']:.0f}; {percent(row['within_50'])} within 50"
        rows.append([f"a sender at {float(share):.0%} invalid is stopped", said])
    words = {
        "free": "never stopped",
        "stop": "stopped in time",
        "tolerate": "sent",
        "refuse": "refused in time",
    }
    for row in found["scenarios"]:
        said = f"{percent(row['as_expected'])} {words[row['expect']]}"
        if row["expect"] == "stop":
            said += f", median after {row['let_through']:.0f} recipients"
        rows.append([row["name"], said])
    cost = found["cost"]
    rows.append(
        [
            "cost of a decision",
            f"{cost['acquires']:.0f} decisions of a limiter; {cost['bytes_per_sender']:,} bytes a sender",
        ]
    )
    return table(["simulated", "measured"], rows)


def pacing() -> str:
    """Return what the pacer makes of a provider whose capacity it does not know."""
    found = result("limits_pacing")
    rows: list[list[object]] = [
        [name, percent(run["capacity_used"]), percent(run["deferral_share"])]
        for name, run in found["runs"].items()
    ]
    rows += [[name, percent(run["used"]), percent(run["deferred"])] for name, run in found["replies"].items()]
    slowest = max(found["mixed"].values())
    mixed = f"Four providers in one campaign: the slowest takes {slowest:.2f} times as long as alone."
    return f"{table(['hidden capacity', 'used', 'deferred'], rows)}\n\n{mixed}"


def content() -> str:
    """Return how linting and repairing did on collected pages."""
    found, speed, bounds = (result(f"content_{name}") for name in ("quality", "speed", "bounds"))
    support, templates, pairs, fix = (found[k] for k in ("support", "templates", "pairs", "fix"))
    medians = {name: f"{row['microseconds'] / 1000:.1f} ms" for name, row in speed["medians"].items()}
    pixels, inlining = result("content_pixels"), bounds["inlining"]
    rows: list[list[object]] = [
        ["features on caniemail's pages that are reported", f"{support['named']} of {support['features']}"],
        [
            "warnings and errors per good template, mean and maximum",
            f"{templates['warnings_mean']:.1f}, {templates['warnings_most']}",
        ],
        ["pages that read the same after inlining", f"{pairs['equal']} of {pairs['pairs']}"],
        [
            "lowest agreement with SpamAssassin among the rules shared with it",
            percent(found["spamassassin"]["least"]),
        ],
        ["pages that a second repair changes", f"{fix['changed_by_second_run']} of {fix['pages']}"],
        [
            "pages that a browser shows the same after `fix`: pixels, text, links",
            f"{pixels['fix']['same']} of {pixels['pages']}",
        ],
        ["… after inlining alone", f"{pixels['inlined']['same']} of {pixels['pages']}"],
        [
            "time for inlining, relative to css-inline (written in Rust); with cold caches",
            f"{inlining['mailflows_ratio']:.1f}, {inlining['mailflows_cold_ratio']:.1f}",
        ],
        ["`lint`, per template, processor time", medians["lint"]],
        ["`fix`, per template, processor time", medians["fix"]],
        ["longest time for a megabyte of hostile markup", f"{bounds['worst_milliseconds']:.0f} ms"],
    ]
    return table(["on collected pages", "measured"], rows)


def flows() -> str:
    """Return how the guard and the templates over time did."""
    guard, templates = result("flows_guard"), result("flows_templates")
    rows: list[list[object]] = []
    for name in ("outside corpus", "open corpus"):
        row, where = guard[name]["refuse"], name.replace("outside", "collected")
        found, clean = percent(row["written blocks found"]), percent(row["clean"])
        rows.append(
            [f"a promotional block in transactional mail, {where}", f"{found} refused; {clean} of clean mail"]
        )
    for name in ("outside corpus", "outside pages", "open corpus"):
        row, where = templates[name], name.replace("outside", "collected")
        found, clean = percent(row["injected found"]), percent(row["clean flagged"])
        rows.append(
            [f"foreign text in a slot, templates of the {where}", f"{found} found; {clean} of clean mail"]
        )
    return table(["what was tried", "measured"], rows)


def kinds() -> str:
    """Return the kinds that the guard knows, with their places and sources."""
    rows: list[list[object]] = [
        [f"`{kind.name}`", kind.title, kind.place, kind.source] for kind in known_kinds().values()
    ]
    return table(["kind", "what it is", "place", "source"], rows)


def guard() -> str:
    """Return how the guard did on what was left out of training."""
    found = result("flows_guard")["kinds"]
    rows: list[list[object]] = []
    for group, name in (
        ("kept aside", "clean"),
        ("kept aside", "clean with a footer"),
        ("kept aside", "confirmations"),
        ("kept aside", "marketing"),
        ("kept aside", "marketing with a footer"),
        *(("whole mails", f"{side}, half {half}") for side in ("clean", "marketing") for half in "abcd"),
        ("texts left out", "clean"),
        ("texts left out", "clean with a footer"),
        ("texts left out", "marketing"),
        ("texts left out", "collected clean"),
        ("texts left out", "collected marketing"),
        ("languages left out", "clean"),
        ("languages left out", "marketing"),
    ):
        row = found[group][name]
        shares = [percent(row.get(said, 0.0)) for said in ("refuse", "flag", "allow")]
        where = group.replace("mails", "messages")
        rows.append([f"{name.replace('half', 'part')}, {where}", row["count"], *shares])
    alike = found["kept aside"]["marketing, alike in HTML"].get("True", 0.0)
    worst = found["kept aside"]["most clean messages refused in a kind or language"]
    return (
        table(["", "messages", "refused", "flagged", "allowed"], rows)
        + "\n\nText and HTML of the same marketing message get the same verdict in "
        f"{percent(alike)} of cases.\nClean texts kept aside that are refused in the worst kind or language: "
        f"{worst}."
    )


def tracking() -> str:
    """Return what holds for tokens, and how well intervals cover the truth."""
    forged, covered = result("forged_tokens"), result("tracking_intervals")
    counted, judged = result("tracking_stats"), result("tracking_hits")["audiences"]
    leaving, others = (result("tracking_leaving")[f"{kind}_unseen"] for kind in ("leaves", "other"))
    wilson, newcombe = (
        [percent(covered[name][key]) for key in ("mean", "lowest", "highest")]
        for name in ("wilson", "newcombe")
    )
    rows: list[list[object]] = [
        ["forged tokens that were accepted", f"{forged['accepted']} of {forged['mutations']:,}"],
        ["Wilson's interval contains the true share (goal 95 %), mean", wilson[0]],
        ["… lowest and highest of the cases", ", ".join(wilson[1:])],
        ["Newcombe's contains the true difference, mean", newcombe[0]],
        ["… lowest and highest (careful with few recipients)", ", ".join(newcombe[1:])],
        [
            "unsubscribe links of whole mailings, in new wordings, that are tracked",
            f"{leaving['tracked']} of {leaving['links']}",
        ],
        [
            "other links of these mailings that are not tracked",
            f"{others['links'] - others['tracked']} of {others['links']}",
        ],
        [
            f"hits judged right, worst of {len(judged)} kinds of simulated audiences",
            percent(min(row["right"] for row in judged.values())),
        ],
        [
            "… people's hits lost, scanners' hits counted as people's, at worst",
            ", ".join(percent(max(row[name] for row in judged.values())) for name in ("lost", "passed")),
        ],
        *(
            [
                f"{row['events']:,} events of {row['recipients']:,} recipients in random order",
                f"{row['events_per_second']:,} a second on one core, {row['peak_mb']} MB",
            ]
            for row in counted["runs"]
        ),
    ]
    return table(["simulated", "measured"], rows)


def breaker() -> str:
    """Return what the breakers do to clean flows and to bad senders."""
    found = result("flows_breaker")
    days, radius = found["clean_days"], found["one_flow_at_30_percent_invalid"]["messages_of_1000"]
    names = {
        "reputation": "`Reputation`",
        "sender_control": "`SenderControl`",
        "both": "both, as behind the gate",
        "best_possible": "Wald's test with one false alarm in 10,000",
    }
    rows: list[list[object]] = [
        ["clean days on which a flow is stopped", f"{days['false_trips']} of {days['days']}"]
    ]
    for name, row in found["sender_at_20_percent_invalid"].items():
        said = f"median {row['median']:.0f}, 90 % by {row['p90']}, {percent(row['within_50'])} within 50"
        rows.append([f"messages until a sender at 20 % invalid is stopped: {names[name]}", said])
    rows.append(
        [
            "messages of 1000 that pass, marketing at 30 % invalid",
            ", ".join(f"{f} {n}" for f, n in radius.items()),
        ]
    )
    return table(["simulated", "measured"], rows)


def sustained() -> str:
    """Return after how many mails a campaign stops whose bounce rate stays the same."""
    rows: list[list[object]] = []
    for row in result("flows_breaker")["sustained"]:
        median = f"{row['median']:,.0f}" if row["median"] else "-"
        ninth = f"{row['p90']:,}" if row["p90"] else "-"
        rows.append([percent(row["share"]), f"{row['stopped']} of {row['runs']}", median, ninth])
    head = ["bounces", "campaigns of 100,000 messages that are stopped", "median message", "nine in ten by"]
    return table(head, rows)


def containment() -> str:
    """Return what else is delayed while a form is bombed or a campaign is bad, through the whole gate."""
    found = result("containment")
    rows = []
    scenes = {name: scene for name, scene in found.items() if name.startswith(("a ", "two "))}
    for name, streams in scenes.items():
        bad = {one: row for one, row in streams.items() if one in {"signup", "contact", "bought list"}}
        good = [row for one, row in streams.items() if one not in bad]
        stopped = ", ".join(f"{one} after {row['sent']}" for one, row in bad.items())
        delayed = sum(row["messages"] - row["sent"] for row in good)
        rows.append([name, stopped, f"{delayed} of {sum(row['messages'] for row in good):,}"])
    return table(["what happens", "what is stopped, after how many messages", "other mail delayed"], rows)


def gate_speed() -> str:
    """Return what the gate costs."""
    found = result("gate_speed")
    parts = {
        "compat32_parse_cpu_ms": "parsing a message with the standard library, for comparison",
        "classification_cpu_ms": "reading and classifying it",
        "check_adds_cpu_ms": "what `check` adds, with every part, in memory",
        "without_templates_cpu_ms": "the same without `TemplateMemory`",
        "report_cpu_ms": "`report`",
    }
    rows: list[list[object]] = [[said, *found[name].values()] for name, said in parts.items()]
    return table(["milliseconds of processor time", "median", "p90", "p99"], rows)


def relays() -> str:
    """Return what stands between the gate and a relay costs, and what a killed handler loses."""
    found = result("relays")
    speed, cpu, kills = found["speed"], found["cpu_20_mb"], found["kills"]
    held = found["acheck_blocks"]
    lost = f"{kills['lost']} lost, {kills['duplicates']} twice, {kills['unknown']} unknown"
    rows: list[list[object]] = [
        [
            "messages a second with `GateSMTP`, relative to smtplib; without the check",
            f"{speed['ratio']:.2f}",
        ],
        ["processor time to hand over 20 MB, relative to smtplib", f"{cpu['ratio_handed_over']:.2f}"],
        ["the same with the gate's check", f"{cpu['ratio_with_check']:.2f}"],
        [
            "milliseconds for which `acheck` blocks the event loop: a small message",
            f"{held['small_message_ms']:.0f}",
        ],
        ["the same with 20 MB", f"{held['large_message_ms']:.0f}"],
        [f"{kills['messages']} messages through a handler killed {kills['kills']} times", lost],
    ]
    return table(["measured", ""], rows)


def shop(number: int) -> str:
    """Return what one attack on the example's shop came to, counted by its relays."""
    scene = result("shop")["scenes"][number - 1]
    rows: list[list[object]] = []
    if scene["tried"]:
        words = {"relay": "refused by the relay", "later": "waiting in the queue"}
        parts = [f"{words.get(part, f'stopped by {part}')} {n}" for part, n in scene["stopped_by"].items()]
        rows.append(["the attack", scene["tried"], scene["arrived"], ", ".join(parts)])
    for flow, sent in scene["honest"].items():
        now, end = scene["delivered"][flow], scene["in_the_end"][flow]
        late = f"the other {end - now} after the hour, once each" if end > now else ""
        rows.append([f"{flow}, everybody else's", sent, now, late])
    return table(["in this hour", "messages", "accepted by the relays", ""], rows)


LOAD = 0.7
"""The part of a core or server that is planned for: towards 1 queues grow without bound. Our choice."""


def scaling() -> str:
    """Return what some rates of messages need, computed from what one message was measured to cost."""
    shared, relay = result("gate_shared"), result("relays")["speed"]["gate_smtp_per_second"]
    on_redis, on_file = shared["redis"], shared["sqlite"]
    rows: list[list[object]] = []
    for rate in (1, 100, 10_000):
        cores = rate * (on_redis["process_cpu_ms"] / 1000 + 1 / relay)
        server = rate * on_redis["server_cpu_ms"] / 1000
        file = rate * (on_file["process_cpu_ms"] / 1000 + 1 / relay)
        fits = "yes" if file < LOAD else f"{file:.1f} cores of one machine" if file < 8 else "no"
        rows.append([f"{rate:,}", fits, ceil(cores / LOAD), f"{server:.1%}", ceil(server / LOAD)])
    head = ["messages a second", "one process and a SQLite file are enough", "cores of workers, with Redis"]
    return table([*head, "load on one Redis server", "Redis servers"], rows)


def scaling_costs() -> str:
    """Return what one message costs, by where the state lives, and where the first bottleneck is."""
    shared, relay = result("gate_shared"), result("relays")["speed"]["gate_smtp_per_second"]
    on_redis = shared["redis"]
    rows: list[list[object]] = [
        ["this process, state in its memory", f"{shared['memory']['process_cpu_ms']:.1f}"],
        ["this process, state in SQLite", f"{shared['sqlite']['process_cpu_ms']:.1f}"],
        ["this process, state in Redis", f"{on_redis['process_cpu_ms']:.1f}"],
        ["the Redis server", f"{on_redis['server_cpu_ms']:.2f}"],
        ["the Redis server, four processes at once", f"{on_redis['server_cpu_ms_with_four_processes']:.2f}"],
        ["handing it to a relay on loopback, with `GateSMTP`", f"{1000 / relay:.1f}"],
    ]
    worst = max(on_redis["server_cpu_ms"], on_redis["server_cpu_ms_with_four_processes"])
    more = on_redis["commands_with_four_processes"] / on_redis["commands"] - 1
    return (
        table(["milliseconds of processor time for a message", ""], rows)
        + f"\n\nA message takes {on_redis['commands']:.0f} commands of Redis, those within scripts included; "
        f"{more:.0%} more with\nfour processes at once, where a document was changed in between and written "
        "again. One server executes\none command at a time, so it is saturated at about "
        f"**{1000 / worst:.0f} messages a second**: that is the first bottleneck."
    )


def benchmarks() -> str:
    """Return what each script measures, and when and where it was run last."""
    rows: list[list[object]] = []
    for script in sorted((ROOT / "benchmarks").glob("*.py")):
        if not (RESULTS / f"{script.stem}.json").exists():
            continue
        about = (ast.get_docstring(ast.parse(script.read_text("utf-8"))) or "").split("\n\n")[0]
        found = result(script.stem)
        rows.append(
            [f"`{script.name}`", " ".join(about.split()), found.get("date", ""), found.get("machine", "")]
        )
    return table(["script", "what it measures", "last run", "on"], rows)


MORE: dict[str, dict[str, Callable[[], str]]] = {
    "docs/limits.md": {"limits": limits},
    "docs/senders.md": {"sender-control": senders},
    "docs/pacing.md": {"pacing": pacing},
    "docs/content.md": {"content": content},
    "docs/flows.md": {"flows": flows},
    "docs/guard.md": {"kinds": kinds, "guard": guard},
    "docs/tracking.md": {"tracking": tracking},
    "docs/integrations.md": {"relays": relays},
    "docs/benchmarks.md": {"benchmarks": benchmarks},
    "docs/shop.md": {f"shop-{number}": partial(shop, number) for number in range(1, 7)},
    "docs/scaling.md": {"scaling": scaling, "scaling-costs": scaling_costs},
    "docs/reputation.md": {"containment": containment, "sustained": sustained},
    "docs/gate.md": {"breaker": breaker, "gate-speed": gate_speed},
}
"""What stands in which page."""
