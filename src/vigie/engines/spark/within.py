"""What runs within a partition, where the executors are: it needs Arrow and NumPy there, and what parses and judges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vigie.core.ingest.verdict import REPEAT, judged
from vigie.core.progress import NEVER, seen

Batches = Iterable[pa.RecordBatch]

# Beside the table's own columns, while it is judged: the message's place, when it was received and when it arrived, how
# many bytes it has, the event time (microseconds), how far the partition had come, and whether the same message came
# back twice.
PARTITION, ROW, RECEIVED, ARRIVED, SIZE, TIME, UNTIL, AGAIN = (
    "_partition", "_row", "_received", "_arrived", "_size", "_time", "_until", "_again"
)  # fmt: skip
RULES, VERDICT, AGAIN_AT = "_rules", "_verdict", "_again_at"


def place(before: Mapping[str, int], floor: int, ahead: int, batches: Batches) -> Iterator[pa.RecordBatch]:
    """How far each row's partition had come before it, rows of a partition standing in its order."""
    progress, last = dict(before), None
    for batch in batches:
        times, rows = batch[TIME].to_numpy(), batch[ROW].to_numpy()
        broken = pc.greater(pc.list_value_length(batch[RULES]), 0).to_numpy(zero_copy_only=False)
        credible = ~broken & (times <= batch[RECEIVED].to_numpy() + ahead)
        told = seen(batch[PARTITION], times, credible, progress, floor)
        progress = told.progress
        again = np.diff(rows, prepend=rows[:1] - 1 if last is None else last) == 0 if len(rows) else np.zeros(0, bool)
        last = rows[-1:] if len(rows) else last
        yield batch.append_column(UNTIL, pa.array(told.until)).append_column(AGAIN, pa.array(again))


def repeats_of(watermark: int, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Where the repeats stand among rows that are broken or late no more, where all rows of a key are together, with
    those that were accepted before: which have no place."""
    given = list(batches)
    if not given:
        return
    both = pa.Table.from_batches(given)
    rows, held = both.filter(both[ROW].is_valid()).sort_by(ROW), both.filter(both[ROW].is_null())
    times, named = rows[TIME].to_numpy(), [name for name in both.column_names if name not in {TIME, ROW}]
    known = held.select([*named, TIME]).rename_columns([*named, "micros"])
    found = judged(
        np.zeros(len(rows), bool), times, np.full(len(rows), NEVER), watermark, rows.select(named),
        lambda _keys, _low, _high: known,
    )  # fmt: skip
    repeats = rows[ROW].take(pa.array(found.rows(REPEAT)))
    yield pa.RecordBatch.from_arrays([repeats.combine_chunks()], names=[AGAIN_AT])
