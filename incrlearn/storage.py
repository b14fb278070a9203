"""Files: written whole, or not at all."""

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path


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
