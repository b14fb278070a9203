"""Run the Python blocks of a page, and compare what they print with the text blocks behind them."""

import contextlib
import io
import re
from dataclasses import dataclass

BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRAILING = re.compile(r" +$", re.MULTILINE)
NUMBER = re.compile(r"[-+−]?\d+(?:\.\d+)?")


@dataclass
class Example:
    """One block of code, what the page says that it prints, and where it stands."""

    source: str
    expected: str | None
    line: int


def examples(page):
    """Return the examples of a page, in order."""
    text, found = page.read_text(encoding="utf-8"), []
    for match in BLOCK.finditer(text):
        if match[1] == "python":
            found.append(Example(match[2], None, text[: match.start()].count("\n") + 2))
        elif found:
            found[-1].expected = match[2]
    return found


def run(example, names, page):
    """Run one example in the names that earlier ones left; return what it printed."""
    printed = io.StringIO()
    # as many empty lines before the code as before the block: tracebacks then name the page's line
    code = compile("\n" * (example.line - 1) + example.source, str(page), "exec")
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    return printed.getvalue()


def same(printed, expected, tolerance):
    """Whether two texts are the same but for numbers, which may differ by the tolerance, or that share."""
    if NUMBER.sub("#", printed).split() != NUMBER.sub("#", expected).split():
        return False
    pairs = zip(_numbers(printed), _numbers(expected), strict=True)
    return all(abs(a - b) <= tolerance * max(1, abs(b)) for a, b in pairs)


def _numbers(text):
    return [float(number.replace("−", "-")) for number in NUMBER.findall(text)]


def refresh(page):
    """Write what the examples of a page print, as run now, into the page: `python -m tests.markdown PAGE`."""
    names = {}
    printed = {example.line: run(example, names, page) for example in examples(page)}
    text, last = page.read_text(encoding="utf-8"), None

    def replaced(match):
        nonlocal last
        if match[1] == "python":
            last = text[: match.start()].count("\n") + 2
            return match[0]
        return f"```text\n{TRAILING.sub('', printed[last])}```"

    page.write_text(BLOCK.sub(replaced, text), encoding="utf-8")


def transcript(page):
    """Return all that the examples of a page print: `python -m tests.markdown --print PAGE`."""
    names = {}
    return "\n".join(run(example, names, page) for example in examples(page))


if __name__ == "__main__":
    import sys
    from pathlib import Path

    *option, page = sys.argv[1:]
    if option == ["--print"]:
        print(transcript(Path(page).resolve()))
    else:
        refresh(Path(page).resolve())
