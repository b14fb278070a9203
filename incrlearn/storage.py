"""Files: written whole, or not at all; and read with suspicion."""

import hashlib
import json
import math
import os
import struct
import tempfile
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np


@contextmanager
def whole_file(path):
    """Open a file for writing such that a kill at any moment leaves the old file or the new one.

    What is written goes to a temporary file beside it, which is flushed to disk and renamed at the end.
    Where the block fails the temporary file is removed, and the old file stays as it was.

    Parameters
    ----------
    path : str or path
        Where the file is to be.

    Yields
    ------
    binary file
        To write to.

    Raises
    ------
    OSError
        If the folder is not there, or can not be written to.

    Examples
    --------
    >>> folder = tempfile.mkdtemp()
    >>> with whole_file(Path(folder) / "a.txt") as file:
    ...     _ = file.write(b"all of it")
    >>> (Path(folder) / "a.txt").read_bytes(), os.listdir(folder)
    (b'all of it', ['a.txt'])
    """
    path = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode_of(path))
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(path.parent)


def _mode_of(path):
    """Return the access rights of the file that is replaced, or of a new file."""
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
KINDS = "biufU"


class ModelFileError(ValueError):
    """A file is not a model that can be read: damaged, cut short, hostile, or of a newer version."""


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
        Numbers, booleans or strings.

    Raises
    ------
    OSError
        If the file can not be written.
    """
    arrays = {**arrays, "header": np.array(json.dumps(header, ensure_ascii=False))}
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
    with open(path, "rb") as file:
        try:
            arrays = _read_members(file)
            header = _header(arrays, version)
            digest = arrays.pop("digest", None)
            if digest is None or digest.shape or str(digest) != _digest(arrays):
                raise ModelFileError("its contents are not what its digest says")
        except ModelFileError as error:
            raise ModelFileError(f"{path} is not a model that can be read: {error}") from None
        except Exception as error:  # zipfile, NumPy and json have a dozen errors for what is not theirs
            what = str(error) or type(error).__name__
            raise ModelFileError(f"{path} is not a model that can be read: {what}") from None
    del arrays["header"]
    return header, arrays


def _header(arrays, version):
    """Return the header; a newer format is said first, because nothing else of it can be judged."""
    if "header" not in arrays or arrays["header"].shape or arrays["header"].dtype.kind != "U":
        raise ModelFileError("it has no header")
    header = json.loads(str(arrays["header"]))
    found = header.get("format") if isinstance(header, dict) else None
    if type(found) is not int or found < 1:
        raise ModelFileError("its header does not say its format")
    if found > version:
        raise ModelFileError(
            f"it has format {found}, and this version of incrlearn reads up to {version}: "
            "use the newer one that wrote it"
        )
    return header


def _digest(arrays):
    """Return the SHA-256 of names, types, shapes and bytes, in hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), order="C", copy=False)
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.reshape(-1).view(np.uint8))
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
    file.seek(max(size - 42, 0))
    tail = file.read(42)
    file.seek(0)
    if len(tail) < 42 or tail[20:24] != b"PK\5\6":
        raise ModelFileError("it is cut short, or no .npz file")
    members, length = struct.unpack("<HI", tail[30:36])
    large = tail[:4] == b"PK\6\7" and size >= 1 << 32  # only there has it a second, wider ending
    if members > MEMBERS or length > DIRECTORY_BYTES or (tail[:4] == b"PK\6\7" and not large):
        raise ModelFileError("its table of contents is too long")


def _read_array(archive, member, name):
    """Return one array, its header compared with the member's size before any of it is read."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ModelFileError(f"{name} is written in a format of its own")
        shape, fortran, dtype = read_header(stream)
        if dtype.kind not in KINDS or not dtype.itemsize:
            raise ModelFileError(f"{name} holds {dtype}, not plain numbers or text")
        if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != member.file_size - stream.tell():
            raise ModelFileError(f"{name} has shape {shape}, but not that many entries")
        entries = bytearray(stream.read())  # to its end: the checksum is compared there
    array = np.ndarray(shape, dtype, entries, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
