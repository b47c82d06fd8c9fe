"""What a process and all that it started cost: CPU seconds and memory, sampled from outside."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.programs import HOUSE

CPU_EVERY_S = 0.5  # a process that ends between two looks loses this much of its time at most
LOOKS_PER_MEMORY = 2


@dataclass(slots=True)
class Footprint:
    """CPU seconds so far; and memory at each look, as PSS: pages that forks share are counted once."""

    cpu_s: float = 0.0
    memory: list[tuple[float, int]] = field(default_factory=list)  # seconds since the start, bytes

    @property
    def peak(self) -> int:
        return max((size for _, size in self.memory), default=0)


class Meter:
    """Looks at a tree of processes until told to stop."""

    def __init__(self, process: int) -> None:
        self.footprint = Footprint()
        self._root = psutil.Process(process)
        self._spent: dict[tuple[int, float], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, name="meter", daemon=True)
        self._thread.start()

    def stop(self) -> Footprint:
        self._stop.set()
        self._thread.join()
        return self.footprint

    def _go(self) -> None:
        started, looks = time.monotonic(), 0
        while True:
            tree = self._tree()
            for process in tree:
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    self._spent[process.pid, process.create_time()] = times.user + times.system
            self.footprint.cpu_s = sum(self._spent.values())
            if looks % LOOKS_PER_MEMORY == 0:
                self.footprint.memory.append((time.monotonic() - started, _memory(tree)))
            looks += 1
            if self._stop.wait(CPU_EVERY_S):
                return

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return []


def _memory(tree: list[psutil.Process]) -> int:
    size = 0
    for process in tree:
        with suppress(psutil.Error):
            size += process.memory_full_info().pss
    return size


def measured(module: str, *arguments: str, log: Path, python: Path = Path(sys.executable)) -> Footprint:
    """Run a module of this benchmark in a process of its own until it ends; SystemExit when it fails."""
    command: Sequence[str] = [str(python), "-m", module, *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=HOUSE)
        meter = Meter(process.pid)
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            meter.stop()
    if code:
        sys.stdout.write(log.read_text(errors="replace")[-4_000:])
        raise SystemExit(f"{module} ended with {code}")
    return meter.footprint
