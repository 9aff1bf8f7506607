"""Memory that training frees and takes again in every step, kept by the process and in large pages (Linux, glibc).

Left alone, glibc gives tensors of some megabytes back to the system when they are freed and maps them anew in the next
step, page by page, and the system clears every page before it hands it out.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import sys

RESERVE = 4 << 30
"""Bytes of addresses that are asked for in large pages; no memory stands behind one until it is written to."""

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8  # of glibc's malloc.h
_PAD = 256 << 20
_MADV_HUGEPAGE = 14


@functools.cache
def keep_memory(reserve: int = RESERVE) -> bool:
    """Let this process keep the memory it frees, in large pages where the system has them. For commands that train.

    What a tensor leaves is then taken by the next one. The process stays as large as it once was until it ends. To be
    called before the memory is used, and by a program, not a library: it changes the whole process, once.

    Args:
        reserve: As :data:`RESERVE`.

    Returns:
        Whether it could be done here; where not, nothing is changed.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not all(hasattr(library, name) for name in ("gnu_get_libc_version", "mallopt", "malloc", "free", "madvise")):
        return False
    options = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, _PAD), (_ARENA_MAX, 1))
    if not all(library.mallopt(ctypes.c_int(key), ctypes.c_int(value)) for key, value in options):
        return False
    library.malloc.restype = ctypes.c_void_p
    block = library.malloc(ctypes.c_size_t(reserve))
    if not block:
        return True
    start = -(-block // mmap.PAGESIZE) * mmap.PAGESIZE
    size = (block + reserve - start) // mmap.PAGESIZE * mmap.PAGESIZE
    library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), ctypes.c_int(_MADV_HUGEPAGE))
    library.free(ctypes.c_void_p(block))
    return True
