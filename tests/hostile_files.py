"""Damage saved models in every way that files are damaged, and see that none of them goes unnoticed.

    python -m tests.hostile_files 10000

Every damaged file must load as the model that was saved, to the last bit, or be refused with the one clear
error: no other exception, no warning. How often it was which, and the memory that it took, are printed.
"""

import json
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from incrlearn import load
from incrlearn.storage import ModelFileError

from .saved import bits, learned, peak_megabytes

EXAMPLES = ("tasks known by id", "sparse", "values")
#: where the fields of an entry in the table of contents, and of a member's own header, stand, and how wide
ENTRY = {4: 2, 6: 2, 8: 2, 10: 2, 12: 4, 16: 4, 20: 4, 24: 4, 28: 2, 30: 2, 32: 2, 34: 2, 36: 2, 38: 4, 42: 4}
LOCAL = {4: 2, 6: 2, 8: 2, 10: 4, 14: 4, 18: 4, 22: 4, 26: 2, 28: 2}
ENDING = {4: 2, 6: 2, 8: 2, 10: 2, 12: 4, 16: 4, 20: 2}
NUMBERS = (0, 1, 2, 7, 8, 20, 99, 0x2000, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)

# ---- damage ------------------------------------------------------------------------------------------


def flip(content, rng):
    """Change a few bits."""
    for place in rng.integers(0, len(content), rng.integers(1, 5)):
        content[place] ^= 1 << rng.integers(8)


def overwrite(content, rng):
    """Put other bytes in the place of some."""
    first, last = _span(content, rng)
    content[first:last] = rng.bytes(last - first) if rng.random() < 0.5 else bytes(last - first)


def cut(content, rng):
    """Leave out the end, or the beginning."""
    place = rng.integers(len(content))
    del content[slice(place, None) if rng.random() < 0.7 else slice(place)]


def remove(content, rng):
    """Leave out a piece."""
    first, last = _span(content, rng)
    del content[first:last]


def swap(content, rng):
    """Let two pieces change places."""
    first, last = _span(content, rng)
    other = rng.integers(0, len(content) - (last - first) + 1)
    piece = content[first:last]
    content[first:last] = content[other : other + last - first]
    content[other : other + last - first] = piece


def repeat(content, rng):
    """Insert a piece a second time, anywhere."""
    first, last = _span(content, rng)
    place = rng.integers(len(content))
    content[place:place] = content[first:last]


def insert(content, rng):
    """Insert, append or put in front what does not belong there."""
    place = rng.choice([0, len(content), rng.integers(len(content))])
    content[place:place] = rng.bytes(rng.integers(1, 200))


def table_of_contents(content, rng):
    """Write another number into a field of the archive's own."""
    signature, fields = [(b"PK\1\2", ENTRY), (b"PK\3\4", LOCAL), (b"PK\5\6", ENDING)][rng.integers(3)]
    place = rng.choice(_all(content, signature)) + rng.choice(list(fields))
    width = fields[int(place) - _last_before(content, signature, place)]
    number = int(rng.choice(NUMBERS)) if rng.random() < 0.7 else int(rng.integers(len(content)))
    content[place : place + width] = struct.pack("<Q", number)[:width]


def with_its_checksum(content, rng):
    """Change bytes of one member, and write the checksum that the archive wants."""
    entry = int(rng.choice(_all(content, b"PK\1\2")))
    size, start = (struct.unpack_from("<I", content, entry + k)[0] for k in (24, 42))
    first = start + 30 + sum(struct.unpack_from("<HH", content, start + 26))
    inner = np.frombuffer(content, np.uint8)[first : first + size]
    for place in rng.integers(0, size, rng.integers(1, 4)):
        inner[place] ^= 1 << rng.integers(8)
    checksum = struct.pack("<I", zlib.crc32(inner))
    del inner  # lets the content change its length again
    content[entry + 16 : entry + 20] = content[start + 14 : start + 18] = checksum


def _span(content, rng):
    length = int(min(2 ** rng.uniform(0, 12), len(content) - 1))
    first = int(rng.integers(0, len(content) - length + 1))
    return first, first + length


def _all(content, signature):
    places, place = [], content.find(signature)
    while place >= 0:
        places.append(place)
        place = content.find(signature, place + 1)
    return places


def _last_before(content, signature, place):
    return content.rfind(signature, 0, int(place) + 1)


DAMAGES = (flip, overwrite, cut, remove, swap, repeat, insert, table_of_contents, with_its_checksum)

# ---- what becomes of it ------------------------------------------------------------------------------


def damage_files(folder, times, seed=0):
    """Return how often each damage was refused, and how often the model loaded nevertheless."""
    rng, found, slowest = np.random.default_rng(seed), Counter(), 0.0
    for name in EXAMPLES:
        learned(name)[0].save(folder / name)
    whole = {name: ((folder / name).read_bytes(), bits(vars(load(folder / name)))) for name in EXAMPLES}
    path = folder / "damaged.npz"
    for k in range(times):
        saved, state = whole[rng.choice(EXAMPLES)]
        damage = DAMAGES[k % len(DAMAGES)]
        content = bytearray(saved)
        damage(content, rng)
        path.write_bytes(content)
        started = time.perf_counter()
        try:
            model = load(path)
        except ModelFileError as error:
            if not str(error).startswith(f"{path} is not a model that can be read: "):
                raise AssertionError(f"refused, but like this: {error}") from error
            found[f"{damage.__name__}: refused"] += 1
        else:
            if bits(vars(model)) != state:
                raise AssertionError(f"{damage.__name__}, number {k}: another model")
            found[f"{damage.__name__}: loaded{'' if content != saved else ', nothing changed'}"] += 1
        slowest = max(slowest, time.perf_counter() - started)
    megabytes = peak_megabytes()
    return {"found": found, "slowest": round(slowest, 3), "megabytes": megabytes}


def main():
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(damage_files(Path(folder), int(sys.argv[1])), indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
