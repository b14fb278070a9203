"""Tables: what is read from each kind of file, and how what is wrong with it is named."""

import csv
import io
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from incrlearn import tables
from incrlearn.tables import Table, chunk_rows, column_names, label_kind, listed, read_chunks, read_table

from .processes import run_python

ENDINGS = ["csv", "npz", "parquet"]
FEATURES = {"age": [30.0, 41.5, 28.0], "height": [1.75, 1.6, 1.8]}
LABELS = ["cat", "dog", "cat"]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def write_parquet(path, **columns):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    write_table(pyarrow.table(columns), path)
    return path


def write_table_of(path, features=FEATURES, **target):
    """Write the same table in the format of the ending."""
    (name, y) = next(iter(target.items()), (None, None))
    columns = features | target
    if path.suffix == ".csv":
        rows = zip(*columns.values(), strict=True)
        return write(path, "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")
    if path.suffix == ".npz":
        arrays = {} if name is None else {name: np.array(y)}
        x = np.column_stack(list(features.values()))
        return write_npz(path, x=x, columns=np.array(list(features)), **arrays)
    return write_parquet(path, **columns)


def refusal(path, *arguments, **options):
    """Return how a table is refused; the message names the file."""
    with pytest.raises(ValueError, match=r".") as caught:
        read_table(path, *arguments, **options)
    assert str(caught.value).count("\n") == 0
    assert path.name in str(caught.value)
    return str(caught.value)


# ---- the same table, whatever the file ---------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_is_the_same_from_every_kind_of_file(tmp_path, ending):
    path = write_table_of(tmp_path / f"pets.{ending}", kind=LABELS)
    table = read_table(path, "kind")
    assert table.columns == ["age", "height"]
    assert table.values.dtype == np.float64
    assert table.values.tolist() == [[30, 1.75], [41.5, 1.6], [28, 1.8]]
    assert table.labels().tolist() == LABELS
    assert (len(table), table.shape, table.target) == (3, (3, 2), "kind")


@pytest.mark.parametrize("ending", ENDINGS)
def test_names_are_read_without_the_rows(tmp_path, ending):
    path = write_table_of(tmp_path / f"pets.{ending}", kind=LABELS)
    assert column_names(path) == ["age", "height"] + ["kind"] * (ending != "npz")


@pytest.mark.parametrize("ending", ENDINGS)
def test_columns_come_in_the_order_asked_for(tmp_path, ending):
    path = write_table_of(tmp_path / f"pets.{ending}", kind=LABELS)
    table = read_table(path, "kind", features=["height", "age"])
    assert table.columns == ["height", "age"]
    assert table.values.tolist() == [[1.75, 30], [1.6, 41.5], [1.8, 28]]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_target_need_not_be_read(tmp_path, ending):
    path = write_table_of(tmp_path / f"pets.{ending}", kind=LABELS)
    table = read_table(path, ignore=["kind"], features=["age", "height"])
    assert table.shape == (3, 2)
    assert table.targets is None


@pytest.mark.parametrize("ending", ENDINGS)
def test_columns_to_ignore_may_be_there_or_not(tmp_path, ending):
    path = write_table_of(tmp_path / f"pets.{ending}", kind=LABELS)
    table = read_table(path, "kind", ignore=["age", "name"])
    assert table.columns == ["height"]


def test_a_column_that_is_ignored_may_hold_anything(tmp_path):
    path = write(tmp_path / "t.csv", "name,a,y\nRex,1,x\n,2,y\n")
    assert read_table(path, "y", ["name"]).values.tolist() == [[1], [2]]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["age", "height", "weight", "eyes"], "has no column 'weight', 'eyes', which was learned from"),
        (["age"], "has a column 'height', which was not learned from: leave it out"),
        (["age", "size"], "has no column 'size', which was learned from, but 'height', which was not"),
    ],
)
def test_other_columns_than_those_wanted_are_named(tmp_path, ending, features, message):
    path = write_table_of(tmp_path / f"pets.{ending}", kind=LABELS)
    assert refusal(path, "kind", features=features) == f"{path} {message}"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_with_nothing_but_its_target_is_refused(tmp_path, ending):
    path = write_table_of(tmp_path / f"pets.{ending}", {"age": [1, 2, 3]}, kind=LABELS)
    assert "must have a column of features" in refusal(path, "kind", ["age"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_target_that_is_no_column_is_refused_with_those_there_are(tmp_path, ending):
    path = write_table_of(tmp_path / f"pets.{ending}", kind=LABELS)
    assert refusal(path, "sort") == f"{path} has no column 'sort': there are 'age', 'height', 'kind'"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_missing_file_is_reported_as_missing(tmp_path, ending):
    pytest.importorskip("pyarrow")
    with pytest.raises(FileNotFoundError, match="gone"):
        read_table(tmp_path / f"gone.{ending}")


@pytest.mark.parametrize("name", ["data.xlsx", "data", "data.csv.gz", "csv"])
def test_an_unknown_ending_is_refused_with_those_that_are_known(tmp_path, name):
    for read in (read_table, column_names):
        with pytest.raises(ValueError, match=rf"{name} must end in \.csv, \.npz, \.parquet"):
            read(write(tmp_path / name, "a\n1\n"))


def test_upper_case_endings_are_known_too(tmp_path):
    assert len(read_table(write(tmp_path / "T.CSV", "a\n1\n"))) == 1


def test_a_table_is_a_frame_for_an_estimator():
    table = Table("t", ["a"], np.array([[1.0], [2.0]]))
    assert np.asarray(table) is table.values
    assert np.asarray(table, np.float32).dtype == np.float32
    copied = np.array(table)
    copied[:] = 0
    assert table.values.tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("n", "text"), [(0, ""), (2, "'0', '1'"), (3, "'0', '1', '2'"), (5, "'0', '1', …, '4' (5 in all)")]
)
def test_a_long_list_of_names_is_shortened_but_ends_as_it_ends(n, text):
    assert listed(range(n), most=3) == text


# ---- cells ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "came"),
    [
        ("abc", "'abc'"),
        ("", "a missing value"),
        ("  ", "a missing value"),
        ("NA", r"'NA' (a missing value)"),
        ("nan", r"'nan' (a missing value)"),
        ("NaN", r"'NaN' (a missing value)"),
        ("null", r"'null' (a missing value)"),
        ("N/A", r"'N/A' (a missing value)"),
        ("#N/A", r"'#N/A' (a missing value)"),
        ("<NA>", r"'<NA>' (a missing value)"),
        ("None", "'None'"),
        ("inf", "'inf'"),
        ("-Infinity", "'-Infinity'"),
        ("1e39", "'1e39'"),
        ("1_000", "'1_000'"),
        ("True", "'True'"),
        ("0x10", "'0x10'"),
        ('"1,5"', r"'1,5' (decimals are written with a point)"),
    ],
)
def test_a_cell_that_is_no_number_is_named_with_its_line_and_column(tmp_path, cell, came):
    path = write(tmp_path / "data.csv", f"a,age,y\n1,2,x\n\n1,{cell},x\n1,3,x\n")
    expected = f"{path}, line 4, column 'age': must be a finite number (float32), got {came}"
    assert refusal(path, "y") == expected


def test_a_line_is_counted_as_an_editor_counts_it(tmp_path):
    path = write(tmp_path / "data.csv", 'a,y\n1,"two\nlines"\n2,x\nbad,x\n')
    assert "line 5, column 'a'" in refusal(path, "y")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_a_value_that_is_not_finite_is_named_with_its_row_and_column(tmp_path, ending, value):
    features = {"age": [1.0, 2.0, 3.0], "height": [1.0, value, np.nan]}
    path = write_table_of(tmp_path / f"data.{ending}", features)
    came = "nan (a missing value)" if np.isnan(value) else repr(value)
    expected = f"{path}, row 2, column 'height': must be a finite number (float32), got {came}"
    assert refusal(path) == expected


def test_numbers_are_read_as_they_are_written(tmp_path):
    cells = ["1", "-2.5", "+3", "1e-3", ".5", "5.", "  7 ", '"8"', "3.4e38", "0", "-0.0"]
    path = write(tmp_path / "data.csv", "a\n" + "\n".join(cells) + "\n")
    numbers = [1, -2.5, 3, 0.001, 0.5, 5, 7, 8, 3.4e38, 0, 0]
    assert read_table(path).values[:, 0].tolist() == numbers


def test_values_whose_sum_is_large_are_good_if_each_of_them_is(tmp_path):
    path = write(tmp_path / "data.csv", "a,b\n3e38,-3e38\n")
    assert read_table(path).values.tolist() == [[3e38, -3e38]]


number = st.floats(-(2.0**127), 2.0**127)


@given(
    names=st.lists(st.text("aé,;\"' b\tc\n", min_size=1).map(str.strip), min_size=1, max_size=4, unique=True),
    rows=st.data(),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_as_csv_is_read_again(tmp_path_factory, names, rows, newline):
    names = [f"n{name}" for name in names]
    y = rows.draw(
        st.lists(st.text("xyz,\"' é\n-", min_size=1).map(lambda t: f"l{t}l"), min_size=1, max_size=5)
    )
    x = [rows.draw(st.lists(number, min_size=len(names), max_size=len(names))) for _ in y]
    text = io.StringIO()
    cells = [[*names, "the target"], *([*map(repr, row), label] for row, label in zip(x, y, strict=True))]
    csv.writer(text, lineterminator=newline).writerows(cells)
    header = text.getvalue().splitlines()[0]
    path = tmp_path_factory.getbasetemp() / "round.csv"
    write(path, text.getvalue())
    # not where a header has more of another separator in its names than of its own
    assume(max(header.count(";"), header.count("\t")) <= header.count(","))
    table = read_table(path, "the target")
    assert table.columns == names
    assert table.values.tolist() == x
    assert table.labels().tolist() == y


# ---- CSV -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
def test_values_are_separated_by_commas_semicolons_or_tabs(tmp_path, separator):
    lines = [["a", '"the, b"', "y"], ["1", "2", '"x;y,z"'], ["3", "4", '" p "']]
    path = write(tmp_path / "data.csv", "\n".join(separator.join(line) for line in lines))
    table = read_table(path, "y")
    assert table.columns == ["a", "the, b"]
    assert table.values.tolist() == [[1, 2], [3, 4]]
    assert table.labels().tolist() == ["x;y,z", "p"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_empty_lines_and_spaces_are_passed_over(tmp_path, newline):
    path = write(tmp_path / "data.csv", newline.join(["\ufeff a , y ", "1,x", "", " 2 , z "]))
    table = read_table(path, "y")
    assert table.columns == ["a"]
    assert table.values.tolist() == [[1], [2]]
    assert table.labels().tolist() == ["x", "z"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", " has no column 'y': there are none"),
        ("\n\n", " has no column 'y': there are none"),
        ("a,y\n", " must have at least one line after the header, got none"),
        ("a,y\n\n\n", " must have at least one line after the header, got none"),
        ("a,a,y\n1,2,3\n", ": the header names the column 'a' more than once"),
        ("a, a,y\n1,2,3\n", ": the header names the column 'a' more than once"),
        (
            ",a,y\n1,2,3\n",
            ": column 1 of the header has no name (pandas writes such a column, unless told index=False)",
        ),
        ("a,y\n1,0\n\n2\n", ", line 4: 1 values, but the header names 2 columns"),
        ("a,y\n1,0,5\n", ", line 2: 3 values, but the header names 2 columns"),
        ('a,y\n"1,0\n', ", line 2: unexpected end of data"),
        ("a,y\n1," + "x" * 200_000, ", line 2: field larger than field limit (131072)"),
    ],
)
def test_a_csv_file_that_is_not_one_says_where_and_why(tmp_path, content, message):
    path = write(tmp_path / "wrong.csv", content)
    assert refusal(path, "y") == f"{path}{message}"


@pytest.mark.parametrize("content", ["a,y\n1,ü\n".encode("latin-1"), "a,y\n1,x\n".encode("utf-16")])
def test_text_that_is_not_utf_8_is_refused(tmp_path, content):
    assert "must be text in UTF-8" in refusal(write(tmp_path / "wrong.csv", content), "y")


@given(content=st.binary(max_size=80) | st.text("a,;y\n1\"'x\r \t.", max_size=40).map(str.encode))
def test_no_bytes_whatever_raise_anything_but_a_value_error(tmp_path_factory, content):
    for ending in ["csv", "npz"] + ["parquet"] * has_pyarrow():
        path = tmp_path_factory.getbasetemp() / f"fuzz.{ending}"
        write(path, content)
        message = ""
        try:
            assert np.isfinite(read_table(path, "y").values).all()
        except ValueError as error:
            message = str(error)
        assert not message or f"fuzz.{ending}" in message


def has_pyarrow():
    return find_spec("pyarrow") is not None


# ---- NumPy archives ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x", "X"])
def test_an_archive_without_names_has_none(tmp_path, name):
    path = write_npz(tmp_path / "data.npz", **{name: np.arange(6, dtype=np.uint8).reshape(3, 2)}, y=LABELS)
    table = read_table(path, "y")
    assert table.columns is column_names(path) is None
    assert table.values.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert table.labels().tolist() == LABELS


def test_without_names_a_column_is_counted_from_one(tmp_path):
    path = write_npz(tmp_path / "data.npz", x=[[1.0, 2.0], [3.0, np.nan]])
    assert "row 2, column 2: must be a finite number" in refusal(path)


X = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": X, "y": LABELS}, " must hold the array 'x', but holds 'a', 'y'"),
        ({"x": X}, " must hold the array 'y', but holds 'x'"),
        ({}, " must hold the array 'x', but holds none"),
        ({"x": X[0], "y": LABELS}, "x in {} must hold numbers of shape (n, d), got shape (2,), float64"),
        ({"x": X[:0], "y": LABELS}, "x in {} must hold numbers of shape (n, d), got shape (0, 2), float64"),
        (
            {"x": X.astype(str), "y": LABELS},
            "x in {} must hold numbers of shape (n, d), got shape (3, 2), <U32",
        ),
        ({"x": X + 1j, "y": LABELS}, "got shape (3, 2), complex128"),
        (
            {"x": X, "y": LABELS[:2]},
            "y in {} must hold numbers or strings of shape (3,), one for each row of x",
        ),
        ({"x": X, "y": np.array(LABELS, "S")}, "got shape (3,), |S3"),
        ({"x": X, "y": LABELS, "columns": ["a"]}, "columns in {} must name 2 columns of x, but names 1"),
        (
            {"x": X, "y": LABELS, "columns": [1, 2]},
            "columns in {} must hold strings of shape (d,), got shape",
        ),
        ({"x": X, "y": LABELS, "columns": ["a", "a"]}, "names the column 'a' more than once"),
        ({"x": X, "y": np.array([None] * 3)}, " cannot be read as an .npz archive: Object arrays cannot be"),
    ],
)
def test_an_archive_with_the_wrong_arrays_is_refused(tmp_path, arrays, message):
    path = write_npz(tmp_path / "wrong.npz", **arrays)
    assert message.format(path) in refusal(path, "y")


def test_an_archive_without_names_can_not_be_matched_by_name(tmp_path):
    path = write_npz(tmp_path / "data.npz", x=X)
    expected = f"{path} must hold the array 'columns', to say which are 'a', 'b'"
    assert refusal(path, features=["a", "b"]) == expected


def test_nothing_in_an_archive_is_ever_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    objects = np.empty((3, 1), object)
    objects[:] = Bomb()
    for arrays in ({"x": objects}, {"x": X, "columns": objects}):
        assert "Object arrays cannot be loaded" in refusal(write_npz(tmp_path / "bomb.npz", **arrays))


def test_every_truncation_of_an_archive_is_refused(tmp_path):
    content = write_npz(tmp_path / "whole.npz", x=X, y=LABELS).read_bytes()
    for length in range(0, len(content), 7):
        assert refusal(write(tmp_path / "cut.npz", content[:length]), "y")


# ---- Parquet -------------------------------------------------------------------------------------------


def test_numbers_of_every_kind_are_read_from_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    kinds = (pyarrow.int8(), pyarrow.uint64(), pyarrow.float32(), pyarrow.float64(), pyarrow.bool_())
    columns = {f"c{k}": pyarrow.array([1, 0], pyarrow.int8()).cast(kind) for k, kind in enumerate(kinds)}
    columns["c9"] = pyarrow.array([1, 0]).cast(pyarrow.decimal128(21, 2))
    assert read_table(write_parquet(tmp_path / "t.parquet", **columns)).values.tolist() == [[1] * 6, [0] * 6]


def test_columns_of_parquet_are_those_of_that_name_and_no_others(tmp_path):
    path = write_parquet(tmp_path / "t.parquet", **{"a.b": [1.0], "a": [2.0], "b": [3.0]})
    assert read_table(path, features=["b", "a", "a.b"]).values.tolist() == [[3, 2, 1]]


def test_a_frame_of_pandas_keeps_its_index_to_itself(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"a": [1, 2, 3], "y": pandas.Categorical(LABELS)})
    frame[frame.a > 1].to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", "y")
    assert table.columns == ["a"]
    assert table.values.tolist() == [[2], [3]]
    assert table.labels().tolist() == ["dog", "cat"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": ["1", "2"]}, ", column 'a' must hold numbers, but holds string"),
        ({"a": [1.0, None]}, ", row 2, column 'a': must be a finite number (float32), got a missing value"),
        ({"a": [None, None]}, ", row 1, column 'a': must be a finite number (float32), got a missing value"),
        ({"a": []}, " must have at least one row, got none"),
        ({"a": [[1, 2], [3]]}, ", column 'a' must hold numbers, but holds list<"),
    ],
)
def test_columns_of_parquet_that_are_no_numbers_are_refused(tmp_path, columns, message):
    path = write_parquet(tmp_path / "wrong.parquet", **columns)
    assert refusal(path).startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["x", None], ", row 2, column 'y': must be a label or a number, got a missing value"),
        ([[1], [2]], ", column 'y' must hold strings or numbers, but holds list<"),
    ],
)
def test_targets_of_parquet_that_are_none_are_refused(tmp_path, y, message):
    path = write_parquet(tmp_path / "wrong.parquet", a=[1, 2], y=y)
    assert refusal(path, "y").startswith(f"{path}{message}")


def test_a_damaged_parquet_file_is_refused_or_read_but_never_fails_otherwise(tmp_path):
    content = write_parquet(tmp_path / "whole.parquet", a=[1.0, 2.0], y=["x", "z"]).read_bytes()
    for length in range(0, len(content), 37):
        assert refusal(write(tmp_path / "cut.parquet", content[:length]), "y")


def test_without_pyarrow_parquet_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match="pyarrow is not installed: pip install pyarrow"):
        read_table(write(tmp_path / "t.parquet", b""))


# ---- labels and numbers --------------------------------------------------------------------------------


def labelled(tmp_path, cells):
    lines = [f"{k},{cell}" for k, cell in enumerate(cells)]
    return read_table(write(tmp_path / "t.csv", "\n".join(["a,y", *lines])), "y")


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["3", "-1", "+2"], [3, -1, 2]),
        (["1.0", "2.0", "3."], [1, 2, 3]),
        (["3", "x", "2.5"], ["3", "x", "2.5"]),
        (["007", "12"], ["007", "12"]),
        (["1_0", "2"], ["1_0", "2"]),
        (["9" * 30, "2"], ["9" * 30, "2"]),
        (["True", "False"], ["True", "False"]),
        (["none", "None"], ["none", "None"]),
        ([" a b ", "ä", '"q,""r"""'], ["a b", "ä", 'q,"r"']),
    ],
)
def test_labels_that_are_all_whole_numbers_become_integers(tmp_path, cells, labels):
    read = labelled(tmp_path, cells).labels()
    assert read.tolist() == labels
    assert read.dtype.kind == ("i" if isinstance(labels[0], int) else "U")


def test_whole_numbers_stay_strings_where_labels_are_strings(tmp_path):
    assert labelled(tmp_path, ["1", "2.0"]).labels("U").tolist() == ["1", "2.0"]


@pytest.mark.parametrize(
    ("values", "labels"), [([1.0, 2.0], ["1", "2"]), ([1, 2], ["1", "2"]), ([True, False], ["True", "False"])]
)
def test_numbers_of_an_archive_become_strings_where_labels_are_strings(tmp_path, values, labels):
    path = write_npz(tmp_path / "t.npz", x=X[:2], y=values)
    assert read_table(path, "y").labels("U").tolist() == labels


def test_truth_values_are_read_where_labels_are_truth_values(tmp_path):
    assert labelled(tmp_path, ["True", "False"]).labels("b").tolist() == [True, False]
    with pytest.raises(ValueError, match="line 3, column 'y': must be True or False, got 'yes'"):
        labelled(tmp_path, ["True", "yes"]).labels("b")


@pytest.mark.parametrize("cell", ["x", "2.5", "9" * 30, "007"])
def test_a_name_is_refused_where_labels_are_numbers(tmp_path, cell):
    message = f"line 3, column 'y': must be a whole number, like the labels known, got '{cell}'"
    with pytest.raises(ValueError, match=message):
        labelled(tmp_path, ["1", cell]).labels("i")


@pytest.mark.parametrize("cells", [["1", "2.5"], ["1", "0.1"], ["1", "1e-3"], ["1", "inf"]])
def test_fractions_are_no_labels_where_all_targets_are_numbers(tmp_path, cells):
    message = f"line 3, column 'y': must be a name or a whole number, to be a label, got '{cells[1]}'"
    with pytest.raises(ValueError, match=message):
        labelled(tmp_path, cells).labels()


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_typed_labels_are_what_they_would_be_as_text(tmp_path, ending):
    for y, labels in (
        ([1.0, 2.0, 3.0], [1, 2, 3]),
        ([1, 2, 3], [1, 2, 3]),
        ([True, False, True], ["True", "False", "True"]),
        (["1", "2", "3"], [1, 2, 3]),
    ):
        read = read_table(write_table_of(tmp_path / f"t.{ending}", y=y), "y").labels()
        assert read.tolist() == labels
        assert read.dtype.kind in "iU"


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_a_typed_fraction_is_named_with_its_row(tmp_path, ending):
    table = read_table(write_table_of(tmp_path / f"t.{ending}", y=[1.0, 2.0, 2.5]), "y")
    with pytest.raises(ValueError, match=rf"t\.{ending}, row 3, column 'y': must be a name .*got 2\.5"):
        table.labels()


def test_numbers_too_long_for_int64_are_names(tmp_path):
    path = write_npz(tmp_path / "t.npz", x=X[:1], y=np.array([2**63], np.uint64))
    assert read_table(path, "y").labels().tolist() == [str(2**63)]


@pytest.mark.parametrize("cell", ["", " ", "NA", "nan", "NULL"])
def test_a_missing_target_is_named_with_its_line(tmp_path, cell):
    for read, wanted in (("labels", "a label"), ("numbers", r"a finite number \(float32\)")):
        with pytest.raises(ValueError, match=rf"line 3, column 'y': must be {wanted}, got .*a missing value"):
            getattr(labelled(tmp_path, ["1", cell, "x"]), read)()


def test_a_missing_target_of_an_archive_is_named_with_its_row(tmp_path):
    table = read_table(write_npz(tmp_path / "t.npz", x=X, y=[1.0, np.nan, np.nan]), "y")
    with pytest.raises(ValueError, match=r"row 2, column 'y': must be a label, got nan \(a missing value\)"):
        table.labels()


def test_targets_are_read_as_numbers(tmp_path):
    assert labelled(tmp_path, ["1", "2.5", "-1e3"]).numbers().tolist() == [1, 2.5, -1000]
    assert read_table(write_npz(tmp_path / "t.npz", x=X, y=[3, 1, 2]), "y").numbers().tolist() == [3, 1, 2]


@pytest.mark.parametrize("cell", ["x", "inf", "1e39", "1_0"])
def test_a_target_that_is_no_number_is_named_with_its_line(tmp_path, cell):
    message = rf"line 3, column 'y': must be a finite number \(float32\), got '{cell}'"
    with pytest.raises(ValueError, match=message):
        labelled(tmp_path, ["1", cell]).numbers()


def test_the_largest_number_is_that_of_float32(tmp_path):
    assert np.finfo(np.float32).max == tables._LARGEST
    assert labelled(tmp_path, [repr(tables._LARGEST)]).numbers()[0] == tables._LARGEST


# ---- chunks --------------------------------------------------------------------------------------------


def joined(chunks):
    """Return chunks as one table; each of them says where it began."""
    chunks = list(chunks)
    assert [chunk.first for chunk in chunks] == np.cumsum([0, *map(len, chunks)])[:-1].tolist()
    targets = None if chunks[0].targets is None else np.concatenate([chunk.targets for chunk in chunks])
    lines = None if chunks[0].lines is None else [line for chunk in chunks for line in chunk.lines]
    values = np.concatenate([chunk.values for chunk in chunks])
    return Table(chunks[0].path, chunks[0].columns, values, chunks[0].target, targets, lines)


def same_table(one, other):
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.values.dtype, one.columns, one.target) == (other.values.dtype, other.columns, other.target)
    assert (one.targets is None) == (other.targets is None)
    if one.targets is not None:
        assert (one.targets.tolist(), one.targets.dtype) == (other.targets.tolist(), other.targets.dtype)
    assert (one.lines and list(one.lines)) == (other.lines and list(other.lines))


WAYS = ["csv", "npz", "packed.npz", "columns.npz", "unnamed.npz", "parquet", "groups.parquet"]


def write_in(way, folder, x, y):
    """Write a table with the features a, b, … in one of the ways that a format has."""
    path, names = folder / f"t.{way}", [chr(ord("a") + k) for k in range(x.shape[1])]
    if way.endswith("npz"):
        save = np.savez_compressed if way == "packed.npz" else np.savez
        x = np.asfortranarray(x) if way == "columns.npz" else x
        save(path, x=x, kind=np.array(y), **({} if way == "unnamed.npz" else {"columns": names}))
    elif way == "groups.parquet":
        from pyarrow import table
        from pyarrow.parquet import write_table

        columns = dict(zip(names, x.T, strict=True)) | {"kind": y}
        write_table(table(columns), path, row_group_size=3)
    else:
        write_table_of(path, dict(zip(names, x.T.tolist(), strict=True)), kind=y)
    return path


@pytest.mark.parametrize("way", WAYS)
@given(n=st.integers(1, 9), d=st.integers(1, 3), rows=st.integers(1, 12), seed=st.integers(0, 99))
def test_chunks_joined_are_the_table(tmp_path_factory, way, n, d, rows, seed):
    if way.endswith("parquet"):
        pytest.importorskip("pyarrow")
    rng = np.random.default_rng(seed)
    y = ["cat", 3, 2.5][seed % 3]
    path = write_in(way, tmp_path_factory.getbasetemp(), rng.normal(size=(n, d)), [y] * n)
    for options in ({"target": "kind"}, {"ignore": ["kind"]}, {"target": "kind", "features": "cba"[-d:]}):
        if way == "unnamed.npz" and "features" in options:
            continue
        chunks = list(read_chunks(path, rows=rows, **options))
        assert max(map(len, chunks)) <= rows
        assert min(map(len, chunks)) >= 1
        same_table(joined(chunks), read_table(path, **options))
    for chunk in read_chunks(path, "kind", rows=rows):
        assert chunk.labels("U").tolist() == read_table(path, "kind").labels("U").tolist()[: len(chunk)]


@given(cells=st.lists(st.sampled_from(["1", "2.0", "2.5", "x", "007", "", "nan"]), min_size=1, max_size=7))
def test_the_kind_of_labels_is_what_the_whole_table_would_say(tmp_path_factory, cells):
    path = tmp_path_factory.getbasetemp() / "kind.csv"
    write(path, "\n".join(["a,y", *(f"{k},{cell}" for k, cell in enumerate(cells))]))

    def outcome(read):
        try:
            return read()
        except ValueError as error:
            return str(error)

    expected = outcome(lambda: read_table(path, "y").labels().dtype.kind)
    for rows in (1, 2, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tables, "CHUNK_ROWS", rows)
            assert outcome(lambda: label_kind(path, "y")) == expected


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_kind_of_typed_labels_is_found_without_the_features(tmp_path, ending):
    path = write_table_of(tmp_path / f"t.{ending}", {"a": [1.0, np.nan, 3.0]}, y=[1.0, 2.0, 3.0])
    seen = []
    assert label_kind(path, "y", seen.append) == "i"
    assert seen == [3]
    path = write_table_of(tmp_path / f"t.{ending}", {"a": [1.0, 2.0, 3.0]}, y=[1.0, 2.0, 2.5])
    with pytest.raises(ValueError, match=r"(row 3|line 4), column 'y': must be a name or a whole number"):
        label_kind(path, "y")
    for wrong in (label_kind, lambda path, target: next(read_chunks(path, target))):
        with pytest.raises(ValueError, match="'sort'"):
            wrong(path, "sort")


LATE_FAULTS = {
    "csv": [
        "a,y\n1,x\n1,x\n1,x\n1,x\nno,x\n",
        "a,y\n1,x\n1,x\n\n1,x\n1,x\n,x\n1,x",
        "a,y\n1,x\n1,x\n1,x\n1,x\n1,x,3\n",
        'a,y\n1,x\n1,"x\n"\n1,x\n1,x\n"1,x\n',
        b"a,y\n1,x\n1,x\n1,x\n1,x\n1,\xe4\n",
    ],
    "npz": [{"x": [[1.0]] * 4 + [[np.inf]], "y": list("abcde")}],
    "parquet": [
        {"a": [1.0, 1.0, 1.0, 1.0, None], "y": list("abcde")},
        {"a": [1.0, 1.0, 1.0, 1.0, np.nan], "y": list("abcde")},
        {"a": [1.0, 1.0, 1.0, 1.0, 1.0], "y": [*"abcd", None]},
    ],
}


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("ending", "content"), [(ending, fault) for ending in ENDINGS for fault in LATE_FAULTS[ending]]
)
def test_a_fault_in_a_late_chunk_is_named_as_in_the_whole(tmp_path, ending, content, rows):
    path = tmp_path / f"late.{ending}"
    make = {"csv": write, "npz": write_npz, "parquet": write_parquet}[ending]
    make(path, **content) if isinstance(content, dict) else make(path, content)
    expected = refusal(path, "y")
    chunks, read = read_chunks(path, "y", rows=rows), []
    with pytest.raises(ValueError, match=r".") as caught:
        read.extend(map(len, chunks))  # keeps what came before the error
    assert str(caught.value) == expected
    assert sum(read) == (0 if ending == "csv" and b"\xe4" in path.read_bytes() else 4 // rows * rows)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_bad_target_in_a_late_chunk_is_named_as_in_the_whole(tmp_path, ending):
    for y, read in (([1.0, 2.0, 2.5], "labels"), ([1.0, 2.0, np.inf], "numbers"), (list("abc"), "numbers")):
        path = write_table_of(tmp_path / f"t.{ending}", {"a": [1.0, 2.0, 3.0]}, y=y)
        kind = ["i"] if read == "labels" else []
        with pytest.raises(ValueError, match=r".") as expected:
            getattr(read_table(path, "y"), read)(*kind)
        with pytest.raises(ValueError, match=r".") as caught:
            [getattr(chunk, read)(*kind) for chunk in read_chunks(path, "y", rows=1)]
        assert str(caught.value) == str(expected.value)


def test_an_array_that_ends_early_or_is_damaged_is_refused_in_chunks_too(tmp_path):
    content = write_npz(tmp_path / "whole.npz", x=X, y=LABELS).read_bytes()
    for length in range(0, len(content), 7):
        path = write(tmp_path / "cut.npz", content[:length])
        with pytest.raises(ValueError, match=r"cut\.npz"):
            list(read_chunks(path, "y", rows=1))
    damaged = content.replace(np.array(LABELS).tobytes(), np.array(["cow", "dog", "cat"]).tobytes())
    with pytest.raises(ValueError, match=r"cut\.npz cannot be read as an \.npz archive: Bad CRC-32"):
        list(read_chunks(write(tmp_path / "cut.npz", damaged), "y", rows=1))


@pytest.mark.parametrize("shape", [(9, 2), (-3, 2), (2**50, 2)])
def test_an_array_that_is_shorter_than_it_says_is_refused(tmp_path, shape):
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("x.npy", array.getvalue() + X.tobytes())
    assert refusal(tmp_path / "t.npz")
    with pytest.raises(ValueError, match=r"t\.npz"):
        list(read_chunks(tmp_path / "t.npz"))


@pytest.mark.parametrize(("rows", "error"), [(0, ValueError), (2.0, TypeError), (np.inf, TypeError)])
def test_a_chunk_has_a_whole_number_of_rows(tmp_path, rows, error):
    with pytest.raises(error, match="rows must be a whole number"):
        read_chunks(write(tmp_path / "t.csv", "a\n1\n"), rows=rows)


def test_chunks_have_eight_megabytes_of_features_but_not_too_many_rows(tmp_path, monkeypatch):
    assert [chunk_rows(d) for d in (0, 1, 1024, 2**20, 2**21)] == [65536, 65536, 1024, 1, 1]
    monkeypatch.setattr(tables, "CHUNK_BYTES", 32)
    path = write(tmp_path / "t.csv", "a,b\n" + "1,2\n" * 5)
    assert [len(chunk) for chunk in read_chunks(path)] == [2, 2, 1]


def test_a_file_is_closed_when_only_its_first_chunk_is_wanted(tmp_path):
    for way in WAYS if has_pyarrow() else WAYS[:5]:
        path = write_in(way, tmp_path, np.zeros((4, 1)), ["x"] * 4)
        chunks = read_chunks(path, "kind", rows=1)
        assert len(next(chunks)) == 1
        chunks.close()  # a file left open would be a ResourceWarning
        del chunks


MEASURED = r"""
import re
from incrlearn.tables import label_kind, read_chunks, read_table
path, small = {path!r}, {small!r}

def peak():  # in MB; getrusage would begin with what our parent had
    return int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) / 1024

def read(path):
    if {rows}:
        assert label_kind(path, "y") == "U"
        return sum(len(chunk) for chunk in read_chunks(path, "y", rows={rows}))
    return len(read_table(path, "y"))

read(small)  # with all that is imported on the way
before = peak()
assert read(path) == 200_000
print(peak() - before)
"""


def long_table(path, n):
    """Write n rows of 20 numbers and a label, a thousand different ones again and again."""
    rng = np.random.default_rng(0)
    lines = [
        ",".join([*(f"{v:.4f}" for v in row), f"c{k % 5}"])
        for k, row in enumerate(rng.normal(size=(1000, 20)))
    ]
    header = ",".join([*(f"x{k}" for k in range(20)), "y"])
    return write(path, header + "\n" + ("\n".join(lines) + "\n") * (n // 1000))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what was the most")
def test_the_memory_that_chunks_take_does_not_grow_with_the_file(tmp_path):
    path, small = long_table(tmp_path / "t.csv", 200_000), long_table(tmp_path / "small.csv", 1000)
    of = {
        rows: float(run_python(MEASURED.format(path=str(path), small=str(small), rows=rows)))
        for rows in (0, 1000)
    }
    assert of[0] > 32  # 200,000 rows of 20 numbers of 8 bytes: what is measured is what is meant
    assert of[1000] < 16
