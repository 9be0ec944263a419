"""The CPU time of code under test, for bounds on how it grows with its input."""

import contextlib
import gc
import time
from collections.abc import Iterator


class CpuTime:
    """CPU time in seconds, set when :func:`measured` ends."""

    seconds: float


@contextlib.contextmanager
def measured() -> Iterator[CpuTime]:
    """Measure this thread alone and without garbage collection.

    Former tests of the same process leave threads, and objects that a collection visits.
    """
    taken = CpuTime()
    collected = gc.isenabled()
    gc.disable()
    begin = time.thread_time()
    try:
        yield taken
    finally:
        taken.seconds = time.thread_time() - begin
        if collected:
            gc.enable()
