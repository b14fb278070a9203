"""The race: a process for every entrant, warmed up, then rounds in which each has its turn."""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from .works import LIMIT, OURS, PEER

ROOT = Path(__file__).parents[2]
TURN_SECONDS = 0.05
#: threads of the side before (OpenBLAS above all) go on spinning for a while, on a core that others need
PAUSE_SECONDS = 0.2
#: what a side needs: the module, and how to install it
LIBRARIES = {
    "pytorch": ("torch", "pip install torch"),
    "jaxed": ("jax", "pip install jax"),
    "scikit": ("sklearn", "pip install scikit-learn"),
    "riverside": ("river", "pip install river"),
}


def missing():
    """Return the sides whose library is not installed, and how to install it."""
    return {side: how for side, (module, how) in LIBRARIES.items() if not importlib.util.find_spec(module)}


class Worker:
    """The process of an entrant, and how it is talked to."""

    def __init__(self, entrant, threads):
        self.entrant = entrant
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.side", entrant.side, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=os.environ | environment(threads),
        )

    def ask(self, **request):
        """Return the answer to a request."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            return {"dash": f"its process ended with {self.process.wait()}"}

    def close(self):
        """End the process: it goes when nobody asks any more."""
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def environment(threads):
    """Return what tells every library how many threads to take."""
    names = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
    xla = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()} intra_op_parallelism_threads={threads}"
    others = {"XLA_FLAGS": xla, "JAX_PLATFORMS": "cpu", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    return dict.fromkeys(names, str(threads)) | others


def race(contest, threads, rounds, without=(), say=lambda text: None):
    """Measure a contest; return its record, plain values for JSON.

    A side that is left out, not installed, or fails is a dash, and the record says why.
    """
    dashes, workers, quoted = {}, [], {}
    absent = missing()
    try:
        for entrant in contest.entrants:
            if entrant.side == "quoted":
                quoted[entrant.label] = entrant.arguments["value"]
            elif entrant.side in without or entrant.side in absent:
                dashes[entrant.label] = "not installed" if entrant.side in absent else "left out"
            else:
                workers.append(Worker(entrant, threads))  # all at once: imports take long, and overlap
        ready = []
        for worker in workers:
            say(f"{worker.entrant.label} warms up")
            entrant = worker.entrant
            function = entrant.function or contest.group
            clock = contest.unit == "s"
            answer = worker.ask(
                do="prepare", function=function, arguments=entrant.arguments, clock=clock, warm=contest.warm
            )
            if "dash" in answer:
                dashes[entrant.label] = answer["dash"]
            else:
                ready.append((worker, calls_of_a_turn(answer["seconds"] if contest.warm else TURN_SECONDS)))
        rounds = min(rounds, contest.rounds or rounds)
        values = take_turns(ready, rounds, dashes, say)
        values |= {label: [value] * rounds for label, value in quoted.items()}
    finally:
        for worker in workers:
            worker.close()
    return record(contest, threads, values, dashes)


def calls_of_a_turn(seconds):
    """Return how many calls of that length fill a turn, at least one."""
    return max(1, round(TURN_SECONDS / max(seconds, 1e-9)))


def take_turns(ready, rounds, dashes, say):
    """Return every entrant's values, one a round; who comes first changes from round to round."""
    values = {worker.entrant.label: [] for worker, _ in ready}
    for k in range(rounds):
        say(f"round {k + 1} of {rounds}")
        first = k % max(1, len(ready))
        for worker, calls in ready[first:] + ready[:first]:
            label = worker.entrant.label
            if label in dashes:
                continue
            time.sleep(PAUSE_SECONDS)
            answer = worker.ask(do="measure", calls=calls)
            if "dash" in answer:
                dashes[label] = answer["dash"]
                del values[label]
            else:
                values[label].append(answer["value"] * worker.entrant.scale)
    return values


def record(contest, threads, values, dashes):
    """Return medians, quartiles and ratios, in the order of the entrants."""
    summaries = {entrant.label: summary(values.get(entrant.label)) for entrant in contest.entrants}
    labels = [label for label, known in summaries.items() if known]
    known = {
        "group": contest.group,
        "name": contest.name,
        "threads": threads,
        "unit": contest.unit,
        "base": contest.base,
        "entrants": summaries,
        "dashes": dashes,
        "remarks": {entrant.label: entrant.remark for entrant in contest.entrants if entrant.remark},
    }
    if contest.base is not None:
        of_base = values.get(contest.base)
        return known | {"ratios": {label: ratio(values[label], of_base) for label in labels if of_base}}
    peers = [label for label in labels if label not in (OURS, LIMIT)]
    if OURS in values:
        known["ratios"] = {label: ratio(values[OURS], values[label]) for label in labels if label != OURS}
        if peers:
            fastest = min(peers, key=lambda label: summaries[label]["median"])
            known["fastest_peer"] = fastest
            known["ratios"][PEER] = known["ratios"][fastest]
    return known


def summary(values):
    """Return the median, the quartiles, and of how many; None of none."""
    if not values:
        return None
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": quartiles[1], "quartiles": [quartiles[0], quartiles[2]], "rounds": len(values)}


def ratio(ours, theirs):
    """Return the median of the ratios in each round: what slows the machine down slows both."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
