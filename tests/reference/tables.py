"""Delta tables as Polars frames, and two frames compared as multisets of rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from pyarrow.dataset import ParquetReadOptions

RELATIVE = 1e-9
# Sums in another order, and coordinates of a few ulps' difference: a tenth of a micrometre is no difference.
ABSOLUTE = 1e-7


def exists(lake: Path, table: str) -> bool:
    """Whether there is a Delta table of this name."""
    return (lake / table / "_delta_log").is_dir()


def rows(lake: Path, table: str) -> pl.DataFrame:
    """Every row of a table; a frame without columns where there is no table."""
    if not exists(lake, table):
        return pl.DataFrame()
    # Spark may write instants as INT96; Arrow reads those as nanoseconds unless told, which end in 2262.
    micros = ParquetReadOptions(coerce_int96_timestamp_unit="us")
    dataset = DeltaTable(lake / table).to_pyarrow_dataset(parquet_read_options=micros)
    frame = pl.from_arrow(dataset.to_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


def _plain(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The same values in the widest type of their kind, so that INT equals BIGINT and a list can be a key."""
    if dtype.is_integer():
        return column.cast(pl.Int64)
    if dtype.is_float():
        return column.cast(pl.Float64)
    if isinstance(dtype, pl.Datetime):
        return column.cast(pl.Datetime("us", "UTC"))
    if isinstance(dtype, pl.List):
        return column.cast(pl.List(pl.String)).list.join(" + ")
    return column


def _settled(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(_plain(pl.col(name), dtype) for name, dtype in frame.schema.items())


def _kin(lake: pl.DataFrame, wanted: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both with the same types: a column of nulls takes the other's, an integer meets a float as one."""
    for name in wanted.columns:
        ours, theirs = lake.schema[name], wanted.schema[name]
        if ours == theirs:
            continue
        if pl.Null in (ours, theirs):
            dtype = theirs if ours == pl.Null else ours
        else:
            dtype = pl.Float64() if ours.is_numeric() and theirs.is_numeric() else pl.String()
        lake = lake.with_columns(pl.col(name).cast(dtype))
        wanted = wanted.with_columns(pl.col(name).cast(dtype))
    return lake, wanted


def _differs(name: str, dtype: pl.DataType) -> pl.Expr:
    lake, wanted = pl.col(name), pl.col(f"{name}_wanted")
    if not dtype.is_float():
        return lake.ne_missing(wanted)
    near = (lake - wanted).abs() <= RELATIVE * pl.max_horizontal(lake.abs(), wanted.abs()) + ABSOLUTE
    finite = lake.is_finite() & wanted.is_finite()
    return lake.ne_missing(wanted) & ~(near & finite).fill_null(False)


def _shown(rows_apart: pl.DataFrame, key: Sequence[str]) -> str:
    """The first row's key as a person reads it; what is null says nothing."""
    instants = [name for name in key if isinstance(rows_apart.schema[name], pl.Datetime)]
    first = rows_apart.head(1).select(key).with_columns(pl.col(instants).cast(pl.String)).row(0, named=True)
    return ", ".join(f"{name}={str(value)[:60]}" for name, value in first.items() if value is not None)


def differences(table: str, lake: pl.DataFrame, wanted: pl.DataFrame, key: Sequence[str]) -> list[str]:
    """What sets `lake` apart from `wanted` in the columns of `wanted`, rows being matched by `key`."""
    if not lake.columns:
        lake = wanted.clear()
    if absent := [name for name in wanted.columns if name not in lake.columns]:
        return [f"{table}: no column {', '.join(absent)}"]
    lake, wanted = _kin(_settled(lake.select(wanted.columns)), _settled(wanted))
    rest = [name for name in wanted.columns if name not in key]
    both = _matched(lake, wanted, [*key], rest)
    found = []
    for said, side in (("missing", "of_lake"), ("too many", "of_wanted")):
        if (apart := both.filter(pl.col(side).is_null())).height:
            found.append(f"{table}: {apart.height} rows {said}, such as {_shown(apart, key)}")
    both = both.filter(pl.col("of_lake") & pl.col("of_wanted"))
    for name in rest:
        if (apart := both.filter(_differs(name, wanted.schema[name]))).height:
            here, there = apart[name][0], apart[f"{name}_wanted"][0]
            found.append(
                f"{table}: {name} differs in {apart.height} rows, such as {_shown(apart, key)}: "
                f"the lake has {str(here)[:80]}, expected {str(there)[:80]}"
            )
    return found


def _matched(lake: pl.DataFrame, wanted: pl.DataFrame, key: list[str], rest: list[str]) -> pl.DataFrame:
    """Both side by side; of several rows with one key the first meets the first, by their other values."""

    def numbered(frame: pl.DataFrame, mark: str) -> pl.DataFrame:
        return frame.sort([*key, *rest]).with_columns(
            pl.int_range(pl.len()).over(key).alias("occurrence"), pl.lit(True).alias(mark)
        )

    return numbered(lake, "of_lake").join(
        numbered(wanted, "of_wanted"),
        on=[*key, "occurrence"],
        how="full",
        coalesce=True,
        nulls_equal=True,
        suffix="_wanted",
    )
