"""What the allocator does with arrays that come and go at every step. NumPy only."""

import numpy as np

#: glibc heeds no block of 32 MB or more
LARGEST = 31 << 20


def keep_freed_memory():
    """Let the allocator keep memory that was freed, 62 MB at most, for whoever comes next.

    A step takes temporaries as long as θ, frees them, and takes them again. glibc gives them back to the
    system whenever more lies free on top of its heap than twice the largest block that it has mapped and
    freed so far, and the next step gets them page by page, all zeroed: that can take longer than the step's
    arithmetic (docs/performance.md). So the largest block that it heeds is mapped and freed here. It is never
    touched: it costs microseconds, and no memory. Other allocators do with it as they please, and glibc, too,
    where MALLOC_TRIM_THRESHOLD_ is set, as Dask does for its workers.
    """
    np.empty(LARGEST, np.uint8)
