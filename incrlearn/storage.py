"""Files: written whole, or not at all; and read with suspicion."""

import errno
import hashlib
import json
import math
import os
import re
import stat
import struct
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np


@contextmanager
def whole_file(path):
    """Open a file for writing such that a kill at any moment leaves the old file or the new one.

    What is written goes to a temporary file beside it, which is flushed to disk and renamed at the end.
    Where the block fails the temporary file is removed, and the old file stays as it was. A kill may leave
    it behind: its name begins with a dot, and nothing ever looks at it.

    Parameters
    ----------
    path : str or path
        Where the file is to be. A link stays one, and what it leads to is written.

    Yields
    ------
    binary file
        To write to.

    Raises
    ------
    OSError
        If the folder is not there, or can not be written to, or if there is something else than a file.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with whole_file(Path(folder) / "a.txt") as file:
    ...     _ = file.write(b"all of it")
    >>> (Path(folder) / "a.txt").read_bytes(), os.listdir(folder)
    (b'all of it', ['a.txt'])
    """
    import tempfile  # takes its time, and only those who write need it

    path = Path(os.path.realpath(path))
    mode = _mode_of(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:50]}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(path.parent)


def _mode_of(path):
    """Return the access rights of the file that is replaced, or of a new file."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is no file that could be replaced", str(path))
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder):
    """Flush the renaming itself to disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# ---- archives: named arrays and a header in one .npz file --------------------------------------------

MEMBERS = 4096
DIRECTORY_BYTES = 1 << 20
LARGE = 1 << 32  # from here on a .npz file has a second, wider ending
#: numbers, booleans and text
KINDS = "biufU"
#: what NumPy writes before the entries of an array
PREFACE = re.compile(
    rb"{'descr': '([<>|][biufU]\d{1,9})', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), } *\n"
)


class ModelFileError(ValueError):
    """A file is not a model that can be read: damaged, cut short, hostile, or of a newer version."""


@contextmanager
def refusing(path):
    """Turn whatever goes wrong into a ModelFileError that names the file: made by hand, it can be anything.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    ModelFileError
        In the place of any error.

    Examples
    --------
    >>> with refusing("m.npz"):
    ...     {}["header"]
    Traceback (most recent call last):
    incrlearn.storage.ModelFileError: m.npz is not a model that can be read: 'header'
    """
    try:
        yield
    except Exception as error:  # zipfile, NumPy and json have a dozen errors for what is not theirs
        what = str(error) or type(error).__name__
        raise ModelFileError(f"{path} is not a model that can be read: {what}") from None


def write_archive(path, header, arrays):
    """Write a header and named arrays as one .npz file, whole or not at all.

    Any NumPy opens it: `np.load(path)["header"]` is the header as JSON. Nothing is pickled or compressed,
    so what a reader may have to hold is never more than the file. `digest` is the SHA-256 of the rest.

    Parameters
    ----------
    path : str or path
    header : dict
        JSON values.
    arrays : dict of str to ndarray
        Numbers, booleans or strings; at most 4000.

    Raises
    ------
    TypeError, ValueError
        If an array holds something else, there are too many, or the header is not JSON.
    OSError
        If the file can not be written.
    """
    for name, array in arrays.items():
        if not _is_plain(array.dtype):
            raise TypeError(f"{name} can not be saved: it holds {array.dtype}, not plain numbers or text")
    if len(arrays) > 4000:
        raise ValueError(f"a file can hold 4000 arrays, got {len(arrays)}")
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    arrays = {**arrays, "header": np.array(text)}
    arrays["digest"] = np.array(_digest(arrays))
    with whole_file(path) as file:
        np.savez(file, **arrays)


def read_archive(path, version):
    """Read what `write_archive` has written.

    Every size is compared with the file's own before memory is taken for it, so that no file, however made,
    costs more than a few times its length.

    Parameters
    ----------
    path : str or path
    version : int
        The newest `format` in a header that the caller understands.

    Returns
    -------
    header : dict
    arrays : dict of str to ndarray

    Raises
    ------
    OSError
        If there is no such file, or it can not be read.
    ModelFileError
        If the file is anything else than what was written.
    """
    regular = stat.S_ISREG(os.stat(path).st_mode)
    with refusing(path):
        if not regular:  # a pipe would be waited for, a device has no end
            raise ModelFileError("it is no file")
    with open(path, "rb") as file, refusing(path):
        arrays = _read_members(file)
        header = _header(arrays, version)
        if str(arrays.pop("digest", None)) != _digest(arrays):
            raise ModelFileError("its contents are not what its digest says")
    del arrays["header"]
    return header, arrays


def _is_plain(dtype):
    """Say whether entries are numbers, booleans or text, and at least a byte each."""
    return dtype.kind in KINDS and dtype.itemsize > 0


def _header(arrays, version):
    """Return the header; a newer format is said first, because nothing else of it can be judged."""
    if "header" not in arrays:
        raise ModelFileError("it has no header")
    header = json.loads(str(arrays["header"]), parse_constant=_no_number)
    found = header.get("format") if isinstance(header, dict) else None
    if type(found) is not int or found < 1:
        raise ModelFileError("its header does not say its format")
    if found > version:
        raise ModelFileError(
            f"it has format {found}, and this version of incrlearn reads up to {version}: "
            "use the newer one that wrote it"
        )
    return header


def _no_number(name):
    raise ModelFileError(f"its header holds {name}, which is not JSON")


def _digest(arrays):
    """Return the SHA-256 of names, types, shapes, orders and bytes, in hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), copy=False)
        order = "F" if array.flags.fnc else "C"
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|{order}|".encode())
        digest.update(np.asarray(array, order=order).reshape(-1, order=order).view(np.uint8))
    return digest.hexdigest()


def _read_members(file):
    size = os.fstat(file.fileno()).st_size
    _check_directory(file, size)
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > size:
            raise ModelFileError("its parts are larger than the file")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
                raise ModelFileError(f"{name} is compressed")
            if name in arrays or name == member.filename:
                raise ModelFileError(f"{member.filename} stands twice, or is no array")
            arrays[name] = _read_array(archive, member, name)
    return arrays


def _check_directory(file, size):
    """Refuse a table of contents that is no plain one at the very end, or one without bounds."""
    file.seek(max(size - 98, 0))
    tail = file.read(98)
    wide, locator, ending = tail[-98:-42], tail[-42:-22], tail[-22:]
    if ending[:8] != b"PK\5\6\0\0\0\0" or ending[-2:] != b"\0\0":
        raise ModelFileError("it is cut short, or no .npz file")
    here, members, length, offset = struct.unpack("<HHII", ending[8:20])
    start = size - 22 - length
    if locator[:4] == b"PK\6\7":
        start, offset = start - 76, struct.unpack("<Q", wide[48:56])[0]
        if size < LARGE or wide[:4] != b"PK\6\6" or wide[32:48] != struct.pack("<QQ", members, length):
            raise ModelFileError("it has two tables of contents")
    if here != members or members > MEMBERS or length > DIRECTORY_BYTES or start != offset:
        raise ModelFileError("its table of contents is too long, or does not stand where it says")
    file.seek(start)
    _check_entries(file.read(length), members, size >= LARGE)
    file.seek(0)


def _check_entries(directory, members, large):
    """Refuse extra fields and comments, which can say other things once more."""
    place = 0
    for _ in range(members):
        name, extra, comment = struct.unpack_from("<HHH", directory, place + 28)
        fields = directory[place + 46 + name :][:extra]
        wide = large and len(fields) > 4 and struct.unpack("<HH", fields[:4]) == (1, extra - 4)
        if comment or (fields and not wide):
            raise ModelFileError("its table of contents is not a plain one")
        place += 46 + name + extra
    if place != len(directory):
        raise ModelFileError("its table of contents is not a plain one")


def _read_array(archive, member, name):
    """Return one array, its preface compared with the member's size before any of it is read."""
    with archive.open(member) as stream:
        magic, length = struct.unpack("<8sH", stream.read(10))
        preface = PREFACE.fullmatch(stream.read(length))
        if magic != b"\x93NUMPY\1\0" or preface is None:
            raise ModelFileError(f"{name} does not begin as plain numbers or text do")
        dtype = np.dtype(preface[1].decode())
        shape = tuple(int(n) for n in preface[3].replace(b",", b" ").split())
        if not _is_plain(dtype) or math.prod(shape) * dtype.itemsize != member.file_size - stream.tell():
            raise ModelFileError(f"{name} has shape {shape}, but not that many entries")
        entries = bytearray(stream.read())  # to its end: the checksum is compared there
    array = np.ndarray(shape, dtype, entries, order="F" if preface[2] == b"True" else "C")
    return _checked(array.astype(dtype.newbyteorder("="), copy=False), name)


def _checked(array, name):
    """Return an array, if its bits are those of booleans, or of characters, where it says so."""
    kind, bits = array.dtype.kind, array.reshape(-1, order="A")
    if kind == "b" and (bits.view(np.uint8) > 1).any():
        raise ModelFileError(f"{name} holds booleans that are neither true nor false")
    if kind == "U" and (bits.view(np.uint32) > 0x10FFFF).any():
        raise ModelFileError(f"{name} holds characters that do not exist")
    return array
