"""Are the tests good enough? python -m tests.mutation [--only PATH] [--again] [--json FILE]

mutmut (`pip install -e '.[test,mutation]'`) changes one thing at a time in the modules that pyproject.toml
names, and runs the tests that go through it; a mutant that no test notices has survived. It runs in one
process, says how far it is, and goes on where it was stopped; its files are in the folder `mutants`. Then it
counts, and shows every survivor of which docs/testing.md does not say why no test can notice it.

A change of a tested function is found by itself. Where only tests have changed, `--again` tries what
was not killed once more, and removing the folder `mutants` tries everything.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "testing.md"
#: what mutmut says of a mutant that a test noticed: it failed, or it ran for ever
NOTICED = {"killed", "timeout", "segfault"}
RESULT = re.compile(r"^ +([\w.ǁ]+)__mutmut_(\d+): ([\w ]+)$", re.MULTILINE)
#: `formulas.losses.sigmoid` 12, as the page names what it explains
EXPLAINED = re.compile(r"`([\w.]+)` (\d+(?:, \d+)*)")


def mutmut(*arguments, capture=True):
    """Run mutmut with one thread in NumPy, and failures as they are found, and return what it says."""
    command = [Path(sys.executable).with_name("mutmut"), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HYPOTHESIS_PROFILE": "mutation"}
    run = subprocess.run(command, cwd=ROOT, env=environment, text=True, check=True, capture_output=capture)
    return run.stdout


def results():
    """Return (module, name, number, status, mutmut's own name) of every mutant, in the order of the source.

    mutmut calls a function x_name and a method xǁClassǁname.
    """
    found = []
    for place, number, status in RESULT.findall(mutmut("results", "--all", "true")):
        module, _, name = place.removeprefix("incrlearn.").rpartition(".")
        name = name.removeprefix("xǁ").replace("ǁ", ".") if "ǁ" in name else name.removeprefix("x_")
        found.append((module, f"{module}.{name}", int(number), status, f"{place}__mutmut_{number}"))
    return found


def check_ids():
    """Stop where a test's id holds a backslash, as those of letters beyond ASCII do.

    pytest escapes it once more every time that it collects in the same process, so that mutmut does not find
    the test again, and takes that for a failure: all mutants of the functions it tests would count as killed.
    """
    collect = [sys.executable, "-m", "pytest", "-n0", "-o", "addopts=", "--collect-only", "-q"]
    command = [*collect, *tests_that_count()]
    run = subprocess.run(command, cwd=ROOT, text=True, check=True, capture_output=True)
    bad = [line for line in run.stdout.splitlines() if "\\" in line]
    if bad:
        sys.exit("tests must have other ids than\n" + "\n".join(bad))


def tests_that_count():
    """Return the files and folders of tests that pyproject.toml names for mutmut."""
    import tomllib  # Python 3.11

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["tool"]["mutmut"]["pytest_add_cli_args_test_selection"]


def changed_lines(mutant):
    """Return the line that was changed, and what it was changed to."""
    lines = mutmut("show", mutant).splitlines()
    before = [line[1:].strip() for line in lines if line.startswith("-") and not line.startswith("---")]
    after = [line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++")]
    return " ".join(before), " ".join(after)


def explained():
    """Return the mutants that docs/testing.md explains, as pairs (name, number)."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return {(name, int(n)) for name, numbers in EXPLAINED.findall(text) for n in numbers.split(", ")}


def table(rows):
    """Return the lines of a Markdown table: what became of the mutants of every module."""
    lines = ["| module | mutants | noticed | survivors | score |", "| --- | ---: | ---: | ---: | ---: |"]
    modules = list(dict.fromkeys(row[0] for row in rows))
    for module in [*modules, "all"]:
        counts = Counter(row[3] in NOTICED for row in rows if module in (row[0], "all"))
        score = 100 * counts[True] / counts.total()
        lines.append(f"| {module} | {counts.total()} | {counts[True]} | {counts[False]} | {score:.1f} % |")
    return lines


def report(rows):
    """Print the table, and the survivors that nothing explains; return all survivors as a list of dicts."""
    known, survivors = explained(), []
    for _, name, number, status, mutant in rows:
        if status in NOTICED:
            continue
        survivor = {"name": name, "number": number, "status": status, "explained": (name, number) in known}
        if not survivor["explained"]:
            survivor["before"], survivor["after"] = changed_lines(mutant)
            print(f"`{name}` {number}: {status}\n  - {survivor['before']}\n  + {survivor['after']}")
        survivors.append(survivor)
    print(*table(rows), sep="\n")
    unexplained = sum(not survivor["explained"] for survivor in survivors)
    print(f"{len(survivors)} survivors, {unexplained} of them without a word in {PAGE.relative_to(ROOT)}")
    return survivors


def main():
    """Run mutmut where there is something to run, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="PATH", help="try all of a file or folder anew")
    parser.add_argument("--again", action="store_true", help="try once more what was not killed")
    parser.add_argument("--json", metavar="FILE", help="write the survivors and the counts there")
    options = parser.parse_args()
    prefix = (options.only or "incrlearn").removesuffix(".py").rstrip("/").replace("/", ".")
    names = [f"{prefix}.*"] if options.only else []
    if options.again:
        names = [row[4] for row in results() if row[3] != "killed" and row[4].startswith(prefix)]
    check_ids()
    start = time.perf_counter()
    mutmut("run", "--max-children", "1", *names, capture=False)
    seconds = time.perf_counter() - start
    rows = [row for row in results() if row[4].startswith(prefix)]
    survivors = report(rows)
    print(f"{seconds / 60:.0f} minutes")
    if options.json:
        counts = Counter(row[3] for row in rows)
        text = json.dumps({"counts": counts, "survivors": survivors}, indent=1, ensure_ascii=False)
        Path(options.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
