"""What stands in words becomes an object: parsed, never run, and named where it is wrong."""

import pytest

from incrlearn import _recipes

EXAMPLE = "box(width=3)"
KNOWN = {
    "box": lambda width=1, label="", sides=(): ("box", width, label, sides),
    "bag": lambda: "bag",
}


def make(text):
    return _recipes.made("thing", _recipes.parsed("thing", text, EXAMPLE), text, KNOWN, EXAMPLE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bag", "bag"),
        ("bag()", "bag"),
        (" box ", ("box", 1, "", ())),
        ("box(width=-2.5, label='a b')", ("box", -2.5, "a b", ())),
        ("box(label=None, width=1_000)", ("box", 1000, None, ())),
        ("box(sides=(1, 2), width=True)", ("box", True, "", (1, 2))),
        ("box(\n  width=1e3,\n)", ("box", 1000.0, "", ())),
    ],
)
def test_a_name_with_options_becomes_what_it_names(text, expected):
    assert make(text) == expected


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, TypeError, r"^thing must be a name, got None \(NoneType\)$"),
        (3, TypeError, r"^thing must be a name, got 3 \(int\)$"),
        ("", ValueError, r"^thing must read like box\(width=3\), got ''$"),
        ("box(", ValueError, r"^thing must read like box\(width=3\), got 'box\('$"),
        ("box\0", ValueError, r"^thing must read like box\(width=3\), got"),
        ("box(3)", ValueError, r"^thing must read like box\(width=3\), got 'box\(3\)'$"),
        ("box(**{'width': 3})", ValueError, "^thing must read like"),
        ("box(*[3])", ValueError, "^thing must read like"),
        ("a.box", ValueError, "^thing must read like"),
        ("box()()", ValueError, "^thing must read like"),
        ("box + bag", ValueError, "^thing must read like"),
        ("'box'", ValueError, "^thing must read like"),
        ("__import__('os')", ValueError, "^thing must read like"),
        ("eval", ValueError, "^thing must be one of 'box', 'bag', got 'eval'$"),
        ("Box", ValueError, "^thing must be one of 'box', 'bag', got 'Box'$"),
        (
            "box(height=3)",
            ValueError,
            "^option of box must be one of 'width', 'label', 'sides', got 'height'$",
        ),
        ("bag(width=3)", ValueError, "^option of bag must be one of , got 'width'$"),
        ("box(width=x)", ValueError, r"^width must be a number or a quoted word, got 'box\(width=x\)'$"),
        ("box(width=print('here'))", ValueError, "^width must be a number or a quoted word, got"),
        ("box(width={1: [2]}[1])", ValueError, "^width must be a number or a quoted word, got"),
    ],
)
def test_what_does_not_read_like_it_is_refused_and_nothing_is_run(text, error, message, capsys):
    with pytest.raises(error, match=message):
        make(text)
    assert capsys.readouterr().out == ""
