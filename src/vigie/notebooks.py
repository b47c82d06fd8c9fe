"""Running a notebook from its first cell to its last, on a lake, and keeping what it shows."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from vigie.errors import BadSetting, RunFailed
from vigie.extras import install_extra

PACKAGES = ("nbclient", "ipykernel")
KERNEL_STARTS_WITHIN_S = 300
LONGEST_CELL_S = 1_800.0  # a stream is watched for minutes; what takes longer hangs


def check_installed() -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise BadSetting(
            "what runs notebooks is not installed",
            where=", ".join(missing),
            do=install_extra("notebooks", " ".join(PACKAGES)),
        )


def executed(path: Path, lake: Path | str | None, longest_cell_s: float = LONGEST_CELL_S) -> str:
    """The notebook with what its cells gave, as JSON. It runs beside its file, in a kernel of this Python that has
    VIGIE_LAKE set, or not where no lake is given; RunFailed names the cell that fails."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, nbformat.ValidationError) as problem:
        raise RunFailed("that is no notebook", where=str(path), do="Put it back from where it came.") from problem
    where = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(
        notebook,
        extra_arguments=["--log-level=ERROR"],  # it warns of its port, which is this machine's alone and asks for a key
        startup_timeout=KERNEL_STARTS_WITHIN_S,
        timeout=longest_cell_s,
        kernel_name="python3",
        resources=where,
        record_timing=False,
    )
    try:
        client.execute(env={**os.environ, "VIGIE_LAKE": str(Path(lake).absolute()) if lake else ""})
    except CellExecutionError as problem:
        raise _failed(path, notebook, f"{problem.ename}: {problem.evalue}") from problem
    except (CellTimeoutError, DeadKernelError) as problem:
        raise _failed(path, notebook, str(problem).splitlines()[0]) from problem
    except Exception as problem:
        if hasattr(client, "_async_cleanup_kernel_future"):  # a signal came, and the client took the kernel away
            raise KeyboardInterrupt from problem
        raise
    text: str = nbformat.writes(notebook)
    return text


def _failed(path: Path, notebook: object, said: str) -> RunFailed:
    cells = [cell for cell in getattr(notebook, "cells", []) if cell.cell_type == "code"]
    number = 1 + max((at for at, cell in enumerate(cells) if cell.outputs or cell.execution_count), default=0)
    return RunFailed(
        f"the notebook stopped in its code cell {number}: {said}",
        where=path.name,
        do="Open it in Jupyter with VIGIE_LAKE set to the same lake, and run it up to there.",
    )
