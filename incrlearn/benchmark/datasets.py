"""Where samples come from: the digits that ship with the package, MNIST, and a user's own files.

Every reader returns a `Dataset`, which has a training and a test part. Files are read without pickle,
and a file that is not what it should be is a ValueError that names it. NumPy and the standard library.
"""

import gzip
import math
import os
import re
import zlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from .. import _checks, tables

MNIST_VARIABLE = "INCRLEARN_DATA"
_MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_SPLIT_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_NPZ_LAYOUTS = (_SPLIT_ARRAYS, ("x", "y"), ("X", "y"), ("data", "target"))
_TARGET_NAMES = ("target", "label", "class", "y")

_IDX_DTYPES = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_CHUNK = 1 << 20
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with labels, in a training and a test part.

    Parameters
    ----------
    name : str
        What to call it in a table.
    x : ndarray of shape (n, d), float32
        Training samples; images are flattened and lie in [0, 1].
    y : ndarray of shape (n,)
        Their labels, int64 or strings.
    x_test : ndarray of shape (m, d), float32
        Test samples.
    y_test : ndarray of shape (m,)
        Their labels.
    image_shape : (int, int), optional
        Height and width, d = height · width, if the samples are images.

    Examples
    --------
    >>> digits = load_digits()
    >>> digits.name, digits.x.shape, digits.x_test.shape, digits.image_shape
    ('digits', (1347, 64), (450, 64), (8, 8))
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    image_shape: tuple[int, int] | None = None


def load(name, rng=None):
    """Return the dataset of a name, or the one in a file.

    Parameters
    ----------
    name : str or path
        "digits" (ships with the package), "mnist" (read from the folder that the environment variable
        INCRLEARN_DATA names), or the path of a file that ends in .npz or .csv.
    rng : numpy.random.Generator, optional
        Draws the test part where the data come without one; a fixed split if None. See `load_digits`.

    Returns
    -------
    Dataset

    Raises
    ------
    TypeError, ValueError
        If the name is none of these, INCRLEARN_DATA is not set, or a file is not what it should be.
    FileNotFoundError
        If a file is missing.

    Examples
    --------
    >>> load("digits").x.shape
    (1347, 64)
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(f"name must be a string or a path, got {name!r} ({type(name).__name__})")
    if name == "digits":
        return load_digits(rng=rng)
    if name == "mnist":
        return _mnist_of_the_environment()
    ending = Path(name).suffix.lower()
    if ending == ".npz":
        return read_npz(name, rng=rng)
    if ending == ".csv":
        return read_csv(name, rng=rng)
    raise ValueError(f"name must be 'digits', 'mnist' or a path that ends in .npz or .csv, got {str(name)!r}")


def load_digits(test_share=0.25, rng=None):
    """Return the UCI handwritten digits that ship with the package: 1797 images of 8 × 8 pixels.

    The original values 0 … 16 are divided by 16. The test part is stratified: of every class it has
    the share `test_share`, to the nearest sample.

    Parameters
    ----------
    test_share : float in (0, 1)
        Share of every class that is held out.
    rng : numpy.random.Generator, optional
        Draws the test part. If None, it is always the same one.

    Returns
    -------
    Dataset

    Raises
    ------
    TypeError, ValueError
        If `test_share` is not in (0, 1), or `rng` is not a generator.

    References
    ----------
    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, doi:10.24432/C50P49, CC BY 4.0; taken from scikit-learn's copy. The bitmaps were
    made with NIST's preprocessing programs (NISTIR 5469, 1994). See data/ATTRIBUTION.md.

    Examples
    --------
    >>> digits = load_digits(test_share=0.5, rng=np.random.default_rng(1))
    >>> len(digits.x), len(digits.x_test), float(digits.x.max())
    (899, 898, 1.0)
    """
    source = resources.files(__package__) / "data" / "digits.npz"
    with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        x = archive["x"].astype(np.float32) / 16
        y = archive["y"].astype(np.int64)
    return Dataset("digits", *_hold_out(x, y, test_share, rng), image_shape=(8, 8))


def read_mnist(folder):
    """Read MNIST, or a dataset in MNIST's clothes such as Fashion-MNIST, from a folder.

    Takes `mnist.npz` (arrays x_train, y_train, x_test, y_test) if it is there, else the four original
    files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
    t10k-labels-idx1-ubyte, also spelled train-images.idx3-ubyte, also with .gz. Bytes are divided by
    255; the order of the samples is that of the files, which may be by class.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Dataset

    Raises
    ------
    FileNotFoundError
        If the folder holds neither.
    ValueError
        If a file is damaged or holds something else.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86(11), 1998; Y. LeCun, C. Cortes and C. J. C. Burges, The
    MNIST database of handwritten digits.

    Examples
    --------
    >>> import tempfile
    >>> images, labels = np.full((2, 28, 28), 255, np.uint8), np.array([3, 7], np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "mnist.npz"), x_train=images, y_train=labels, x_test=images, y_test=labels)
    ...     mnist = read_mnist(folder)
    >>> mnist.x.shape, float(mnist.x.max()), mnist.y
    ((2, 784), 1.0, array([3, 7]))
    """
    archive = Path(folder, "mnist.npz")
    if archive.is_file():
        arrays = _npz_arrays(archive, [_SPLIT_ARRAYS])
        return _given_split("mnist", [(f"{key} in {archive}", values) for key, values in arrays.items()])
    paths = [_idx_path(folder, name) for name in _MNIST_FILES]
    if None in paths:
        raise FileNotFoundError(
            f"{folder} must hold mnist.npz or the four files {', '.join(_MNIST_FILES)} (plain or .gz)"
        )
    return _given_split("mnist", [(str(path), read_idx(path)) for path in paths])


def read_idx(path):
    """Read one array from a file in the IDX format, gzipped or not.

        0 0 · type · m        four bytes; type: 08 uint8, 09 int8, 0B int16, 0C int32, 0D float32, 0E float64
        size₁ … sizeₘ         m unsigned integers of four bytes
        values                in C order

    Every number is big-endian. The values are counted before they are kept, so that a file whose sizes
    are wrong costs no memory, however large it says or, unpacked, proves to be.

    Parameters
    ----------
    path : path
        Whether the file is gzipped is seen from its content, not from its name.

    Returns
    -------
    ndarray
        In the machine's own byte order, writable.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not an IDX file, or longer or shorter than its sizes say.

    References
    ----------
    Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, "File formats".

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "three.idx")
    ...     written = path.write_bytes(bytes([0, 0, 0x0B, 1, 0, 0, 0, 3, 0, 1, 0, 2, 1, 0]))
    ...     read_idx(path)
    array([  1,   2, 256], dtype=int16)
    """
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        try:
            dtype, shape = _idx_header(path, stream)
            content = _bytes_of(path, stream, shape, math.prod(shape) * dtype.itemsize)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is not a whole gzip file: {error}") from error
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def read_npz(path, test_share=0.25, rng=None):
    """Read a dataset from a NumPy archive.

    The archive holds x_train, y_train, x_test and y_test; or x and y (also called X and y, or data and
    target), of which a stratified test part is held out. Bytes (uint8) are divided by 255, all other
    numbers keep their values.

    Parameters
    ----------
    path : path
        Samples of shape (n, d), or images of shape (n, height, width), which are flattened; labels of
        shape (n,), integers or strings.
    test_share, rng
        As in `load_digits`; not used where the archive has its own test part.

    Returns
    -------
    Dataset
        Called by the file's name without its ending.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError, ValueError
        If the file is damaged, has other arrays, or needs pickle; if values are not finite numbers.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "shades.npz")
    ...     np.savez(path, x=np.eye(4), y=np.array(["dark", "light", "dark", "light"]))
    ...     shades = read_npz(path)
    >>> shades.name, shades.x.shape, shades.y_test.tolist()
    ('shades', (2, 4), ['dark', 'light'])
    """
    arrays = _npz_arrays(path, _NPZ_LAYOUTS)
    sources = [(f"{key} in {path}", values) for key, values in arrays.items()]
    if len(sources) == 4:
        return _given_split(Path(path).stem, sources)
    x, image_shape = _samples(*sources[0])
    y = _labels(*sources[1], len(x))
    return Dataset(Path(path).stem, *_hold_out(x, y, test_share, rng), image_shape=image_shape)


def read_csv(path, target=None, test_share=0.25, rng=None):
    """Read a dataset from a table in a text file: one header line, then a sample a line.

    One column is the target, every other one a feature, which must be a finite number. Targets that are
    all whole numbers become int64, others stay strings. A stratified test part is held out. Values are
    left as they are: scale them before you write the file if your features differ much in size.

    Parameters
    ----------
    path : path
        A file in UTF-8, with commas between the values; or semicolons or tabs.
    target : str, optional
        Name of the target column. If None, the first of target, label, class, y that is a column (in
        upper or lower case), else the last column.
    test_share, rng
        As in `load_digits`.

    Returns
    -------
    Dataset
        Called by the file's name without its ending.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError, ValueError
        If the file is empty, is not UTF-8, has columns without or with equal names, lines of unequal
        length, or a value that is missing or not a finite number: the message says in which line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "iris.csv")
    ...     written = path.write_text("length,class\\n5.1,setosa\\n4.9,setosa\\n7.0,virginica\\n")
    ...     iris = read_csv(path)
    >>> iris.name, iris.x.shape, iris.y_test.tolist()
    ('iris', (2, 1), ['setosa'])
    """
    names = tables.column_names(path)
    if len(names) < 2:
        raise ValueError(
            f"{path} must begin with a header of two or more column names, got {names or 'an empty line'}"
        )
    table = tables.read_table(path, _target_column(names, target))
    x, y = table.values.astype(np.float32), _text_labels(table.labels("U"))
    return Dataset(Path(path).stem, *_hold_out(x, y, test_share, rng))


def _hold_out(x, y, share, rng):
    """Return x, y, x_test, y_test: of each class round(share · size) samples are held out, in order.

    Every class that can spare one gives at least one and keeps at least one; a class with a single
    sample stays in training.
    """
    share = _checks.number("test_share", share, "a number in (0, 1)", 0, math.nextafter(1, 0), open_low=True)
    rng = np.random.default_rng(0) if rng is None else _checks.generator("rng", rng)
    held = np.zeros(len(y), bool)
    _, codes, sizes = np.unique(y, return_inverse=True, return_counts=True)
    for members in np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1]):
        size = min(max(round(share * len(members)), 1), len(members) - 1)
        held[rng.permutation(members)[:size]] = True
    if not held.any():
        raise ValueError("no class has two samples: there is nothing to hold out as a test part")
    return x[~held], y[~held], x[held], y[held]


def _given_split(name, sources):
    """Return the Dataset of four (where, array) pairs: samples, labels, test samples, test labels."""
    (where, raw), (y_where, y), (test_where, raw_test), (y_test_where, y_test) = sources
    x, image_shape = _samples(where, raw)
    x_test, _ = _samples(test_where, raw_test)
    if raw.shape[1:] != raw_test.shape[1:]:
        raise ValueError(
            f"{test_where} has samples of shape {raw_test.shape[1:]}, but {where} of shape {raw.shape[1:]}"
        )
    if (raw.dtype == np.uint8) != (raw_test.dtype == np.uint8):  # only one of them would be scaled
        raise ValueError(f"{test_where} has dtype {raw_test.dtype}, but {where} has dtype {raw.dtype}")
    y = _labels(y_where, y, len(x))
    y_test = _labels(y_test_where, y_test, len(x_test))
    return Dataset(name, x, y, x_test, y_test, image_shape)


def _samples(where, values):
    """Return `values` as float32 of shape (n, d), bytes scaled to [0, 1], and the image shape or None."""
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{where} must hold real numbers, got dtype {values.dtype}")
    if values.ndim not in (2, 3) or not values.size:
        raise ValueError(
            f"{where} must have shape (n, d) or (n, height, width), none of them 0, got shape {values.shape}"
        )
    with np.errstate(over="ignore"):  # becomes inf, which the next line refuses
        x = values.reshape(len(values), -1).astype(np.float32)
    _checks.finite(where, x)
    if values.dtype == np.uint8:
        x /= 255
    return x, (values.shape[1:] if values.ndim == 3 else None)


def _labels(where, values, n):
    """Return `values` as n labels, int64 or strings."""
    values = np.asarray(values)
    if values.dtype.kind not in "biuU":
        raise ValueError(f"{where} must hold integers or strings, got dtype {values.dtype}")
    if values.shape != (n,):
        raise ValueError(f"{where} must have shape ({n},), a label a sample, got shape {values.shape}")
    if values.dtype.kind == "U":
        return values
    if values.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{where} must hold integers below 2**63, got {values.max()}")
    return values.astype(np.int64)


def _npz_arrays(path, layouts):
    """Return {name: array} of the first layout whose names are all in the archive."""
    with tables.archive(path) as archive:
        found = archive.files
        layout = next((names for names in layouts if set(names) <= set(found)), ())
        arrays = {name: archive[name] for name in layout}
    if not arrays:
        wanted = "; or ".join(", ".join(names) for names in layouts)
        raise ValueError(f"{path} must hold the arrays {wanted}, but holds {', '.join(found) or 'none'}")
    return arrays


def _mnist_of_the_environment():
    """Read MNIST from the folder that INCRLEARN_DATA names."""
    folder = os.environ.get(MNIST_VARIABLE)
    if not folder:
        raise ValueError(
            f"'mnist' does not ship with the package: set the environment variable {MNIST_VARIABLE} to a "
            f"folder with mnist.npz or the four files {', '.join(_MNIST_FILES)} (plain or .gz)"
        )
    try:
        return read_mnist(folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"the environment variable {MNIST_VARIABLE} is {folder!r}, but {error}"
        ) from None


def _idx_path(folder, name):
    """Return the path of an original MNIST file under whichever of its spellings is there, or None."""
    spellings = (name, name.replace("-idx", ".idx"))
    paths = [Path(folder, spelling + ending) for spelling in spellings for ending in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def _idx_header(path, stream):
    """Return the dtype and the shape that the first bytes of an IDX file announce."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_DTYPES:
        raise ValueError(
            f"{path} must be an IDX file and begin with 00 00, a type (08, 09, 0b … 0e) and a number of "
            f"dimensions, but begins with {magic.hex(' ') or 'nothing'}"
        )
    m = magic[3]
    if not 1 <= m <= 32:  # what every version of NumPy can hold
        raise ValueError(f"{path} must have between 1 and 32 dimensions, but announces {m}")
    sizes = stream.read(4 * m)
    if len(sizes) < 4 * m:
        raise ValueError(f"{path} must hold {m} sizes of 4 bytes, but ends after {len(sizes)} bytes of them")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    if 0 in shape:
        raise ValueError(f"{path} must hold at least one value, but announces shape {shape}")
    return _IDX_DTYPES[magic[2]], shape


def _bytes_of(path, stream, shape, wanted):
    """Return the rest of the stream if it is `wanted` bytes long, which is found out before any is kept."""
    start, length = stream.tell(), 0
    while length <= wanted and (chunk := stream.read(_CHUNK)):
        length += len(chunk)
    if length != wanted:
        came = f"only {length}" if length < wanted else "more"
        raise ValueError(f"{path} must hold {wanted} bytes of values for shape {shape}, but holds {came}")
    stream.seek(start)
    return stream.read(wanted)


def _target_column(names, target):
    """Return the name of the target column: the one asked for, or one with a usual name, or the last."""
    if target is not None:
        return _checks.choice("target", target, {name: name for name in names})
    lower = [name.lower() for name in names]
    return next((names[lower.index(usual)] for usual in _TARGET_NAMES if usual in lower), names[-1])


def _text_labels(labels):
    """Return labels that were read as text: int64 if all are whole numbers, otherwise strings."""
    if not all(_INTEGER.fullmatch(label) for label in labels):
        return labels
    try:
        return np.array([int(label) for label in labels], np.int64)
    except (OverflowError, ValueError):  # too long for int64: names that happen to be digits
        return labels
