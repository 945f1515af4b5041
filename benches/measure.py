"""Runs commands to their end and keeps what they cost. It knows nothing of what they do."""

import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass

# Longer than anything measured here; what hangs is a failure, not a figure.
LIMIT = 900


@dataclass(frozen=True)
class Run:
    """One process: wall time in seconds, all it printed."""

    seconds: float
    output: str


class Failed(Exception):
    """A command that was to succeed did not."""


def run(argv, env=None, cwd=None):
    """Runs a command that must succeed."""
    began = time.perf_counter()
    done = subprocess.run(
        argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT
    )
    seconds = time.perf_counter() - began
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise Failed(f"{argv} ended with {done.returncode}:\n{output[-3000:]}")
    return Run(seconds, output)


def megabytes(argv, env=None):
    """The largest resident set of a command and of each process it waited for, by GNU time.

    Asked of the child directly, the system would answer with this interpreter's size where that is larger.
    """
    with tempfile.NamedTemporaryFile("r") as told:
        run(["time", "--format", "%M", "--output", told.name, *argv], env=env)
        return int(told.read().split()[-1]) / 1024


def together(argvs, env=None):
    """Runs commands side by side; all must succeed. Seconds until the last one has ended."""
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for argv in argvs
    ]
    outputs = [one.communicate(timeout=LIMIT)[0] for one in running]
    seconds = time.perf_counter() - began
    for argv, one, output in zip(argvs, running, outputs):
        if one.returncode != 0:
            raise Failed(f"{argv} ended with {one.returncode}:\n{output[-3000:]}")
    return seconds


def wait_until(what, look, limit=120, pause=0.005):
    """Looks until it is so; the moment it was, by the clock of `time.perf_counter`."""
    end = time.perf_counter() + limit
    while not look():
        if time.perf_counter() > end:
            raise Failed(f"waited {limit} s for {what}")
        time.sleep(pause)
    return time.perf_counter()


def summary(values):
    """What is kept of a series."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "runs": len(values),
    }
