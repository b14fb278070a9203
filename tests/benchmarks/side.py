"""The process of one entrant: python -m tests.benchmarks.side NAME THREADS

It is asked by lines of JSON and answers by lines of JSON:

    {"do": "prepare", "function", "arguments", "clock", "warm"}  →  {"seconds": of a unit}
    {"do": "measure", "calls"}                                   →  {"value": seconds of a unit, or its own}

What fails is answered by {"dash": why}.
"""

import importlib
import json
import os
import sys
import time

WARM_CALLS, WARM_SECONDS, ENOUGH_SECONDS = 3, 0.3, 3.0


class Side:
    """What the process knows: its library, the work that it has prepared, and how that is measured."""

    def __init__(self, name):
        self.name = name
        self.work, self.clock = None, True

    def prepare(self, function, arguments, clock=True, warm=True):
        """Import the library, build the work, warm up."""
        side = importlib.import_module(f"{__package__}.sides.{self.name}")
        self.work, self.clock = getattr(side, function)(**arguments), clock
        return {"seconds": self._warmed_up() if warm else 0.0}

    def _warmed_up(self):
        """Return the seconds of one unit, when memory is allocated, code compiled and caches are full."""
        calls, start = 0, time.perf_counter()
        while True:
            before = time.perf_counter()
            self._once()
            calls, now = calls + 1, time.perf_counter()
            spent = now - start
            if (calls >= WARM_CALLS and spent >= WARM_SECONDS) or spent >= ENOUGH_SECONDS:
                return now - before

    def measure(self, calls):
        """Return the seconds of one of many units; where not seconds are asked for, what one unit says."""
        if not self.clock:
            return {"value": self.work.unit()}
        if calls > 1:
            self._once()  # threads that sleep wake up, and what others left in the caches goes
        start = time.perf_counter()
        for _ in range(calls):
            self.work.unit()
        self.work.finish()
        return {"value": (time.perf_counter() - start) / calls}

    def _once(self):
        self.work.unit()
        self.work.finish()


def main():
    """Answer until nobody asks any more."""
    name, threads = sys.argv[1], int(sys.argv[2])
    if hasattr(os, "sched_setaffinity"):  # before any library counts the cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print what they like
    side = Side(name)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(side, request.pop("do"))(**request)
        except Exception as error:  # whatever a library may say: the others are measured without it
            answer = {"dash": f"{type(error).__name__}: {error}".partition("\n")[0]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
