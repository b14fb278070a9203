"""What was found: tables for the screen and for the pages, and the file they are made from.

`python -m tests.benchmarks.report` writes the tables of docs/measured/performance.json into the pages,
between `<!-- performance: step -->`, which names a group, and `<!-- /performance -->`.
"""

import datetime
import json
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from incrlearn.storage import whole_file

from .. import measured_rows
from .rounds import ROOT
from .works import LIMIT, OURS, PEER, TARGETS

DOCS = ROOT / "docs"
FILE = DOCS / "measured" / "performance.json"
BLOCK = re.compile(r"(<!-- performance: ([\w ]+) -->\n).*?(<!-- /performance -->)", re.DOTALL)
DISTRIBUTIONS = "incrlearn", "numpy", "scipy", "torch", "jax", "scikit-learn", "river"
DASH = "–"


# ---- the file ----------------------------------------------------------------------------------------


def circumstances():
    """Return where, with what, and how it was measured."""
    return {
        "machine": machine(),
        "versions": versions(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "command": " ".join(["python -m tests.benchmarks", *sys.argv[1:]]),
    }


def machine():
    """Return the processor, its cores, and the kernel."""
    try:
        known = Path("/proc/cpuinfo").read_text()
    except OSError:
        known = ""
    model = re.search(r"^model name\s*:\s*(.*)$", known, re.MULTILINE)
    cores = len(re.findall(r"^processor\s*:", known, re.MULTILINE))
    return {
        "processor": model[1] if model else platform.processor(),
        "cores": cores or None,
        "system": f"{platform.system()} {platform.release()}",
    }


def versions():
    """Return the versions of Python and of all that is compared and installed."""
    known = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            known[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return known


def commit():
    """Return the commit that is checked out, with a + where files have changed since; None without Git."""
    done = git("describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*")
    return (done and done.stdout.strip()) or None


def changed_since(commit):
    """Say whether the package may be another than it was at a commit."""
    if commit is None or commit.endswith("+"):
        return True
    same = git("diff", "--quiet", commit, "--", "incrlearn")
    return same is None or same.returncode != 0


def git(*arguments):
    """Return what Git has done, or None where there is no Git."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return None


def write(path, report):
    """Write everything, whole or not at all."""
    with whole_file(path) as file:
        file.write((json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())


# ---- tables ------------------------------------------------------------------------------------------


def tables(records):
    """Yield a title, a head and rows: a table for all races of a group, and one for everything else.

    In a race ours is compared with others: a row for every contest. Otherwise everyone has a row.
    """
    for group, threads in dict.fromkeys((record["group"], record["threads"]) for record in records):
        title = f"{group}, {threads} thread{'s' if threads > 1 else ''}"
        chosen = [record for record in records if (record["group"], record["threads"]) == (group, threads)]
        if races := [record for record in chosen if OURS in record["entrants"]]:
            yield title, *race_table(races)
        for record in chosen:
            if OURS not in record["entrants"]:
                yield f"{title}: {record['name']}", *list_table(record)


def race_table(records):
    """Return a row for every contest: medians, and ours in ratio to the fastest peer and to the limit."""
    labels = list(dict.fromkeys(label for record in records for label in everyone(record)))
    ratios = [name for name in (PEER, LIMIT) if any(name in record.get("ratios", {}) for record in records)]
    head = ["", *labels, "±", *(f"ours/{'peer' if name == PEER else name}" for name in ratios)]
    rows = []
    for record in records:
        medians = [median(record, label) for label in labels]
        of = record.get("ratios", {})
        shown = [f"{of[name]:.2f}" if name in of else DASH for name in ratios]
        rows.append([record["name"], *medians, spread(record), *shown])
    return head, rows


def list_table(record):
    """Return a row for every entrant: its median, its quartiles, its ratio to the base, and a remark."""
    head, rows = ["", "median", "quartiles", f"/{record['base']}", ""], []
    for label in everyone(record):
        known = record["entrants"][label] or {"quartiles": []}
        ratio = record.get("ratios", {}).get(label)
        rows.append(
            [
                label,
                median(record, label),
                " to ".join(quantity(value, record["unit"]) for value in known["quartiles"]),
                "" if ratio is None else f"{ratio:.2f}",
                record["remarks"].get(label, ""),
            ]
        )
    used = [k for k in range(len(head)) if any(row[k] for row in rows)]
    return [head[k] for k in used], [[row[k] for k in used] for row in rows]


def everyone(record):
    """Return the labels of all who were to be measured."""
    return list(record["entrants"])


def median(record, label):
    """Return an entrant's median for people, or a dash."""
    known = record["entrants"].get(label)
    return DASH if known is None else quantity(known["median"], record["unit"])


def spread(record):
    """Return the largest distance of a quartile from its median, in percent of it."""
    off = [
        abs(quartile - known["median"]) / known["median"]
        for known in record["entrants"].values()
        if known and known["median"]
        for quartile in known["quartiles"]
    ]
    return f"{100 * max(off, default=0):.0f} %"


def quantity(value, unit):
    """Return a number with three digits and its unit: 0.00123 s is 1.23 ms."""
    if unit == "s":
        scale, unit = (1, "s") if value >= 1 else (1e3, "ms") if value >= 1e-3 else (1e6, "µs")
        value *= scale
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def targets(records):
    """Return the table of the numbers to meet: what was measured of them, and whether they are met."""
    rows = []
    for target in TARGETS:
        for record in records:
            if target.contest == f"{record['group']}: {record['name']}":
                value = measured(target, record)
                met = DASH if value is None else "met" if value <= target.at_most else "missed"
                shown = DASH if value is None else f"{value:.3g}"
                rows.append(
                    [target.contest, record["threads"], what(target), f"≤ {target.at_most:g}", shown, met]
                )
    return ["number to meet", "threads", "ratio to", "target", "measured", "result"], rows


def what(target):
    """Return what a target's number is compared with, in words."""
    if target.difference:
        return f"{target.to}, MB more"
    return target.to


def measured(target, record):
    """Return the number that is to be compared with the target's; None where it was not measured."""
    if target.difference:
        values = [record["entrants"].get(label) for label in (target.of, target.to)]
        return None if None in values else values[0]["median"] - values[1]["median"]
    return record.get("ratios", {}).get(target.of or target.to)


def notes(records):
    """Return why there are dashes, each reason once."""
    reasons = {}
    for record in records:
        for label, reason in record["dashes"].items():
            if reason not in ("not installed", "left out"):
                reasons.setdefault((label, reason), f"{record['group']}: {record['name']}")
    return [f"{label}: {reason} ({where})" for (label, reason), where in reasons.items()]


# ---- on the screen -----------------------------------------------------------------------------------


def show(title, head, rows):
    """Print a table."""
    print(f"\n{title}\n\n{plain(head, rows)}")


def plain(head, rows):
    """Return a table in plain text: the first column's words left, numbers right."""
    cells = [list(map(str, row)) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        aligned = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:<{widths[0]}}", *aligned]).rstrip())
    return "\n".join(lines)


# ---- in the pages ------------------------------------------------------------------------------------


def pages():
    """Return the pages that have tables of ours."""
    return [page for page in sorted(DOCS.glob("*.md")) if BLOCK.search(page.read_text(encoding="utf-8"))]


def rewritten(page):
    """Return the text of a page with its tables as the file has them; as it is, where there is no file."""
    text = page.read_text(encoding="utf-8")
    if not FILE.exists():
        return text
    report = json.loads(FILE.read_text(encoding="utf-8"))
    return BLOCK.sub(lambda match: f"{match[1]}\n{block(report, match[2])}\n\n{match[3]}", text)


def block(report, name):
    """Return what stands between markers: a group's tables, the targets, or the circumstances."""
    records = report["contests"]
    if name == "circumstances":
        return in_words(report)
    if name == "targets":
        return measured_rows.table(*map(as_text, targets(records)))
    chosen = [record for record in records if record["group"] == name]
    return "\n\n".join(
        f"{title}:\n\n{measured_rows.table(head, rows)}" for title, head, rows in tables(chosen)
    )


def as_text(cells):
    """Return a table's head or rows with every cell as text."""
    return [list(map(str, cell)) if isinstance(cell, list) else str(cell) for cell in cells]


def in_words(report):
    """Return where, with what, and how it was measured, as a paragraph."""
    machine = report["machine"]
    with_what = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    text = (
        f"Measured on {report['date'][:10]}, commit {report['commit']}, by `{report['command']}`; "
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}; {with_what}."
    )
    return measured_rows.filled(text)


def main():
    """Write the tables into the pages."""
    for page in pages():
        page.write_text(rewritten(page), encoding="utf-8")
        print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
