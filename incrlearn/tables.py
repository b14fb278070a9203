"""Tables: rows of numbers and what is to be learned from them, out of a CSV file, a NumPy archive or Parquet.

The command line and the benchmark take files that people made, and most files have something wrong with them.
So they are all read here, with one rule for what a good table is: every value is there and is a number, and
whatever is not is named with its file, its row and its column. Nothing is guessed, filled in or left out.

    .csv        text in UTF-8, a header line of column names, then a row a line
    .npz        an array x (or X) of shape (n, d), the targets in another, the names, if any, in `columns`
    .parquet    needs pyarrow

A table is read whole (`read_table`) or in chunks of rows (`read_chunks`), by the same code: the whole is one
chunk that takes all.
"""

import csv
import math
import re
from array import array
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from . import _checks

#: of features in a chunk: what is done once a chunk costs nothing beside the work on so many numbers, and a
#: dozen copies of them, as text, in hidden features, in products, still fit into any computer's memory
CHUNK_BYTES = 8 << 20
#: in a chunk at most: a row costs memory besides its features, such as its label as a string
CHUNK_ROWS = 1 << 16

_LARGEST = float(np.finfo(np.float32).max)  # what a network of float32 can take in
_NUMBER = "a finite number (float32)"
_MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "+nan", "-nan", "null"}  # as others write it
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.0*)?")  # 007 is a name, and so is what is too long for int64
_INDEX = re.compile(r"__index_level_[0-9]+__")  # what pandas puts beside the columns of a Parquet file


class BadValue(ValueError):
    """A value that is missing, or not what its column must hold; the message says which."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of features, with the targets where they were asked for: a whole file, or a chunk of it.

    An estimator takes it for a frame: it has `columns` and becomes an array.

    Parameters
    ----------
    path : str or path
        Where it comes from.
    columns : list of str or None
        Names of the features; None where the file has none.
    values : ndarray of shape (n, d), float64
        The features: finite, and within what float32 can hold.
    target : str, optional
        What the targets are called.
    targets : ndarray of shape (n,), optional
        The targets as they came: strings, integers or float64. See `labels` and `numbers`.
    lines : sequence of int, optional
        In which line of a text file each row ends.
    first : int
        How many rows of the file come before these.
    """

    path: str
    columns: list | None
    values: np.ndarray
    target: str | None = None
    targets: np.ndarray | None = None
    lines: array | None = None
    first: int = 0

    def __len__(self):
        return len(self.values)

    @property
    def shape(self):
        """Return (n, d)."""
        return self.values.shape

    def __array__(self, dtype=None, copy=None):
        values = self.values if dtype is None else self.values.astype(dtype, copy=False)
        return values.copy() if copy else values

    def labels(self, kind=None):
        """Return the targets as labels: int64 if all are whole numbers, otherwise strings.

        Parameters
        ----------
        kind : {"i", "U", "b"}, optional
            What they have to be, where labels are known already: "U" leaves whole numbers strings, and "b"
            asks for True and False. Of a chunk, it is what `label_kind` says of the whole file.

        Raises
        ------
        ValueError
            If one is missing, or not of that kind; or if all are numbers, but not whole ones.
        """
        self._refuse_missing("a label")
        kind = kind or _kind_of([self])
        values = self.targets.tolist()
        if kind == "b":
            self._refuse([value not in ("True", "False") for value in values], "True or False")
            return self.targets == "True"
        if kind == "i":
            integers = [_integer(value) for value in values]
            self._refuse([number is None for number in integers], "a whole number, like the labels known")
            return np.array(integers, np.int64)
        return np.array([_text(value) for value in values])

    def numbers(self):
        """Return the targets as numbers, float64.

        Raises
        ------
        ValueError
            If one is missing, or is not a finite number that float32 can hold.
        """
        self._refuse_missing(_NUMBER)
        numbers = np.array([_number(value) for value in self.targets.tolist()], np.float64)
        self._refuse(np.isnan(numbers).tolist(), _NUMBER)
        return numbers

    def _refuse_missing(self, wanted):
        if self.targets.dtype.kind in "fU":
            self._refuse([_is_missing(value) for value in self.targets.tolist()], wanted)

    def _refuse(self, bad, wanted):
        """Raise a ValueError that names the first bad target, where there is one."""
        error = self._refusal(bad, wanted)
        if error:
            raise error

    def _refusal(self, bad, wanted):
        """Return the error that names the first bad target, or None."""
        if True not in bad:
            return None
        row = bad.index(True)
        where = f"line {self.lines[row]}" if self.lines else f"row {self.first + row + 1}"
        return _refusal(f"{self.path}, {where}", self.target, wanted, self.targets[row].item())


def column_names(path):
    """Return the names of all columns of a table, of which no more than these is read.

    Parameters
    ----------
    path : str or path
        A file that ends in .csv, .npz or .parquet.

    Returns
    -------
    list of str or None
        None where an archive has no names.

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError, ValueError
        As in `read_table`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     written = path.write_text("length,width,kind\\n5.1,3.5,iris\\n")
    ...     column_names(path)
    ['length', 'width', 'kind']
    """
    return _reader(path)[0](path)


def read_table(path, target=None, ignore=(), features=None):
    """Read a table whose features are all finite numbers.

    Parameters
    ----------
    path : str or path
        A file that ends in .csv, .npz or .parquet. In a CSV file values are separated by commas, or by
        semicolons or tabs if the header has more of those.
    target : str, optional
        The column (in an archive: the array) that holds the targets; it is no feature.
    ignore : iterable of str
        Columns that are no features either. They need not be there.
    features : sequence of str, optional
        The names that the features must have, and the order to bring them into. If None, all columns
        that are left are features.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModuleNotFoundError
        If the file is Parquet, and pyarrow is not installed.
    ValueError
        If the file is not what its ending says, has no rows, columns without or with equal names, other
        columns than `target` and `features`, or a value that is missing or not a finite number.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     written = path.write_text("length,width,kind\\n5.1,3.5,iris\\n7.0,3.2,rose\\n")
    ...     flowers = read_table(path, target="kind", features=["width", "length"])
    >>> flowers.columns, flowers.values.tolist(), flowers.labels().tolist()
    (['width', 'length'], [[3.5, 5.1], [3.2, 7.0]], ['iris', 'rose'])
    """
    (table,) = _reader(path)[1](path, target, set(ignore), features, math.inf)
    return table


def read_chunks(path, target=None, ignore=(), features=None, rows=None):
    """Read a table chunk by chunk, in an amount of memory that does not grow with the file.

    What is good, and how it is said what is not, is as in `read_table`; but a fault is reported when its
    chunk is reached, and those before it have been handed out.

    From an archive, arrays are read piece by piece, compressed or not; but one that is stored column after
    column ("fortran_order") is loaded whole, and then cut. Of Parquet, some pages of every column are held as
    well: how large they are, and the row groups that they are in, is for the file's writer to choose.

    Parameters
    ----------
    path, target, ignore, features :
        As for `read_table`.
    rows : int, optional
        How many rows a chunk has, ≥ 1; the last may have fewer, and chunks of Parquet may, too. If None,
        as many as `chunk_rows` says.

    Returns
    -------
    iterator of Table
        At least one, none of them empty. What is wrong is raised as one goes on.

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError, ValueError
        As `read_table`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     written = path.write_text("length,kind\\n5.1,iris\\n7.0,rose\\n4.9,iris\\n")
    ...     for chunk in read_chunks(path, target="kind", rows=2):
    ...         print(chunk.first, chunk.values[:, 0], chunk.labels("U"))
    0 [5.1 7. ] ['iris' 'rose']
    2 [4.9] ['iris']
    """
    if rows is not None:
        rows = _checks.count("rows", rows)
    return _reader(path)[1](path, target, set(ignore), features, rows)


def chunk_rows(width):
    """Return how many rows a chunk has: `CHUNK_BYTES` of float64, at least 1 row, at most `CHUNK_ROWS`.

    Parameters
    ----------
    width : int
        How many numbers a row has.

    Returns
    -------
    int

    Examples
    --------
    >>> chunk_rows(1), chunk_rows(784), chunk_rows(10**7)
    (65536, 1337, 1)
    """
    return min(max(CHUNK_BYTES // (8 * max(width, 1)), 1), CHUNK_ROWS)


def label_kind(path, target, seen=None):
    """Return what `Table.labels` would make of all targets of a file, of which it reads nothing else.

    Whether labels are numbers is known when all of them have been seen, and chunks of them are to be read
    alike: `chunk.labels(label_kind(path, target))`.

    Parameters
    ----------
    path : str or path
    target : str
        The column (in an archive: the array) that holds the targets.
    seen : callable, optional
        Is told, again and again, how many rows have been seen: for a progress bar.

    Returns
    -------
    "i" or "U"
        Whether all are whole numbers, or they are strings.

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError, ValueError
        As `read_table` and `Table.labels`, of what is wrong with the targets.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     written = path.write_text("length,kind\\n5.1,1\\n7.0,2\\n4.9,wild\\n")
    ...     label_kind(path, "kind")
    'U'
    """
    tables = _reader(path)[1](path, target, set(column_names(path) or ()), (), None)
    return _kind_of(tables if seen is None else _counted(tables, seen))


def listed(names, most=8):
    """Say names in a message: the first and the last, which is often the target.

    Examples
    --------
    >>> listed(["a", "b", "c", "d", "e"], most=3)
    "'a', 'b', …, 'e' (5 in all)"
    """
    shown = [repr(str(name)) for name in names]
    if len(shown) > most:
        shown = [*shown[: most - 1], "…", f"{shown[-1]} ({len(shown)} in all)"]
    return ", ".join(shown)


@contextmanager
def archive(path):
    """Open a NumPy archive to read arrays from: whatever goes wrong is a ValueError that names the file.

    Parameters
    ----------
    path : str or path

    Yields
    ------
    mapping of str to ndarray
        Read without pickle.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "a.npz"), x=np.arange(3))
    ...     with archive(Path(folder, "a.npz")) as arrays:
    ...         arrays["x"]
    array([0, 1, 2])
    """
    with _opened(path) as arrays, _unpacking(path):
        yield arrays


def _reader(path):
    """Return the two functions that read files of this kind: their names, and their rows in chunks.

    Those that read rows take path, target, ignore (a set), features, and how many rows a chunk has: None for
    `chunk_rows`, and infinity for a single chunk.
    """
    ending = Path(path).suffix.lower()
    if ending not in _READERS:
        raise ValueError(f"{path} must end in {', '.join(_READERS)}, to say what kind of table it is")
    return _READERS[ending]


# ---- CSV ---------------------------------------------------------------------------------------------


def _csv_names(path):
    with _csv_lines(path) as lines:
        return _header(path, lines)


def _csv_chunks(path, target, ignore, features, rows):
    first = 0
    with _csv_lines(path) as lines:
        names = _header(path, lines)
        features = _chosen(path, names, target, ignore, features)
        rows = rows or chunk_rows(len(features))
        parsed = _csv_rows(path, lines, names, features, target)
        while True:
            values, targets, numbers_of_lines = array("d"), [], array("q")
            for numbers, label in islice(parsed, None if rows == math.inf else rows):
                values.extend(numbers)
                targets.append(label)
                numbers_of_lines.append(lines.line_num)
            n = len(numbers_of_lines)
            if not n:
                break
            x = np.frombuffer(values).reshape(n, -1) if features else np.empty((n, 0))
            y = None if target is None else np.array(targets)
            yield Table(path, features, x, target, y, numbers_of_lines, first)
            first += n
    if not first:
        raise ValueError(f"{path} must have at least one line after the header, got none")


def _csv_rows(path, lines, names, features, target):
    """Yield the numbers of every row, and its target or None."""
    chosen = [names.index(name) for name in features]
    label = None if target is None else names.index(target)
    for cells in lines:
        if not cells:  # an empty line, as often at a file's end
            continue
        at = f"{path}, line {lines.line_num}"
        if len(cells) != len(names):
            raise ValueError(f"{at}: {len(cells)} values, but the header names {len(names)} columns")
        numbers = _row(at, features, [cells[index] for index in chosen])
        yield numbers, None if label is None else cells[label].strip()


@contextmanager
def _csv_lines(path):
    """Open a CSV file; what is wrong with its text is a ValueError that names the file."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            header = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=header.count)
            lines = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
            yield lines
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} must be text in UTF-8: {error}") from error
        except csv.Error as error:
            raise ValueError(f"{path}, line {lines.line_num}: {error}") from error


def _header(path, lines):
    return _different(path, [name.strip() for name in next(lines, [])])


def _row(at, features, cells):
    """Return the cells of a line as numbers."""
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        numbers = [math.nan]
    # where the sum is small enough, so is every one of them; and no table means 1000 by 1_000, as Python does
    if sum(map(abs, numbers)) <= _LARGEST and "_" not in "".join(cells):
        return numbers
    numbers = [_number(cell) for cell in cells]
    for name, cell, number in zip(features, cells, numbers, strict=True):
        if math.isnan(number):
            raise _refusal(at, name, _NUMBER, cell)
    return numbers


# ---- NumPy archives ----------------------------------------------------------------------------------


def _npz_names(path):
    with archive(path) as arrays:
        if "columns" not in arrays.files:
            return None
        names = np.asarray(arrays["columns"])
    if names.ndim != 1 or names.dtype.kind != "U":
        raise ValueError(f"columns in {path} must hold strings of shape (d,), got {_said(names)}")
    return _different(path, names.tolist())


def _npz_chunks(path, target, ignore, features, rows):
    names = _npz_names(path)
    with _opened(path) as arrays:
        with _unpacking(path):
            x = next((_Pieces(arrays, name) for name in ("x", "X") if name in arrays.files), None)
            y = _Pieces(arrays, target) if target in arrays.files else None
        _check_npz(path, target, arrays.files, x, y)
        chosen, features = _npz_chosen(path, names, x.shape, ignore | {target}, features)
        rows = min(rows or chunk_rows(len(chosen)), len(x))
        for first in range(0, len(x), rows):
            n = min(rows, len(x) - first)
            with _unpacking(path):
                part = x.read(n) if len(chosen) else np.empty((n, 0))
                targets = y and y.read(n)
            if names is not None and len(chosen):
                part = part[:, chosen]
            if y and targets.dtype.kind == "b":
                targets = targets.astype(str)
            yield Table(path, features, _finite(path, features, part, first), target, targets, None, first)


class _Pieces:
    """An array of an archive, read piece by piece from its first row to its last.

    NumPy loads such an array whole. Columns one after another are left to it, and cut; so are objects, which
    it refuses, and what is of a kind that it may bring in the future.
    """

    def __init__(self, arrays, name):
        self._file = arrays.zip.open(name if name in arrays.zip.namelist() else f"{name}.npy")
        self._load, self._whole, self._next = (lambda: np.asarray(arrays[name])), None, 0
        version = np.lib.format.read_magic(self._file)
        if version in _NPY_HEADERS:
            self.shape, by_columns, self.dtype = _NPY_HEADERS[version](self._file)
            self._cut = by_columns and len(self.shape) > 1
        if version not in _NPY_HEADERS or self.dtype.hasobject or not self.dtype.itemsize:
            self._whole, self._cut = self._load(), True
            self.shape, self.dtype = self._whole.shape, self._whole.dtype

    def __len__(self):
        return self.shape[0]

    def read(self, n):
        """Return the next n rows, which must be there."""
        start, self._next = self._next, self._next + n
        if self._cut:
            self._whole = self._load() if self._whole is None else self._whole
            return self._whole[start : self._next]
        rows = np.empty((n, *self.shape[1:]), self.dtype)
        to_fill = rows.reshape(-1).view(np.uint8)
        done = 0
        while done < len(to_fill):
            read = self._file.read(min(len(to_fill) - done, _ZIP_BYTES))
            if not read:
                raise ValueError(f"an array ends before row {start + n} of its {len(self)} rows")
            to_fill[done : done + len(read)] = np.frombuffer(read, np.uint8)
            done += len(read)
        return rows


_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_ZIP_BYTES = 1 << 18  # as NumPy does: in larger pieces zipfile is slower


@contextmanager
def _opened(path):
    """Open a NumPy archive; that it can not be opened is a ValueError that names the file."""
    with open(path, "rb") as file:
        start = file.read(2)
        if start != b"PK":
            raise ValueError(f"{path} must be an .npz archive and begin with b'PK', but begins with {start}")
        file.seek(0)
        with _unpacking(path):
            arrays = np.load(file, allow_pickle=False)
        with arrays:
            yield arrays


@contextmanager
def _unpacking(path):
    """Turn whatever goes wrong with an archive into a ValueError that names the file."""
    try:
        yield
    except Exception as error:  # a damaged zip or array raises any of a dozen kinds
        raise ValueError(f"{path} cannot be read as an .npz archive: {error}") from error


def _check_npz(path, target, found, x, y):
    """Refuse an archive without x and the target, and those that are no table."""
    for name, values in (("x", x), (target, y)):
        if name is not None and values is None:
            raise ValueError(f"{path} must hold the array {name!r}, but holds {listed(found) or 'none'}")
    if x.dtype.kind not in "biuf" or len(x.shape) != 2 or min(x.shape) < 1:
        raise ValueError(f"x in {path} must hold numbers of shape (n, d), got {_said(x)}")
    if y is not None and (y.dtype.kind not in "biufU" or y.shape != (len(x),)):
        raise ValueError(
            f"{target} in {path} must hold numbers or strings of shape ({len(x)},), one for each row of x, "
            f"got {_said(y)}"
        )


def _npz_chosen(path, names, shape, ignore, features):
    """Return which columns of x are features, and their names, if they have any."""
    if names is None:
        if features:
            raise ValueError(f"{path} must hold the array 'columns', to say which are {listed(features)}")
        return range(shape[1] if features is None else 0), None
    if len(names) != shape[1]:
        raise ValueError(f"columns in {path} must name {shape[1]} columns of x, but names {len(names)}")
    features = _chosen(path, names, None, ignore, features)
    return [names.index(name) for name in features], features


def _said(array):
    return f"{_checks.shape_of(array)}, {array.dtype}"


# ---- Parquet -----------------------------------------------------------------------------------------


def _parquet_names(path):
    with _parquet(path) as file:
        names = file.schema_arrow.names
    return _different(path, [name for name in names if not _INDEX.fullmatch(name)])


def _parquet_chunks(path, target, ignore, features, rows):
    features = _chosen(path, _parquet_names(path), target, ignore, features)
    wanted = features if target is None else [*features, target]
    first = 0
    # else a whole row group's bytes are held, which can be the whole file
    buffer = 0 if rows == math.inf else _PARQUET_BYTES
    with _parquet(path, buffer) as file:
        for columns in _parquet_parts(file, wanted, rows or chunk_rows(len(features))):
            n = len(columns)
            x = np.empty((n, len(features)))
            for k, name in enumerate(features):
                x[:, k] = _parquet_numbers(path, name, columns[name], first)
            y = None if target is None else _parquet_targets(path, target, columns[target], first)
            yield Table(path, features, _finite(path, features, x, first), target, y, None, first)
            first += n
    if not first:
        raise ValueError(f"{path} must have at least one row, got none")


def _parquet_parts(file, names, rows):
    """Yield the columns of some rows after another, or all at once."""
    from pyarrow import Table as Columns

    if rows == math.inf:
        parts = [file.read(columns=names)]
    else:
        batches = file.iter_batches(rows, columns=names, use_threads=False)  # threads read far ahead
        parts = (Columns.from_batches([batch]) for batch in batches)
    yield from (part for part in parts if len(part))


_PARQUET_BYTES = 1 << 16  # of every column, read at once


@contextmanager
def _parquet(path, buffer=0):
    """Open a Parquet file; what is wrong with it is a ValueError that names the file."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ModuleNotFoundError(f"{path}: pyarrow is not installed: pip install pyarrow") from None
    with open(path, "rb") as file:
        try:
            yield ParquetFile(file, buffer_size=buffer, pre_buffer=False)
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{path} cannot be read as Parquet: {error}") from error


def _parquet_numbers(path, name, column, first):
    from pyarrow import float64, types

    _no_nulls(path, name, column, first, _NUMBER)
    kind = column.type
    numeric = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    if not any(is_kind(kind) for is_kind in numeric):
        raise ValueError(f"{path}, column {name!r} must hold numbers, but holds {kind}")
    return column.cast(float64(), safe=False).to_numpy()


def _parquet_targets(path, name, column, first):
    """Return targets as strings, integers or float64."""
    from pyarrow import types

    _no_nulls(path, name, column, first, "a label or a number")
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_integer(kind):
        return np.array(column.to_pylist())
    if types.is_floating(kind) or types.is_decimal(kind):
        return np.array(column.to_pylist(), np.float64)
    if types.is_boolean(kind) or kind in _text_types():
        return np.array([str(value) for value in column.to_pylist()])
    raise ValueError(f"{path}, column {name!r} must hold strings or numbers, but holds {kind}")


def _text_types():
    import pyarrow

    return pyarrow.string(), pyarrow.large_string()


def _no_nulls(path, name, column, first, wanted):
    if column.null_count:
        row = first + int(column.is_null().to_numpy().argmax())
        raise _refusal(f"{path}, row {row + 1}", name, wanted, "")


# ---- what all of them share --------------------------------------------------------------------------

_READERS = {
    ".csv": (_csv_names, _csv_chunks),
    ".npz": (_npz_names, _npz_chunks),
    ".parquet": (_parquet_names, _parquet_chunks),
}


def _different(path, names):
    """Return column names that are all there and all different."""
    if "" in names:
        raise ValueError(
            f"{path}: column {names.index('') + 1} of the header has no name "
            "(pandas writes such a column, unless told index=False)"
        )
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise ValueError(f"{path}: the header names the column {twice!r} more than once")
    return names


def _chosen(path, names, target, ignore, features):
    """Return the names of the features in the order wanted; refuse a table with other columns."""
    if target is not None and target not in names:
        raise ValueError(f"{path} has no column {target!r}: there are {listed(names) or 'none'}")
    left = [name for name in names if name != target and name not in ignore]
    if features is None:
        if not left:
            raise ValueError(f"{path} must have a column of features, got {names or 'an empty header'}")
        return left
    there, wanted = set(left), set(features)
    missing = [name for name in features if name not in there]
    extra = [name for name in left if name not in wanted]
    if missing:
        but = f", but {listed(extra)}, which was not" if extra else ""
        raise ValueError(f"{path} has no column {listed(missing)}, which was learned from{but}")
    if extra:
        raise ValueError(f"{path} has a column {listed(extra)}, which was not learned from: leave it out")
    return list(features)


def _finite(path, features, values, first):
    """Return `values` as float64, all finite and within float32."""
    with np.errstate(over="ignore"):  # longdouble; becomes inf, which is refused
        values = values.astype(np.float64, copy=False)
    good = np.abs(values) <= _LARGEST  # NaN is not
    if not good.all():
        row, k = (int(index) for index in np.argwhere(~good)[0])
        column = features[k] if features else k + 1
        raise _refusal(f"{path}, row {first + row + 1}", column, _NUMBER, values[row, k].item())
    return values


def _refusal(at, column, wanted, came):
    """Return the error that a value at a place is not what was wanted."""
    if _is_missing(came):
        came = f"{came!r} (a missing value)" if str(came).strip() else "a missing value"
    elif isinstance(came, str) and re.fullmatch(r"\s*[+-]?[0-9]+,[0-9]+\s*", came):
        came = f"{came!r} (decimals are written with a point)"
    else:
        came = repr(came)
    return BadValue(f"{at}, column {column!r}: must be {wanted}, got {came}")


def _is_missing(value):
    return str(value).strip().lower() in _MISSING


def _number(value):
    """Return a cell or a number as a float; NaN, where it is none or too large for float32."""
    try:
        number = math.nan if isinstance(value, str) and "_" in value else float(value)
    except ValueError:
        return math.nan
    return number if abs(number) <= _LARGEST else math.nan


def _integer(value):
    """Return a target that is a whole number, as 3, "3" or "3.0" are, as an int; None, where it is none."""
    if isinstance(value, str):
        value = int(value.partition(".")[0]) if _INTEGER.fullmatch(value) and len(value) < 40 else math.nan
    fits = float(value).is_integer() and -(2**63) <= value < 2**63
    return int(value) if fits else None


def _kind_of(tables):
    """Return the kind of the labels that are the targets of all these tables: "i" or "U".

    That they are fractions is no fault before the last of them, as one that is a name makes names of all.
    """
    whole, numbers, fault = True, True, None
    for table in tables:
        table._refuse_missing("a label")
        whole = whole and all(_integer(value) is not None for value in table.targets.tolist())
        if numbers and not whole:
            fractions = _fractions(table.targets)
            numbers = fractions is not None
            if numbers and fault is None:
                fault = table._refusal(fractions, "a name or a whole number, to be a label")
    if numbers and fault is not None:
        raise fault
    return "i" if whole else "U"


def _counted(tables, seen):
    """Pass tables on, and tell how many rows they had."""
    for table in tables:
        yield table
        seen(table.first + len(table))


def _text(value):
    """Return a target as a string; a whole number that came as a float without its decimals."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _fractions(targets):
    """Say which targets are fractions, if all of them are numbers; otherwise return None."""
    try:
        return [not float(value).is_integer() for value in targets.tolist()]
    except ValueError:
        return None
