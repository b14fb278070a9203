"""The datasets: what ships, what is read from files, and what is refused."""

import gzip
import os
import struct
import tracemalloc
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incrlearn.benchmark import datasets
from incrlearn.benchmark.datasets import load, load_digits, read_csv, read_idx, read_mnist, read_npz

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(values):
    """The IDX format, written down a second time."""
    values = np.asarray(values)
    header = struct.pack(">BBBB", 0, 0, IDX_CODES[values.dtype.str[1:]], values.ndim)
    return (
        header
        + struct.pack(f">{values.ndim}I", *values.shape)
        + values.astype(values.dtype.newbyteorder(">")).tobytes()
    )


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def refusal(read, path):
    """The message of the ValueError with which a file is refused, or None if it is read."""
    try:
        read(path)
    except ValueError as error:
        return str(error)
    return None


def small_mnist():
    """Four arrays in the shape of MNIST, small."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (6, 5, 4), dtype=np.uint8)
    return x, np.arange(6, dtype=np.uint8) % 3, x[:3] // 2, np.arange(3, dtype=np.uint8)


# The held-out part


@st.composite
def labelled(draw):
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=6).filter(lambda sizes: max(sizes) > 1))
    y = np.repeat(np.arange(len(sizes)), sizes)
    y = np.random.default_rng(draw(st.integers(0, 99))).permutation(y)
    return y.astype(str) if draw(st.booleans()) else y


@given(y=labelled(), share=st.floats(0.01, 0.99), seed=st.none() | st.integers(0, 99))
def test_holding_out_loses_and_doubles_no_sample_and_keeps_every_class_in_training(y, share, seed):
    x = np.arange(len(y))[:, None]
    rng = None if seed is None else np.random.default_rng(seed)
    x_train, y_train, x_test, y_test = datasets._hold_out(x, y, share, rng)
    assert sorted([*x_train[:, 0], *x_test[:, 0]]) == list(range(len(y)))
    np.testing.assert_array_equal(y_train, y[x_train[:, 0]])
    np.testing.assert_array_equal(y_test, y[x_test[:, 0]])
    for label in np.unique(y):
        size, held = np.sum(y == label), np.sum(y_test == label)
        assert 0 <= held < size
        if size > 1:
            assert held >= 1
            assert abs(held - share * size) < 1


def test_a_class_with_one_sample_stays_in_training():
    _, y, _, y_test = datasets._hold_out(np.zeros((5, 1)), np.array([0, 0, 0, 0, 1]), 0.5, None)
    assert sorted(y) == [0, 0, 1]
    assert sorted(y_test) == [0, 0]


def test_holding_out_keeps_the_order_of_the_samples():
    x, _, x_test, _ = datasets._hold_out(np.arange(40)[:, None], np.arange(40) % 2, 0.25, None)
    assert (np.diff(x[:, 0]) > 0).all()
    assert (np.diff(x_test[:, 0]) > 0).all()


def test_the_same_seed_holds_out_the_same_samples_and_another_seed_others():
    first, again, other = (load_digits(rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.x_test, again.x_test)
    assert not np.array_equal(first.x_test, other.x_test)


def test_without_a_generator_the_split_is_always_the_same():
    np.testing.assert_array_equal(load_digits().x_test, load_digits().x_test)


def test_classes_of_one_sample_each_leave_nothing_to_hold_out():
    with pytest.raises(ValueError, match="no class has two samples"):
        datasets._hold_out(np.zeros((3, 1)), np.arange(3), 0.25, None)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_test_share_outside_zero_and_one_is_refused(share):
    with pytest.raises(ValueError, match=r"test_share must be a number in \(0, 1\)"):
        load_digits(test_share=share)


def test_a_seed_in_place_of_a_generator_is_refused():
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator"):
        load_digits(rng=0)


# Digits


def test_the_shipped_digits_are_those_of_scikit_learn():
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    digits = load_digits()
    ours = np.column_stack([np.vstack([digits.x, digits.x_test]) * 16, np.append(digits.y, digits.y_test)])
    theirs = np.column_stack([reference.data, reference.target])
    np.testing.assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


def test_the_digits_are_float32_between_zero_and_one_with_integer_labels():
    digits = load_digits()
    assert digits.x.dtype == digits.x_test.dtype == np.float32
    assert digits.y.dtype == digits.y_test.dtype == np.int64
    assert (digits.x.min(), digits.x.max()) == (0, 1)
    assert digits.image_shape == (8, 8)


def test_a_quarter_of_every_digit_is_held_out():
    digits = load_digits()
    held, kept = np.bincount(digits.y_test), np.bincount(digits.y)
    np.testing.assert_allclose(held / (held + kept), 0.25, atol=0.5 / 174)


def test_the_shipped_file_is_small_and_says_whose_it_is():
    folder = resources.files("incrlearn.benchmark").joinpath("data")
    assert len(folder.joinpath("digits.npz").read_bytes()) <= 100_000
    attribution = folder.joinpath("ATTRIBUTION.md").read_text(encoding="utf-8")
    assert all(word in attribution for word in ("Alpaydin", "Kaynak", "CC BY 4.0", "10.24432/C50P49"))


def test_a_dataset_cannot_be_changed_by_accident():
    with pytest.raises(AttributeError):
        load_digits().x = None


# IDX


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", IDX_CODES)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (1, 1, 1, 2)])
def test_an_idx_file_is_read_as_it_was_written(tmp_path, shape, dtype, packed):
    values = np.random.default_rng(0).normal(0, 40, shape).astype(np.int8).astype(dtype)
    content = idx_bytes(values)
    read = read_idx(write(tmp_path / "values", gzip.compress(content) if packed else content))
    np.testing.assert_array_equal(read, values)
    assert read.dtype == np.dtype(dtype)
    assert read.dtype.isnative
    assert read.flags.writeable


def test_idx_numbers_are_big_endian(tmp_path):
    path = write(tmp_path / "one.idx", bytes([0, 0, 0x0C, 1, 0, 0, 0, 1, 0x12, 0x34, 0x56, 0x78]))
    assert read_idx(path)[0] == 0x12345678


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\0\0\x08", b"PK\3\4", b"\0\1\x08\1", b"\0\0\x0a\1"])
def test_a_file_with_another_beginning_is_no_idx_file(tmp_path, content):
    with pytest.raises(
        ValueError, match=r"wrong\.idx must be an IDX file and begin with 00 00.*but begins with"
    ):
        read_idx(write(tmp_path / "wrong.idx", content))


@pytest.mark.parametrize("packed", [False, True])
def test_every_truncation_of_an_idx_file_is_refused(tmp_path, packed):
    content = idx_bytes(np.arange(6, dtype="i2").reshape(2, 3))
    content = gzip.compress(content) if packed else content
    for length in range(len(content)):
        with pytest.raises(ValueError, match=r"cut\.idx"):
            read_idx(write(tmp_path / "cut.idx", content[:length]))


@pytest.mark.parametrize("packed", [False, True])
def test_an_idx_file_with_too_much_in_it_is_refused(tmp_path, packed):
    content = idx_bytes(np.arange(6, dtype="i2").reshape(2, 3)) + b"\0"
    with pytest.raises(ValueError, match=r"must hold 12 bytes of values for shape \(2, 3\), but holds more"):
        read_idx(write(tmp_path / "long.idx", gzip.compress(content) if packed else content))


def test_an_idx_file_says_how_many_bytes_are_missing(tmp_path):
    content = idx_bytes(np.arange(6, dtype="i2").reshape(2, 3))[:-5]
    with pytest.raises(
        ValueError, match=r"must hold 12 bytes of values for shape \(2, 3\), but holds only 7"
    ):
        read_idx(write(tmp_path / "short.idx", content))


def test_a_damaged_gzip_file_is_refused(tmp_path):
    content = bytearray(gzip.compress(idx_bytes(np.zeros(1000, "u1")), mtime=0))
    content[-6] ^= 1  # the checksum
    with pytest.raises(ValueError, match=r"bad\.gz is not a whole gzip file.*CRC"):
        read_idx(write(tmp_path / "bad.gz", bytes(content)))


def test_a_gzip_file_with_damaged_content_is_refused(tmp_path):
    content = bytearray(gzip.compress(idx_bytes(np.arange(200, dtype="u1")), mtime=0))
    content[10] = 0xFF  # a block of a kind that does not exist
    with pytest.raises(ValueError, match=r"bad\.gz is not a whole gzip file.*invalid block type"):
        read_idx(write(tmp_path / "bad.gz", bytes(content)))


def test_a_file_is_not_read_on_once_it_is_too_long(tmp_path):
    content = gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, 3) + bytes(5_000_000))
    with pytest.raises(ValueError, match="but holds more"):  # and not that the end is missing
        read_idx(write(tmp_path / "long.gz", content[:-8]))


@pytest.mark.parametrize("m", [0, 33, 255])
def test_an_idx_file_without_or_with_too_many_dimensions_is_refused(tmp_path, m):
    content = struct.pack(f">BBBB{m}I", 0, 0, 8, m, *[1] * m) + b"\0"
    with pytest.raises(ValueError, match=f"between 1 and 32 dimensions, but announces {m}"):
        read_idx(write(tmp_path / "deep.idx", content))


def test_an_idx_file_without_values_is_refused(tmp_path):
    content = struct.pack(">BBBBII", 0, 0, 8, 2, 0, 2**32 - 1)
    with pytest.raises(ValueError, match=r"at least one value, but announces shape \(0, 4294967295\)"):
        read_idx(write(tmp_path / "none.idx", content))


@pytest.mark.parametrize("sizes", [(2**32 - 1,) * 4, (3,)])
@pytest.mark.parametrize("packed", [False, True])
def test_wrong_sizes_cost_no_memory(tmp_path, packed, sizes):
    content = struct.pack(f">BBBB{len(sizes)}I", 0, 0, 8, len(sizes), *sizes) + bytes(50_000_000)
    path = write(tmp_path / "bomb", gzip.compress(content, 1) if packed else content)
    del content
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="but holds"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@given(content=st.binary(max_size=60), packed=st.booleans(), valid_start=st.booleans())
def test_no_bytes_whatever_raise_anything_but_a_value_error(tmp_path_factory, content, packed, valid_start):
    content = b"\0\0\x08" + content if valid_start else content
    path = tmp_path_factory.getbasetemp() / "fuzz.idx"
    write(path, gzip.compress(content) if packed else content)
    message = refusal(read_idx, path)
    assert message is None or "fuzz.idx" in message


# MNIST


def check_small_mnist(mnist):
    x, y, x_test, y_test = small_mnist()
    np.testing.assert_array_equal(mnist.x, x.reshape(6, 20) / np.float32(255))
    np.testing.assert_array_equal(mnist.x_test, x_test.reshape(3, 20) / np.float32(255))
    np.testing.assert_array_equal(mnist.y, y)
    np.testing.assert_array_equal(mnist.y_test, y_test)
    assert (mnist.name, mnist.image_shape) == ("mnist", (5, 4))
    assert (mnist.x.dtype, mnist.y.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dot", [False, True])
def test_mnist_is_read_from_the_four_original_files(tmp_path, dot, ending):
    for name, values in zip(datasets._MNIST_FILES, small_mnist(), strict=True):
        name = name.replace("-idx", ".idx") if dot else name
        content = idx_bytes(values)
        write(tmp_path / (name + ending), gzip.compress(content) if ending else content)
    check_small_mnist(read_mnist(tmp_path))


def test_mnist_is_read_from_one_archive_even_where_the_original_files_are_too(tmp_path):
    for name in datasets._MNIST_FILES:
        write(tmp_path / name, b"")
    write_npz(tmp_path / "mnist.npz", **dict(zip(datasets._SPLIT_ARRAYS, small_mnist(), strict=True)))
    check_small_mnist(read_mnist(str(tmp_path)))


def test_a_missing_mnist_file_is_named_with_all_that_are_wanted(tmp_path):
    for name in datasets._MNIST_FILES[:3]:
        write(tmp_path / name, b"")
    with pytest.raises(
        FileNotFoundError, match=r"must hold mnist\.npz or.*train-images-idx3-ubyte.*t10k-labels"
    ):
        read_mnist(tmp_path)


def test_labels_in_the_place_of_images_are_refused(tmp_path):
    x, y, x_test, y_test = small_mnist()
    for name, values in zip(datasets._MNIST_FILES, (y, x, x_test, y_test), strict=True):
        write(tmp_path / name, idx_bytes(values))
    with pytest.raises(
        ValueError, match=r"train-images-idx3-ubyte must have shape \(n, d\) or.*got shape \(6,\)"
    ):
        read_mnist(tmp_path)


def test_mnist_by_name_is_read_from_the_folder_of_the_environment(tmp_path, monkeypatch):
    write_npz(tmp_path / "mnist.npz", **dict(zip(datasets._SPLIT_ARRAYS, small_mnist(), strict=True)))
    monkeypatch.setenv("INCRLEARN_DATA", str(tmp_path))
    check_small_mnist(load("mnist"))


@pytest.mark.parametrize("value", [None, ""])
def test_mnist_without_a_folder_says_what_to_set_and_what_to_put_there(monkeypatch, value):
    monkeypatch.delenv("INCRLEARN_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("INCRLEARN_DATA", value)
    with pytest.raises(ValueError, match=r"set the environment variable INCRLEARN_DATA to a.*mnist\.npz"):
        load("mnist")


def test_mnist_in_a_folder_that_does_not_exist_says_what_is_set(tmp_path, monkeypatch):
    monkeypatch.setenv("INCRLEARN_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"INCRLEARN_DATA is .*nowhere.*must hold mnist\.npz"):
        load("mnist")


@pytest.mark.skipif(
    not Path(os.environ.get("INCRLEARN_DATA", "nowhere"), "mnist.npz").exists(),
    reason="INCRLEARN_DATA names no folder with mnist.npz",
)
def test_the_real_mnist_has_the_known_mean_and_class_counts():
    mnist = load("mnist")
    assert (mnist.x.shape, mnist.x_test.shape, mnist.image_shape) == ((60000, 784), (10000, 784), (28, 28))
    np.testing.assert_allclose(mnist.x.mean(dtype=np.float64) * 255, 33.318421, atol=1e-5)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    np.testing.assert_array_equal(np.bincount(mnist.y), counts)


# A user's own archive


def test_an_archive_with_a_test_part_keeps_it(tmp_path):
    x = np.array([[0.5, -3.0], [7.0, 1e4]])
    path = write_npz(tmp_path / "own.npz", x_train=x, y_train=["b", "a"], x_test=x[:1] + 1, y_test=["a"])
    own = read_npz(path)
    np.testing.assert_array_equal(own.x, x.astype(np.float32))
    np.testing.assert_array_equal(own.x_test, [[1.5, -2.0]])
    assert (own.name, own.y.tolist(), own.y_test.tolist(), own.image_shape) == (
        "own",
        ["b", "a"],
        ["a"],
        None,
    )


@pytest.mark.parametrize("names", [("x", "y"), ("X", "y"), ("data", "target")])
def test_an_archive_without_a_test_part_gets_a_stratified_one(tmp_path, names):
    x, y = np.arange(32.0).reshape(16, 2), np.arange(16) % 2
    own = read_npz(write_npz(tmp_path / "own.npz", **dict(zip(names, (x, y), strict=True))))
    assert (np.bincount(own.y).tolist(), np.bincount(own.y_test).tolist()) == ([6, 6], [2, 2])
    assert sorted([*own.x[:, 0], *own.x_test[:, 0]]) == x[:, 0].tolist()


def test_images_are_flattened_and_bytes_scaled(tmp_path):
    images = np.arange(24, dtype=np.uint8).reshape(4, 2, 3) * 11
    own = read_npz(write_npz(tmp_path / "own.npz", x=images, y=[0, 0, 1, 1]), test_share=0.5)
    assert own.image_shape == (2, 3)
    x = np.vstack([own.x, own.x_test])
    np.testing.assert_array_equal(np.sort(x, axis=0), images.reshape(4, 6) / np.float32(255))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64, np.uint16])
def test_numbers_other_than_bytes_keep_their_values(tmp_path, dtype):
    x = np.array([[0], [300], [2], [1000]], dtype)
    own = read_npz(write_npz(tmp_path / "own.npz", x=x, y=[0, 0, 1, 1]))
    assert own.x.dtype == np.float32
    assert sorted([*own.x[:, 0], *own.x_test[:, 0]]) == [0, 2, 300, 1000]


OK = {"x": np.zeros((4, 2)), "y": np.array([0, 0, 1, 1])}
OK_SPLIT = dict(zip(datasets._SPLIT_ARRAYS, (OK["x"], OK["y"], OK["x"], OK["y"]), strict=True))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros(3)}, "must hold the arrays x_train, y_train, x_test, y_test; or x, y; .*but holds a"),
        ({}, "but holds none"),
        (OK | {"x": np.zeros((4, 2, 2, 3))}, r"x in .*must have shape \(n, d\) or.*got shape \(4, 2, 2, 3\)"),
        (OK | {"x": np.zeros((4, 0))}, r"none of them 0, got shape \(4, 0\)"),
        (OK | {"x": np.zeros((4, 2), complex)}, "x in .*must hold real numbers, got dtype complex128"),
        (OK | {"x": np.full((4, 2), "a")}, "x in .*must hold real numbers, got dtype <U1"),
        (
            OK | {"x": np.array([[0, 0], [0, np.nan], [0, 0], [0, 0]])},
            r"must be finite, got nan at .*\(1, 1\)",
        ),
        (OK | {"x": np.full((4, 2), 1e300)}, "x in .*must be finite, got inf"),
        (OK | {"y": np.zeros(3, int)}, r"y in .*must have shape \(4,\), a label a sample, got shape \(3,\)"),
        (OK | {"y": np.zeros((4, 1), int)}, r"must have shape \(4,\).*got shape \(4, 1\)"),
        (OK | {"y": np.zeros(4)}, "y in .*must hold integers or strings, got dtype float64"),
        (OK | {"y": np.full(4, 2**63, np.uint64)}, r"y in .*must hold integers below 2\*\*63"),
        (OK | {"y": np.array([None] * 4)}, "cannot be read as an .npz archive: Object arrays cannot"),
        (
            OK_SPLIT | {"x_test": np.zeros((4, 3))},
            r"x_test in .*shape \(3,\), but x_train in .*of shape \(2,\)",
        ),
        (
            OK_SPLIT | {"x_train": np.zeros((4, 2, 3)), "x_test": np.zeros((4, 3, 2))},
            r"x_test in .*has samples of shape \(3, 2\), but x_train in .*of shape \(2, 3\)",
        ),
        (
            OK_SPLIT | {"x_test": np.zeros((4, 2), np.uint8)},
            "dtype uint8, but x_train in .*has dtype float64",
        ),
        (OK_SPLIT | {"y_test": np.zeros(5, int)}, r"y_test in .*must have shape \(4,\)"),
    ],
)
def test_an_archive_with_the_wrong_arrays_is_refused(tmp_path, arrays, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_npz(write_npz(tmp_path / "wrong.npz", **arrays))
    assert "wrong.npz" in str(caught.value)


def test_nothing_in_an_archive_is_ever_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    objects = np.empty(4, object)
    objects[:] = [Bomb()] * 4
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        read_npz(write_npz(tmp_path / "bomb.npz", x=np.zeros((4, 2)), y=objects))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"label,1"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    with pytest.raises(
        ValueError, match=r"no\.npz must be an \.npz archive and begin with b'PK', but begins"
    ):
        read_npz(write(tmp_path / "no.npz", content))


def test_every_truncation_of_an_archive_is_refused(tmp_path):
    content = write_npz(tmp_path / "whole.npz", **OK).read_bytes()
    for length in range(0, len(content), 7):
        with pytest.raises(ValueError, match=r"cut\.npz"):
            read_npz(write(tmp_path / "cut.npz", content[:length]))


def test_a_damaged_archive_is_refused_or_read_but_never_fails_otherwise(tmp_path):
    content = write_npz(tmp_path / "whole.npz", **OK).read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        message = refusal(read_npz, write(tmp_path / "damaged.npz", bytes(damaged)))
        assert message is None or "damaged.npz" in message


def test_text_in_the_place_of_an_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("x", "not an array")
        archive.writestr("y", "neither")
    with pytest.raises(ValueError, match=r"x in .*text\.npz must hold real numbers"):
        read_npz(tmp_path / "text.npz")


# A user's own table


def rows_of(dataset):
    """All samples with their labels, in the order of the first feature."""
    x, y = np.vstack([dataset.x, dataset.x_test]), np.append(dataset.y, dataset.y_test)
    order = np.argsort(x[:, 0])
    return x[order].tolist(), y[order].tolist()


def test_a_table_is_read_with_its_last_column_as_the_target(tmp_path):
    path = write(
        tmp_path / "flowers.csv", "length,width,kind\n1,2.5,iris\n2,-1e3,rose\n3,0,iris\n4,.5,rose\n"
    )
    flowers = read_csv(path)
    assert rows_of(flowers) == ([[1, 2.5], [2, -1000], [3, 0], [4, 0.5]], ["iris", "rose", "iris", "rose"])
    assert (flowers.name, flowers.x.dtype, flowers.image_shape) == ("flowers", np.float32, None)
    assert len(flowers.y_test) == 2


@pytest.mark.parametrize(
    ("header", "column"),
    [("a,Target,b", 1), ("LABEL,a,b", 0), ("a,class,b", 1), ("y,a,b", 0), ("y,class,a", 1), ("a,b,c", 2)],
)
def test_the_target_is_a_column_with_a_usual_name_or_the_last_one(tmp_path, header, column):
    lines = "\n".join(",".join(str(10 * row + k) for k in range(3)) for row in (0, 0))
    table = read_csv(write(tmp_path / "t.csv", f"{header}\n{lines}\n"))
    assert table.y.tolist() == [column]


def test_the_target_can_be_named(tmp_path):
    path = write(tmp_path / "t.csv", "a,b,label\n1,x,5\n2,x,6\n")
    assert rows_of(read_csv(path, target="b")) == ([[1, 5], [2, 6]], ["x", "x"])


def test_a_target_that_is_no_column_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match="target must be one of 'a', 'b', got 'c'"):
        read_csv(write(tmp_path / "t.csv", "a,b\n1,2\n"), target="c")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["3", "-1", "+2"], [3, -1, 2]),
        (["3", "x", "2"], ["3", "x", "2"]),
        (["1.0", "2.0", "3.0"], ["1.0", "2.0", "3.0"]),
        (["1_0", "2", "3"], ["1_0", "2", "3"]),
        (["9" * 30, "2", "3"], ["9" * 30, "2", "3"]),
        (["9" * 5000, "2", "3"], ["9" * 5000, "2", "3"]),
        ([" a b ", "ä", '"q,""r"""'], ["a b", "ä", 'q,"r"']),
    ],
)
def test_labels_that_are_all_whole_numbers_become_integers(tmp_path, labels, expected):
    lines = [f"{row},{label}" for row, label in enumerate(labels * 2)]
    y = rows_of(read_csv(write(tmp_path / "t.csv", "\n".join(["a,label", *lines]))))[1]
    assert y == expected * 2


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_byte_order_mark_empty_lines_and_spaces_are_passed_over(tmp_path, newline):
    text = newline.join(["\ufeff y , a ", "0,1", "", " 0 , 2 ", ""])
    assert rows_of(read_csv(write(tmp_path / "t.csv", text))) == ([[1], [2]], [0, 0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"wrong\.csv must begin with a header of two or more column names, got an empty line"),
        ("only\n1\n", r"two or more column names, got \['only'\]"),
        ("a,y\n", "at least one line after the header, got none"),
        ("a,a,y\n1,2,3\n", "the header names the column 'a' more than once"),
        (",a,y\n1,2,3\n", "column 1 of the header has no name"),
        ("a,y\n1,0\n\n2\n", "line 4: 1 values, but the header names 2 columns"),
        ("a,y\n1,0,5\n", "line 2: 3 values, but the header names 2 columns"),
        ("a,b,y\n1,2,0\n1,two,0\n", "line 3, column 'b': must be a finite number .*got 'two'"),
        ("a,y\n1,0\n,0\n", "line 3, column 'a': .*got a missing value"),
        ("a,y\n1,0\n  ,0\n", "line 3, column 'a': .*got a missing value"),
        ("a,y\nnan,0\n", "line 2, column 'a': .*got 'nan'"),
        ("a,y\n-inf,0\n", "line 2, column 'a': .*got '-inf'"),
        ("a,y\n1e39,0\n", r"line 2, column 'a': must be a finite number \(float32\), got '1e39'"),
        ("a,y\n1_000,0\n", "line 2, column 'a': .*got '1_000'"),
        ("a,y\n1,\n", "line 2, column 'y': must be a label, got a missing value"),
        ("a,y\n1,NaN\n", "line 2, column 'y': must be a label, got 'NaN'"),
        ('a,y\n"1,0\n', "line 2: unexpected end of data"),
        ("a,y\n1," + "x" * 200_000, "line 2: field larger than field limit"),
        (b"a,y\n1,\xe9\n", "must be text in UTF-8"),
        ("a,y\n1,0\n2,1\n", "no class has two samples"),
    ],
)
def test_a_table_that_cannot_be_read_says_where_and_why(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_csv(write(tmp_path / "wrong.csv", content))


@given(
    x=st.lists(
        st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=20, unique=True
    ),
    seed=st.integers(0, 99),
)
def test_a_table_gives_back_the_numbers_that_were_written(tmp_path_factory, x, seed):
    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    write(path, "a,y\n" + "".join(f"{value!r},0\n" for value in x))
    assert rows_of(read_csv(path, rng=np.random.default_rng(seed)))[0] == [[value] for value in sorted(x)]


# By name


def test_digits_are_loaded_by_name():
    np.testing.assert_array_equal(load("digits").x_test, load_digits().x_test)


def test_files_are_loaded_by_their_path(tmp_path):
    table = write(tmp_path / "table.CSV", "a,y\n1,0\n2,0\n")
    archive = write_npz(tmp_path / "archive.npz", **OK)
    assert load(table).name == "table"
    assert load(str(archive)).name == "archive"


@pytest.mark.parametrize("name", ["digits", "own.npz", "own.csv"])
def test_the_generator_reaches_the_held_out_part(tmp_path, name):
    write_npz(tmp_path / "own.npz", x=np.arange(100.0)[:, None], y=np.zeros(100, int))
    write(tmp_path / "own.csv", "a,y\n" + "".join(f"{k},0\n" for k in range(100)))
    name = tmp_path / name if name.startswith("own") else name
    drawn = [load(name, rng=np.random.default_rng(seed)).x_test for seed in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


@pytest.mark.parametrize("name", ["cifar", "digits.txt", "", "npz"])
def test_an_unknown_name_says_what_is_possible(name):
    with pytest.raises(
        ValueError, match=r"name must be 'digits', 'mnist' or a path that ends in \.npz or \.csv"
    ):
        load(name)


def test_a_name_that_is_no_name_is_refused():
    with pytest.raises(TypeError, match=r"name must be a string or a path, got 3 \(int\)"):
        load(3)


@pytest.mark.parametrize("read", [load, read_npz, read_csv, read_idx])
def test_a_missing_file_is_reported_as_missing(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="gone"):
        read(tmp_path / ("gone.csv" if read is read_csv else "gone.npz"))
