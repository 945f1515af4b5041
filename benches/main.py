"""Measures homelab beside its peers on the lab's hosts, and writes docs/benchmarks.md and its plot.

Sections: nothing (nothing to do, three hosts), many (the same on many hosts), flag (one model's flag changed), first
(first deploy, images present), pulls (first deploy, images pulled), offline (1,000 hosts without a connection), inventory (1,000 hosts listed, beside
ansible-inventory).
`report` only writes the page from what was measured last.
"""

import argparse
import json
import tempfile
from pathlib import Path

import job
import report
import sections
from lab import ROOT, Lab

RESULTS = ROOT / "target/bench/results.json"
ALL = ("nothing", "many", "flag", "first", "pulls", "offline", "inventory")


def arguments():
    parser = argparse.ArgumentParser(prog="benches/run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help="which to measure; all, if none is named")
    parser.add_argument("--rounds", type=int, default=9, help="of the fast tools (default: 9)")
    parser.add_argument("--slow-rounds", type=int, default=3, help="of Ansible, and of first deploys (default: 3)")
    parser.add_argument("--hosts", type=int, default=24, help="how many are many (default: 24)")
    args = parser.parse_args()
    unknown = set(args.sections) - {*ALL, "report"}
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    return args


def measure(args, name, work):
    if name == "offline":
        return sections.offline(work, args.rounds)
    if name == "inventory":
        return sections.inventory(work, args.rounds, args.slow_rounds)
    if name == "many":
        lab = Lab(args.hosts)
        try:
            return sections.nothing_to_do(job.many(lab), work, args.rounds, min(2, args.slow_rounds))
        finally:
            # Whoever comes next wants four hosts, not these.
            lab.down()
    three = job.three(Lab(3))
    match name:
        case "nothing":
            return sections.nothing_to_do(three, work, args.rounds, args.slow_rounds)
        case "flag":
            return sections.one_flag_changed(three, work, args.rounds)
        case "first":
            return sections.first_deploy(three, work, args.slow_rounds, pulls=False)
        case "pulls":
            return sections.first_deploy(three, work, min(2, args.slow_rounds), pulls=True)


def main():
    args = arguments()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory(prefix="hb-") as work:
        for name in args.sections or ALL:
            if name != "report":
                sections.say(f"measuring: {name}")
                results[name] = measure(args, name, Path(work))
                results["machine"] = report.machine()
                results.setdefault("at", {})[name] = results["machine"]
                RESULTS.parent.mkdir(parents=True, exist_ok=True)
                RESULTS.write_text(json.dumps(results, indent=1))
    report.write(results)


main()
