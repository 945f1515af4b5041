"""The page and the plot, from what was measured. Words about the figures are people's: only the part of the page
between the marks is written here."""

import datetime
import os
import platform
import re
import subprocess
from importlib import metadata

from lab import ROOT
from tools import Floor

PAGE = ROOT / "docs/benchmarks.md"
PLOT = ROOT / "docs/benchmarks.svg"
BEGIN, END = "<!-- figures: written by benches/run -->", "<!-- figures: end -->"
COLD, WARM = "homelab deploy, no connection kept", "homelab deploy, connections kept"


def machine():
    """What it was measured on."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    versions = {name: metadata.version(name) for name in ("ansible-core", "mitogen", "pyinfra")}
    return {
        "day": datetime.date.today().isoformat(),
        "cpu": f"{os.cpu_count()} × {model}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "homelab": commit.stdout.strip(),
        **versions,
    }


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def seconds(one):
    return f"{one['median']:.2f}" if one["median"] >= 1 else f"{one['median']:.3f}"


def spread(one):
    return f"{one['min']:.2f} – {one['max']:.2f} ({one['runs']})"


def nothing(result):
    """Every tool beside the floor, and beside homelab without a kept connection."""
    names = {"cold": COLD, "warm": WARM}
    floor, cold = result["seconds"][Floor.name]["median"], result["seconds"]["cold"]["median"]
    rows = [
        [names.get(name, name), seconds(one), spread(one), f"{one['median'] / floor:.2f} ×", f"{one['median'] / cold:.1f} ×"]
        for name, one in result["seconds"].items()
    ]
    said = [line for kind in ("cold", "warm") for line in costs(kind, result["said"][kind])]
    return "\n\n".join(
        [
            table(["", "seconds", "least – most (runs)", "of the floor", "of homelab, cold"], rows),
            f"Largest resident set of `homelab deploy`: {result['megabytes']:.1f} MB.",
            "\n".join(said),
        ]
    )


def costs(kind, output):
    """What `-v` said each host cost, hosts that cost the same in one line."""
    groups = {}
    for host, text in re.findall(r"^(\S+): (\d+ ssh logins, .*)$", output, re.MULTILINE):
        groups.setdefault(text, []).append(host)
    return [f"- {kind}: {len(hosts)} {'host' if len(hosts) == 1 else 'hosts'}: {text}" for text, hosts in groups.items()]


def flag(result):
    alone = result["alone"]["median"]
    names = {"alone": "the container alone, from its start", "whole": "`homelab deploy` to its end, checks included"}
    rows = [
        [names.get(name, name), seconds(one), spread(one), f"{one['median'] - alone:+.2f}"] for name, one in result.items()
    ]
    return table(["until the changed model answers", "seconds", "least – most (runs)", "beside alone"], rows)


def first(result):
    rows = [[name, seconds(one), spread(one)] for name, one in result.items()]
    return table(["", "seconds", "least – most (runs)"], rows)


def offline(result):
    rows = [
        ["`plan --offline`, 1,000 hosts × 3 models", f"{seconds(result['plan'])} s"],
        ["its largest resident set", f"{result['plan megabytes']:.0f} MB"],
        ["`homelab --version`", f"{result['version']['median'] * 1000:.1f} ms"],
        ["the binary", f"{result['binary bytes'] / 1e6:.1f} MB"],
    ]
    return table(["", ""], rows)


def inventory(result):
    ours, theirs = result["seconds"].values()
    rows = [[f"`{name}`", seconds(one), spread(one)] for name, one in result["seconds"].items()]
    ratio = f"homelab is {theirs['median'] / ours['median']:.0f} × faster, in {result['megabytes']:.0f} MB."
    return table(["", "seconds", "least – most (runs)"], rows) + f"\n\nBoth print the same {result['bytes'] / 1e6:.1f} MB; {ratio}"


def figures(results):
    m = results["machine"]
    parts = [
        f"Measured on {m['day']} at {m['homelab']}: {m['cpu']}, {m['memory']}, Linux {m['kernel']}; ansible-core "
        f"{m['ansible-core']}, Mitogen {m['mitogen']}, pyinfra {m['pyinfra']}."
    ]
    for name, title, write in (
        ("nothing", "Nothing to do, {hosts} hosts, {containers} containers", nothing),
        ("many", "Nothing to do, {hosts} hosts, {containers} containers", nothing),
        ("flag", "One model's flag changed", flag),
        ("first", "First deploy, images present", first),
        ("pulls", "First deploy, images pulled from a registry in the lab", first),
        ("offline", "Without hosts", offline),
        ("inventory", "1,000 hosts listed", inventory),
    ):
        if name in results:
            parts += [f"### {title.format(**results[name])}", write(results[name])]
            # Sections may be measured one by one, with other versions between.
            at = results.get("at", {}).get(name, m)
            if at != m:
                parts.append(f"This one was measured on {at['day']} at {at['homelab']}.")
    return "\n\n".join(parts)


def plot(result):
    # Here: whoever only asks for help has no matplotlib.
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    names = {"cold": COLD, "warm": WARM}
    bars = sorted(((one["median"], names.get(name, name)) for name, one in result["seconds"].items()), reverse=True)
    colors = ["#2a9d8f" if "homelab" in name else "#adb5bd" for _, name in bars]
    figure, axes = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    drawn = axes.barh([name for _, name in bars], [value for value, _ in bars], color=colors)
    axes.bar_label(drawn, fmt="%.2f s", padding=3)
    axes.set_xlim(right=max(value for value, _ in bars) * 1.12)
    axes.set_xlabel(f"seconds to learn that nothing changed, {result['hosts']} hosts")
    axes.spines[["top", "right"]].set_visible(False)
    # The same figures give the same file.
    matplotlib.rcParams["svg.hashsalt"] = "homelab"
    figure.savefig(PLOT, metadata={"Date": None})


def write(results):
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures(results)}\n\n{END}{after}", encoding="utf-8")
    if "nothing" in results:
        plot(results["nothing"])
