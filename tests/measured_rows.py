"""The measured rows of the families' pages, made from the files in docs/measured.

`python -m tests.measured_rows` writes them into the pages, between `<!-- measured: ewc si -->`, which names
the methods, and `<!-- /measured -->`. The files are what two commands write, word for word:

    incrlearn reproduce split-mnist --seeds 3 --json docs/measured/split-mnist.json
    incrlearn compare --seeds 3 --scenario class --json docs/measured/digits-class.json   (domain, task)

What has not been run is a dash.
"""

import json
import re
import textwrap
from pathlib import Path

from incrlearn.benchmark.metrics import mean_and_error
from incrlearn.benchmark.reproduction import ROWS
from incrlearn.benchmark.scenarios import KINDS

DOCS = Path(__file__).parent.parent / "docs"
MEASURED = DOCS / "measured"
SPLIT_MNIST = MEASURED / "split-mnist.json"
BLOCK = re.compile(r"(<!-- measured: ([\w ]+) -->\n).*?(<!-- /measured -->)", re.DOTALL)
UNKNOWN = "–"
WIDTH = 110
HARD_SPACE = "\N{NO-BREAK SPACE}"


def digits_file(scenario):
    return MEASURED / f"digits-{scenario}.json"


def pages():
    """Return the pages that have measured rows."""
    return [page for page in sorted(DOCS.glob("*.md")) if BLOCK.search(page.read_text(encoding="utf-8"))]


def rewritten(page):
    """Return the text of a page with its measured rows as the files have them."""
    text = page.read_text(encoding="utf-8")
    return BLOCK.sub(lambda match: f"{match[1]}\n{block(match[2].split())}\n{match[3]}", text)


def block(names):
    """Return what stands between the markers: the tables of these methods, and where they come from."""
    parts = [digits_table(names), filled(DIGITS_LEGEND.format(versions=_versions()))]
    published = [name for name in names if name in ROWS and ROWS[name].texts]
    parts = [split_mnist_table(published), filled(SPLIT_LEGEND.format(settings=_settings(published))), *parts]
    return "\n\n".join(parts) + "\n"


# ---- Split MNIST -------------------------------------------------------------------------------------

SPLIT_LEGEND = """\
Split MNIST, 784-400-400-c, five tasks of 2000 steps: accuracy % after the last task, mean ± standard error
of the seeds, and in brackets what van de Ven, Tuytelaars and Tolias published in 2022. Settings are
theirs{settings}. Memory is what the method holds beside its network, with a star where raw samples are in
it; seconds are those of learning, of the fastest seed, as the machine was shared; both are of the scenario on
the right, where it is served. Made by
`incrlearn reproduce split-mnist --seeds 3 --json docs/measured/split-mnist.json`."""


def split_mnist_cells():
    """Return the records of all finished cells: a list for every (method, scenario)."""
    cells = {}
    if SPLIT_MNIST.exists():
        for record in json.loads(SPLIT_MNIST.read_text(encoding="utf-8"))["cells"]:
            cells.setdefault((record["cell"]["method"], record["cell"]["scenario"]), []).append(record)
    return cells


def split_mnist_table(names):
    """Return the table of the published methods among the names."""
    cells = split_mnist_cells()
    rows = []
    for name in names:
        records = {kind: cells.get((name, kind), []) for kind in KINDS}
        last = next((records[kind] for kind in reversed(KINDS) if records[kind]), [])
        held = [record["held_bytes"] for record in last]
        rows.append(
            [
                name,
                *(_ours_and_theirs(ROWS[name], kind, records[kind]) for kind in KINDS),
                _size(_mean([h["samples"] for h in held]), _mean([h["other"] for h in held])),
                _number(min((record["seconds"] for record in last), default=None), ".0f"),
            ]
        )
    return table(["method", *KINDS, "memory", "seconds"], rows)


def _ours_and_theirs(row, scenario, records):
    published = row.value(scenario)
    if published is None:
        return ""
    accuracies = [record["average_accuracy"] for record in records]
    ours = _points(*mean_and_error(accuracies)) if accuracies else UNKNOWN
    return f"{ours} ({published})"


def _settings(names):
    """Return the settings that are not a method's own, in words."""
    texts = []
    for name in names:
        row = ROWS[name]
        by_text = {}
        for kind in row.scenarios:
            by_text.setdefault(row.text(kind), []).append(kind)
        hidden = f" with hidden layers of {'-'.join(map(str, row.hidden))}" if row.hidden else ""
        for text, kinds in by_text.items():
            if text != name or hidden:
                where = f" ({', '.join(kinds)})" if len(by_text) > 1 else ""
                texts.append(f"`{text}`{hidden}{where}")
    return f": {'; '.join(texts)}" if texts else ""


# ---- digits ------------------------------------------------------------------------------------------

DIGITS_LEGEND = """\
Split digits, which ship with the package, 64-100-c, five tasks of 20 passes, every method with its defaults:
accuracy % after the last task, mean ± standard error of three seeds; memory and seconds as above. Made by
`incrlearn compare --seeds 3 --scenario class --json docs/measured/digits-class.json`, and so for `domain` and
`task`. {versions}"""


def digits(scenario):
    """Return the measures of a scenario: (mean, error) by the method's name and the measure's."""
    file = digits_file(scenario)
    if not file.exists():
        return {}
    return {row["method"]: row for row in json.loads(file.read_text(encoding="utf-8"))["summary"]}


def digits_table(names):
    """Return the table of the shipped digits for these methods."""
    known = {kind: digits(kind) for kind in KINDS}
    rows = []
    for name in names:
        of = {kind: known[kind].get(name) for kind in KINDS}
        some = next((of[kind] for kind in reversed(KINDS) if of[kind]), None)
        price = [UNKNOWN, UNKNOWN]
        if some:
            size = _size(some["sample_bytes"][0], some["other_bytes"][0])
            price = [size, _number(some["seconds"][0], ".1f")]
        cells = ["" if not of[kind] else _points(*of[kind]["average_accuracy"]) for kind in KINDS]
        rows.append([name, *cells, *price])
    return table(["method", *KINDS, "memory", "seconds"], rows)


def _versions():
    """Return with what the digits were measured, in words."""
    if not digits_file("class").exists():
        return ""
    versions = json.loads(digits_file("class").read_text(encoding="utf-8"))["versions"]
    return f"Python {versions['python']}, NumPy {versions['numpy']}."


# ---- words and numbers -------------------------------------------------------------------------------


def table(head, rows):
    """Return a Markdown table whose columns stand under one another; names left, numbers right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]

    def line(cells):
        first, *others = zip(cells, widths, strict=True)
        aligned = [f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
        return f"| {' | '.join(aligned)} |"

    return "\n".join(map(line, (head, rule, *rows)))


def filled(text):
    """Return a paragraph in lines as wide as the pages are; what is code is not broken."""
    text = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", HARD_SPACE), text)
    lines = textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return lines.replace(HARD_SPACE, " ")


def _mean(values):
    return sum(values) / len(values) if values else None


def _points(mean, error):
    """Return a share and its standard error as percentage points."""
    if mean is None or mean != mean:
        return UNKNOWN
    return f"{100 * mean:.1f}" + ("" if error is None or error != error else f" ± {100 * error:.1f}")


def _number(value, form):
    return UNKNOWN if value is None else f"{value:{form}}"


def _size(samples, other):
    """Return bytes as people read them, with a star where stored samples are among them."""
    if samples is None or other is None:
        return UNKNOWN
    size = samples + other
    for unit, of in (("MB", 1e6), ("kB", 1e3)):
        if size >= of:
            return f"{size / of:.{1 if size < 10 * of else 0}f} {unit}{'*' if samples else ''}"
    return f"{size:.0f} B{'*' if samples else ''}"


def main():
    for page in pages():
        page.write_text(rewritten(page), encoding="utf-8")
        print(page.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
