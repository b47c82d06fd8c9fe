"""A run lives for weeks: what its busiest moment took goes back to the system, which allocators do only when told."""

from __future__ import annotations

import ctypes
import os
import platform

# Each is read once, when its library is loaded.
ALLOCATORS = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "_RJEM_MALLOC_CONF": "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true",  # of delta-rs
}
# By their numbers in malloc.h of glibc. Unless told, it moves the limit up to 32 MB, and gives each thread an arena.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE = 1 << 20  # bytes: what is larger is mapped by itself, and goes back whole


def give_back() -> None:
    """To be called before Arrow and delta-rs are imported; what a person has set stays."""
    for variable, value in ALLOCATORS.items():
        os.environ.setdefault(variable, value)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
        libc.mallopt(M_ARENA_MAX, 2)
