"""A file is written whole, or not at all; and what is read is what was written, or refused."""

import io
import json
import os
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from incrlearn import storage
from incrlearn.storage import ModelFileError, read_archive, whole_file, write_archive


def write(path, content):
    with whole_file(path) as file:
        file.write(content)


def test_a_file_holds_what_was_written_and_nothing_is_left_beside_it(tmp_path):
    write(tmp_path / "a.json", b"new")
    assert (tmp_path / "a.json").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_in_the_middle_leaves_the_old_file_and_nothing_beside_it(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def half():
        with whole_file(path) as file:
            file.write(b"half of it")
            raise error

    with pytest.raises(error):
        half()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_until_the_end_the_old_file_is_there(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_new_file_has_the_rights_of_any_new_file_and_a_replaced_one_keeps_its_own(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    write(tmp_path / "new", b"")
    assert (tmp_path / "new").stat().st_mode == ordinary.stat().st_mode
    ordinary.chmod(0o600)
    write(ordinary, b"")
    assert ordinary.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "nowhere" / "a.json", b"")


def test_a_link_stays_a_link_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "folder").mkdir()
    link, file = tmp_path / "link", tmp_path / "folder" / "file"
    link.symlink_to(file)
    for content in (b"first", b"second"):
        write(link, content)
        assert link.is_symlink()
        assert file.read_bytes() == content


@pytest.mark.parametrize("name", ["a" * 250, "ä" * 120])
def test_a_name_may_be_as_long_as_the_system_lets_it(tmp_path, name):
    write(tmp_path / name, b"new")
    assert os.listdir(tmp_path) == [name]


def test_only_a_file_is_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="is no file that could be replaced"):
        write(tmp_path / "pipe", b"new")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write(tmp_path / "folder", b"new")
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


@pytest.mark.parametrize("function", ["fsync", "replace", "chmod"])
def test_a_system_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch, function):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def fails(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(storage.os, function, fails)
    with pytest.raises(OSError, match="no space left"):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.json"]


# ---- archives ----------------------------------------------------------------------------------------

HEADER = {"format": 1, "name": "ä", "number": 0.1 + 0.2, "large": 2**100, "list": [None, True, {}]}
ARRAYS = {
    "a": np.arange(6.0).reshape(2, 3),
    "turned": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
    "text": np.array(["ä", "", "\U0001f408 x"]),
    "truth": np.array([True, False]),
    "single": np.array(3.5, np.float32),
    "empty": np.empty((0, 7)),
    "big": np.arange(3, dtype=">i8"),
    "columns": np.arange(12.0)[::2],
    "half": np.array([1.5], np.float16),
}


def test_header_and_arrays_come_back_as_they_were(tmp_path):
    write_archive(tmp_path / "a.npz", HEADER, ARRAYS)
    header, arrays = read_archive(tmp_path / "a.npz", 1)
    assert header == HEADER
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype.newbyteorder("=")
        assert arrays[name].shape == array.shape
        assert arrays[name].flags.fnc == array.flags.fnc
        assert (arrays[name] == array).all()
        assert arrays[name].flags.writeable


def test_any_numpy_opens_an_archive(tmp_path):
    write_archive(tmp_path / "a.npz", HEADER, ARRAYS)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert json.loads(str(file["header"])) == HEADER
        for name, array in ARRAYS.items():
            assert (file[name] == array).all()


def test_a_small_file_with_a_wide_ending_is_refused_and_a_large_one_is_read(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(zipfile, "ZIP64_LIMIT", 100)  # as if each size and place were beyond 4 GB
        write_archive(tmp_path / "a.npz", HEADER, ARRAYS)
    with pytest.raises(ModelFileError, match="two tables of contents"):
        read_archive(tmp_path / "a.npz", 1)
    monkeypatch.setattr(storage, "LARGE", 100)
    assert read_archive(tmp_path / "a.npz", 1)[0] == HEADER
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content.replace(b"PK\6\6", b"PK\0\0"))
    refuses(tmp_path / "a.npz", "two tables")


@pytest.mark.parametrize(
    "array",
    [np.array([None]), np.array([1j]), np.array([b"x"]), np.zeros(1, "M8[s]"), np.zeros(1, [("a", "f8")])],
)
def test_what_would_be_pickled_or_not_be_read_again_is_not_written(tmp_path, array):
    with pytest.raises(TypeError, match=r"^a can not be saved: it holds"):
        write_archive(tmp_path / "a.npz", HEADER, {"a": array})
    assert os.listdir(tmp_path) == []


def test_what_is_too_much_to_be_read_again_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="4000 arrays"):
        write_archive(tmp_path / "a.npz", HEADER, {f"a{k}": np.zeros(1) for k in range(4001)})
    with pytest.raises(ValueError, match="JSON"):
        write_archive(tmp_path / "a.npz", {"format": 1, "x": float("nan")}, {})
    assert os.listdir(tmp_path) == []


# ---- what is no archive ------------------------------------------------------------------------------


def refuses(path, match):
    """Assert that a file is refused by its name, and that it takes little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=match) as error:
            read_archive(path, 1)
        assert str(error.value).startswith(f"{path} is not a model that can be read: ")
        assert tracemalloc.get_traced_memory()[1] < 20e6 + 10 * min(Path(path).stat().st_size, 1e6)
    finally:
        tracemalloc.stop()


def npy(array):
    """Return an array as NumPy writes it."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def text(value):
    return npy(np.array(value))


def preface(descr, shape, order=False, version=b"\1\0"):
    """Return what stands before an array's entries, whatever it says."""
    words = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H" if version == b"\1\0" else "<I", len(words)) + words


def archive(path, members, compression=zipfile.ZIP_STORED):
    """Write members as they are given, names and bytes."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            with file.open(info, "w") as member:
                member.write(content)
    return path


def with_member(path, content, name="x.npy"):
    """Write an archive in which all is right but one array."""
    return archive(path, [("header.npy", text(json.dumps(HEADER))), (name, content)])


EIGHT = b"\0" * 8
NOT_PLAIN = {
    "a pickled object": npy(np.array([{"a": 1}])),
    "a pickle that would run": preface("'|O'", "()") + b"cos\nsystem\n(S'exit 1'\ntR.",
    "a structure": npy(np.zeros(1, [("a", "f8"), ("b", "i4")])),
    "a structure within": preface("[('a', '<f8')]", "(1,)") + EIGHT,
    "an array type": preface("('<f8', (2,))", "(1,)") + EIGHT * 2,
    "complex numbers": npy(np.zeros(1, complex)),
    "bytes": npy(np.array([b"abcdefgh"])),
    "dates": npy(np.zeros(1, "M8[s]")),
    "nothing at all": preface("'|V8'", "(1,)") + EIGHT,
    "empty text": preface("'<U0'", "(10000000000,)"),
    "a type that there is not": preface("'<f3'", "(1,)") + b"abc",
    "text without end": preface("'<U999999999'", "(1,)"),
    "10¹² entries": preface("'<f8'", "(1000000000000,)") + EIGHT,
    "2⁶³ entries": preface("'<f8'", f"({2**63},)") + EIGHT,
    "entries that overflow to 1": preface("'<f8'", f"({2**32}, {2**32}, 1)") + EIGHT,
    "no rows of endless length": preface("'<f8'", f"(0, {2**63})"),
    "a negative shape": preface("'<f8'", "(-1, -1)") + EIGHT,
    "a hundred dimensions": preface("'<f8'", f"({'1, ' * 100})") + EIGHT,
    "a digit after digit": preface("'<f8'", f"({'9' * 60000},)"),
    "too few entries": preface("'<f8'", "(2,)") + EIGHT,
    "too many entries": preface("'<f8'", "(1,)") + EIGHT * 2,
    "a shape that is no tuple": preface("'<f8'", "1") + EIGHT,
    "a shape of fractions": preface("'<f8'", "(1.0,)") + EIGHT,
    "a shape of Python 2": preface("'<f8'", "(1L,)") + EIGHT,
    "a word for a shape": preface("'<f8'", "('1',)") + EIGHT,
    "an order that is none": preface("'<f8'", "(1,)", order="2") + EIGHT,
    "an escape that is none": preface(r"'\<f8'", "(1,)") + EIGHT,
    "a type twice": preface("'<f8', 'descr': '<f4'", "(1,)") + EIGHT,
    "brackets in brackets": preface("'<f8'", "(" * 30000 + ")" * 30000) + EIGHT,
    "a preface that is too long": b"\x93NUMPY\1\0\xff\xff" + b"{" * 100,
    "a long preface": preface("'<f8'", "(1,)", version=b"\2\0") + EIGHT,
    "a preface of another version": preface("'<f8'", "(1,)").replace(b"Y\1", b"Y\3", 1) + EIGHT,
    "a version that there is not": preface("'<f8'", "(1,)", version=b"\7\0") + EIGHT,
    "no array at all": b"not an array",
    "an empty member": b"",
    "neither true nor false": preface("'|b1'", "(2,)") + b"\1\2",
    "a character that there is not": preface("'<U1'", "(1,)") + struct.pack("<I", 0x110000),
}


@pytest.mark.parametrize("content", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_is_no_plain_array_is_refused(tmp_path, content):
    with pytest.raises(ModelFileError) as error:
        read_archive(with_member(tmp_path / "a.npz", content), 1)
    assert "digest" not in str(error.value)  # that would have come later
    refuses(tmp_path / "a.npz", ".")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("a pickled object", "x does not begin as plain numbers or text do"),
        ("a preface of another version", "x does not begin as plain numbers or text do"),
        ("empty text", r"x has shape \(10000000000,\), but not that many entries"),
        ("10¹² entries", r"x has shape \(1000000000000,\), but not that many entries"),
        ("too many entries", r"x has shape \(1,\), but not that many entries"),
        ("neither true nor false", "x holds booleans that are neither true nor false"),
        ("a character that there is not", "x holds characters that do not exist"),
    ],
)
def test_an_error_names_the_array_and_what_is_wrong_with_it(tmp_path, name, match):
    refuses(with_member(tmp_path / "a.npz", NOT_PLAIN[name]), match)


HEADERS = {
    "of a newer format": (
        {"format": 2},
        "format 2, and this version of incrlearn reads up to 1: use the newer",
    ),
    "of a far newer format": ({"format": 10**30, "other": []}, "use the newer"),
    "without a format": ({"name": 1}, "does not say its format"),
    "of format 0": ({"format": 0}, "does not say its format"),
    "of a negative format": ({"format": -1}, "does not say its format"),
    "of a format in words": ({"format": "1"}, "does not say its format"),
    "of a fractional format": ({"format": 1.0}, "does not say its format"),
    "of a true format": ({"format": True}, "does not say its format"),
    "that is a list": ([1], "does not say its format"),
    "that is a number": (1, "does not say its format"),
    "that is nothing": (None, "does not say its format"),
}


@pytest.mark.parametrize(("header", "match"), HEADERS.values(), ids=HEADERS)
def test_a_header_of_another_format_is_refused_by_what_it_says(tmp_path, header, match):
    refuses(archive(tmp_path / "a.npz", [("header.npy", text(json.dumps(header)))]), match)


NO_HEADERS = {
    "no JSON": text("{'format': 1}"),
    "empty": text(""),
    "NaN": text('{"format": 1, "x": NaN}'),
    "infinity": text('{"format": 1, "x": -Infinity}'),
    "a number of many digits": text('{"format": ' + "9" * 100_000 + "}"),
    "lists in lists": text("[" * 100_000 + "]" * 100_000),
    "objects in objects": text('{"a":' * 100_000 + "1" + "}" * 100_000),
    "cut short": text('{"format": 1'),
    "two": text('{"format": 1} {"format": 1}'),
    "a list of texts": npy(np.array(['{"format": 1}'])),
    "bytes": npy(np.array(b'{"format": 1}')),
    "a number": npy(np.array(1.0)),
    "1 GB, it says": preface("'<U250000000'", "()") + b"{}",
    "a character that there is not": preface("'<U1'", "()") + b"\xff\xff\xff\xff",
}


@pytest.mark.parametrize("content", NO_HEADERS.values(), ids=NO_HEADERS)
def test_what_is_no_header_is_refused(tmp_path, content):
    refuses(archive(tmp_path / "a.npz", [("header.npy", content)]), ".")


def test_without_a_header_or_with_another_digest_it_is_refused(tmp_path):
    header, other = ("header.npy", text(json.dumps(HEADER))), ("x.npy", npy(np.zeros(1)))
    refuses(archive(tmp_path / "a.npz", [other]), "no header")
    for digest in ([], [("digest.npy", text("0" * 64))], [("digest.npy", npy(np.zeros(64)))]):
        refuses(archive(tmp_path / "a.npz", [header, other, *digest]), "digest")


def whole(path, members=1):
    """Write an archive in which all is right; return its bytes."""
    write_archive(path, HEADER, {f"a{k}": np.arange(4.0) for k in range(members)})
    return path.read_bytes()


def entry(content, name, place, layout, value):
    """Change a field of a member in the table of contents, and, where it stands there too, before it."""
    content = bytearray(content)
    start = content.rfind(b"PK\1\2", 0, content.rfind(name))
    struct.pack_into(layout, content, start + place, value)
    local = struct.unpack_from("<I", content, start + 42)[0]
    if place < 28 and place != 4 and local + place < len(content):
        struct.pack_into(layout, content, local + place - 2, value)
    return bytes(content)


def ending(content, place, layout, value):
    content = bytearray(content)
    struct.pack_into(layout, content, len(content) - 22 + place, value)
    return bytes(content)


WIDE = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 40, 0)
WIDE += struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)
TRICKS = {
    "empty": (lambda content: b"", "cut short"),
    "a single byte": (lambda content: b"P", "cut short"),
    "only an ending": (lambda content: content[-22:], "does not stand where"),
    "zeros": (lambda content: bytes(5000), "cut short"),
    "an array": (lambda content: npy(np.zeros(9)), "cut short"),
    "another archive before it": (lambda content: content + content, "does not stand where"),
    "something before it": (lambda content: b"#!/bin/sh\n" + content, "does not stand where"),
    "something behind it": (lambda content: content + b"\n", "cut short"),
    "a comment": (lambda content: ending(content, 20, "<H", 3) + b"abc", "cut short"),
    "a comment that is not there": (lambda content: ending(content, 20, "<H", 3), "cut short"),
    "a comment with another ending": (
        lambda content: ending(content, 20, "<H", 22) + content[-22:],
        "does not stand where",
    ),
    "no members": (lambda content: ending(ending(content, 8, "<H", 0), 10, "<H", 0), "not a plain one"),
    "more members than there are": (lambda content: ending(ending(content, 8, "<H", 9), 10, "<H", 9), "."),
    "two numbers of members": (lambda content: ending(content, 8, "<H", 1), "does not stand where"),
    "60,000 members": (
        lambda content: ending(ending(content, 8, "<H", 60_000), 10, "<H", 60_000),
        "too long",
    ),
    "a table of contents of 4 GB": (lambda content: ending(content, 12, "<I", 0xFFFFFFFF), "too long"),
    "no table of contents": (lambda content: ending(content, 12, "<I", 0), "does not stand where"),
    "a table of contents elsewhere": (lambda content: ending(content, 16, "<I", 0), "does not stand where"),
    "a wide ending": (lambda content: content[:-22] + WIDE + content[-22:], "two tables"),
    "several disks": (lambda content: ending(content, 4, "<H", 1), "cut short"),
    "an encrypted member": (lambda content: entry(content, b"a0.npy", 8, "<H", 1), "encrypted"),
    "a strongly encrypted member": (lambda content: entry(content, b"a0.npy", 8, "<H", 0x41), "encrypt"),
    "a patch": (lambda content: entry(content, b"a0.npy", 8, "<H", 0x20), "patched"),
    "a compression that there is not": (
        lambda content: entry(content, b"a0.npy", 10, "<H", 99),
        "a0 is compressed",
    ),
    "a checksum that is wrong": (lambda content: entry(content, b"a0.npy", 16, "<I", 0), "CRC"),
    "a member of 4 GB": (
        lambda content: entry(
            entry(content, b"a0.npy", 20, "<I", 0xFFFFFFF0), b"a0.npy", 24, "<I", 0xFFFFFFF0
        ),
        "larger than the file",
    ),
    "a member that says it is larger": (
        lambda content: entry(content, b"a0.npy", 24, "<I", 1 << 20),
        "larger than the file",
    ),
    "a member that says it is smaller": (
        lambda content: entry(content, b"a0.npy", 20, "<I", 1),
        "a0 is compressed",
    ),
    "a member elsewhere": (lambda content: entry(content, b"a1.npy", 42, "<I", 0), "differ"),
    "a member behind the end": (lambda content: entry(content, b"a0.npy", 42, "<I", 0x7FFFFFFF), "."),
    "another name": (lambda content: content.replace(b"a0.npy", b"b0.npy"), "digest"),
    "another name in one of two places": (lambda content: content.replace(b"a0.npy", b"b0.npy", 1), "differ"),
    "the same name": (lambda content: content.replace(b"a1.npy", b"a0.npy"), "a0.npy stands twice"),
    "a name that is no array's": (
        lambda content: content.replace(b"a0.npy", b"a0.txt"),
        "a0.txt stands twice, or is no array",
    ),
    "a path as a name": (lambda content: content.replace(b"a0.npy", b"/a.npy"), "digest"),
}


@pytest.mark.parametrize(("trick", "match"), TRICKS.values(), ids=TRICKS)
def test_an_archive_that_was_tampered_with_is_refused(tmp_path, trick, match):
    path = tmp_path / "a.npz"
    content = whole(path, members=2)
    path.write_bytes(trick(content))
    refuses(path, match)


def with_extra_field(path, extra):
    """Write an archive whose first member has an extra field in the table of contents."""
    content = bytearray(whole(path))
    start = content.find(b"PK\1\2")
    struct.pack_into("<H", content, start + 30, len(extra))
    name = struct.unpack_from("<H", content, start + 28)[0]
    content[start + 46 + name : start + 46 + name] = extra
    length = struct.unpack_from("<I", content, len(content) - 10)[0]
    struct.pack_into("<I", content, len(content) - 10, length + len(extra))
    path.write_bytes(content)
    return path


def test_a_member_may_have_no_second_name_and_no_second_size(tmp_path):
    wide = struct.pack("<HHQQ", 1, 16, 1 << 40, 1 << 40)
    other_name = struct.pack("<HHBI", 0x7075, 5, 1, zlib.crc32(b"a0.npy"))  # zipfile would warn
    for extra in (wide, other_name, b"\x01\x00", b"\xff\xff\xff\xff"):
        refuses(with_extra_field(tmp_path / "a.npz", extra), "not a plain one")


def bomb(path, nested=False):
    """Write an archive that is small only as long as it is compressed."""
    content = npy(np.zeros(1 << 22))
    members = [("header.npy", text(json.dumps(HEADER))), *((f"a{k}.npy", content) for k in range(3))]
    archive(path, members, zipfile.ZIP_DEFLATED)
    return archive(path, [("a.npy", path.read_bytes())], zipfile.ZIP_DEFLATED) if nested else path


@pytest.mark.parametrize("nested", [False, True])
def test_a_zip_bomb_is_refused_before_it_goes_off(tmp_path, nested):
    refuses(bomb(tmp_path / "a.npz", nested), "larger than the file")


def test_what_is_compressed_is_refused_even_if_it_is_no_smaller(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.random.default_rng(0).integers(0, 256, 8000, np.uint8))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as file:
        assert file.getinfo("x.npy").file_size < (tmp_path / "a.npz").stat().st_size
    refuses(tmp_path / "a.npz", "x is compressed")


def test_members_that_overlap_are_refused(tmp_path):
    content = bytearray(whole(tmp_path / "a.npz", members=50))
    first = struct.unpack_from("<I", content, content.find(b"PK\1\2") + 42)[0]
    place = content.find(b"PK\1\2")
    while place >= 0:
        struct.pack_into("<I", content, place + 42, first)
        place = content.find(b"PK\1\2", place + 1)
    (tmp_path / "a.npz").write_bytes(content)
    refuses(tmp_path / "a.npz", ".")


@pytest.mark.parametrize(("members", "name"), [(5000, b"a"), (70_000, b"a"), (100, b"a" * 20_000)])
def test_an_archive_of_endless_members_is_refused_at_once(tmp_path, members, name):
    member = struct.pack("<4s6H3I5H2I", b"PK\1\2", *[0] * 6, 0, 0, 0, len(name), *[0] * 4, 0, 0) + name
    directory = member * members
    shown = min(members, 0xFFFF)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, shown, shown, len(directory), 0, 0)
    (tmp_path / "a.npz").write_bytes(directory + end)
    refuses(tmp_path / "a.npz", "too long")


@pytest.mark.parametrize(("claim", "match"), [(1, "not stand where it says"), (1 << 40, "two tables")])
def test_a_file_with_five_empty_gigabytes_costs_nothing(tmp_path, claim, match):
    wide = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, claim, claim, claim, 0)
    wide += struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1) + struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 1, 0, 0
    )
    with open(tmp_path / "a.npz", "wb") as file:
        file.truncate(5 << 30)  # a hole, and no blocks
        file.seek(0, os.SEEK_END)
        file.write(wide)
    refuses(tmp_path / "a.npz", match)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero", "/dev/null"):
        with pytest.raises(ModelFileError, match=f"^{path} is not a model that can be read: it is no file$"):
            read_archive(path, 1)


def test_a_link_is_followed_and_one_that_leads_nowhere_is_no_file(tmp_path):
    whole(tmp_path / "a.npz")
    (tmp_path / "link").symlink_to(tmp_path / "a.npz")
    assert read_archive(tmp_path / "link", 1)[0] == HEADER
    (tmp_path / "a.npz").unlink()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name in ("link", "circle"):
        with pytest.raises(OSError, match=name):
            read_archive(tmp_path / name, 1)
