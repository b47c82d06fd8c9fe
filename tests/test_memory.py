"""What a command's busiest moment took is the system's again when it is over."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vigie import memory

# Threads take and leave blocks of up to 30 MB, between which small ones stay, as a run's tables and their notes do.
BUSY = """
from concurrent.futures import ThreadPoolExecutor

from vigie import cli

def taken():
    import psutil
    return psutil.Process().memory_info().rss

def busy(number, kept):
    import pyarrow as pa
    for turn in range(12):
        blocks = [pa.allocate_buffer((1 + (number * 7 + turn * 3 + n) % 30) << 20) for n in range(6)]
        for block in blocks:
            memoryview(block).cast("B")[:] = bytes(len(block))
            kept.append(pa.allocate_buffer(50_000))
        del block, blocks

def command():
    import deltalake, os
    import pyarrow as pa
    kept = []
    before = taken()
    with ThreadPoolExecutor(6) as threads:
        for _done in threads.map(busy, range(6), [kept] * 6):
            pass
    used = pa.default_memory_pool().backend_name  # by Arrow's own threads, too
    print(used, os.environ["_RJEM_MALLOC_CONF"].split(",")[0], (taken() - before) >> 20)
    raise SystemExit

cli.app = command
cli.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' allocators are left as they are")
def test_what_a_busy_moment_took_is_given_back() -> None:
    alone = {name: value for name, value in os.environ.items() if name not in memory.ALLOCATORS}  # Polars sets one
    said = subprocess.run([sys.executable, "-c", BUSY], env=alone, capture_output=True, text=True, check=True).stdout

    pool, arenas, megabytes_kept = said.splitlines()[-1].split()
    assert (pool, arenas) == ("system", "narenas:2")
    assert int(megabytes_kept) < 50
