"""What Spark forks its Python workers from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import SparkSession


def archives_looked_through(_rows: Iterable[int]) -> Iterable[str]:
    import sys
    from zipimport import zipimporter

    yield from (name for name, finder in sys.path_importer_cache.items() if isinstance(finder, zipimporter))


def what_it_is(_rows: Iterable[int]) -> Iterable[str]:
    import sys

    spec = sys.modules["__main__"].__spec__
    yield spec.name if spec is not None else "no module"


def test_a_python_worker_has_no_archive_to_look_through_before_each_task(spark: SparkSession) -> None:
    rows = spark.sparkContext.parallelize([1], 1)
    assert rows.mapPartitions(what_it_is).collect() == ["vigie.engines.spark.python_daemon"]
    assert rows.mapPartitions(archives_looked_through).collect() == []
