"""This Vigie, where Spark's executors are: brought to those that have none, or have another."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.errors import PySparkException

from vigie.core.user_function import reason
from vigie.errors import BadSetting

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

HERE = Path(__file__).parents[2]
NEEDED = ("numpy", "pyarrow", "msgspec", "sqlglot", "duckdb")  # by what parses and judges
ANSWER = "vigie STRING, missing STRING"


def is_missing(session: SparkSession, address: str) -> bool:
    """Whether the executors lack this very Vigie; BadSetting when they cannot run what is brought to them."""
    try:
        [(there, missing)] = session.range(1).coalesce(1).mapInArrow(asked(), ANSWER).collect()
    except PySparkException as problem:
        raise _unable(f"cannot run Python functions: {reason(str(problem))}", address) from problem
    if missing:
        raise _unable(f"lack {missing}", address)
    [here] = asked()([pa.record_batch({"id": [0]})])
    return bool(there != here["vigie"][0].as_py())


def archive(folder: Path) -> Path:
    """It as an archive that Python imports from."""
    path = folder / "vigie.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
        for file in sorted(HERE.rglob("*.py")):
            whole.write(file, Path("vigie") / file.relative_to(HERE))
    return path


def asked() -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What tells of a Python which Vigie it has, and what it lacks. It takes nothing along from here: there may be none
    where it runs."""
    needed = NEEDED

    def told(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from hashlib import sha256
        from importlib.util import find_spec
        from pathlib import Path

        import pyarrow

        found, whole = find_spec("vigie"), sha256()
        if found is not None and found.origin is not None:
            folder = Path(found.origin).parent
            for file in sorted(folder.rglob("*.py")):
                whole.update(str(file.relative_to(folder)).encode() + file.read_bytes())
        missing = ", ".join(name for name in needed if find_spec(name) is None)
        for _ in batches:
            yield pyarrow.record_batch({"vigie": [whole.hexdigest()], "missing": [missing]})

    return told


def _unable(what: str, address: str) -> BadSetting:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return BadSetting(
        f"the executors of the Spark at {address} {what}",
        where="PYSPARK_PYTHON",
        do=f"Give them a Python {python} that has {', '.join(NEEDED)}: `pip install` the wheel of Vigie there.",
    )
