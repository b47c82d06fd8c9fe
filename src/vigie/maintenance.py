"""Keeping tables quick and small: compaction and vacuum, both safe beside a pipeline that runs.

Compaction only rewrites: its commit says that no data changed, so streams pass over it, appends do not
collide with it, and the files it replaces stay until a vacuum.

Vacuum deletes, so it must never reach a file that a run may still read: silver as it was before a batch that
a crash left unfinished (the batch is done again against that very version), or what a gold query that lags
behind has yet to take. The newest plan of each source, gold table and delivery names the versions of the tables that
it reads. A file that was still part of the table at the oldest of these stays, whatever age was asked for. So a
pipeline may be stopped for a month, with `vigie maintain` every night, and go on. A watch reads silver again as it was
at the version in its note, and then what came since; who is told of alerts reads their log from his note on. What
Spark's streams may need, on which a Vigie of November 2026 ran, nobody here can tell: all of it.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import PostCommitHookProperties

from vigie.disk import is_full, written
from vigie.errors import BadAddress, BadSetting, VigieError
from vigie.lake import Lake, Table

MB = 1024 * 1024
LARGE = 128 * MB
LARGE_WHILE_RUNNING = 16 * MB  # a file that is rewritten with every new handful must stay cheap to rewrite
TRIES = 3
# Whoever else reads the lake (a notebook, a query) holds on to the files it found when it began.
SHORTEST = timedelta(hours=1)
# Checkpoints and clean-up of the log are left to Spark, which runs the pipeline: its `txn` entries are what
# makes a batch that runs twice write once, and they must not hang on how another writer keeps them.
ONLY_THE_COMMIT = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Compaction:
    """How many small files became how many large ones."""

    removed: int
    added: int


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What maintenance did to one table. `kept_since` is set where a run may still need what is older."""

    table: str
    files_before: int
    files_after: int
    files_deleted: int
    bytes_freed: int
    kept_since: datetime | None = None
    kept_for: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """The files as they were at an instant (epoch seconds) are still to be read by a query."""

    since: float
    query: str


def maintain(lake: Lake, older_than: timedelta, say: Callable[[str], None] = lambda _text: None) -> Iterator[Upkeep]:
    """Compact every table of the lake, and delete files that were replaced longer ago than `older_than`."""
    if older_than < SHORTEST:
        raise BadSetting(
            "files that were replaced less than an hour ago may still be being read",
            where="--older-than",
            do="Say at least 1h; the default is 7d.",
        )
    if not lake.root.is_dir():
        raise BadAddress("there is no lake", where=str(lake), do="Make one: vigie demo flights")
    return _maintained(lake, older_than, say)


def _maintained(lake: Lake, older_than: timedelta, say: Callable[[str], None]) -> Iterator[Upkeep]:
    for table in lake.tables():
        say(f"Looking after {table}")
        try:
            with written(table.path):
                done = _look_after(lake, table, older_than)
        except DeltaError as problem:
            raise VigieError(
                f"{table} cannot be maintained: {problem}",
                where=str(table.path),
                do="Run it again; tables that were done before stay done.",
            ) from problem
        yield done


def _look_after(lake: Lake, table: Table, older_than: timedelta) -> Upkeep:
    before = len(DeltaTable(table.path).file_uris())
    try:
        _compact(table.path, LARGE)
    except (DeltaError, OSError) as problem:
        if not is_full(problem):
            raise
        log.warning("%s keeps its small files: the disk is full", table)  # deleting is what makes room
    delta = DeltaTable(table.path)
    need = oldest_need(lake, table.path)
    asked_since = time.time() - older_than.total_seconds()
    since = min(asked_since, need.since) if need else asked_since
    deleted, freed = _vacuum(delta, table.path, since)
    held = need if need and need.since < asked_since else None
    return Upkeep(
        str(table),
        before,
        len(delta.file_uris()),
        deleted,
        freed,
        datetime.fromtimestamp(held.since, UTC) if held else None,
        held.query if held else None,
    )


def compact_small(path: Path, *, more_than: int = 48) -> Compaction | None:
    """Put a table's small files together when there are more than `more_than`; None when nothing was done.

    May be called from a thread while the table is being written. When a writer came between each time, the
    files wait for the next call.
    """
    sizes = DeltaTable(path).get_add_actions(flatten=True).column("size_bytes").to_pylist()
    if sum(size < LARGE_WHILE_RUNNING for size in sizes) <= more_than:
        return None
    try:
        return _compact(path, LARGE_WHILE_RUNNING)
    except CommitFailedError:
        return None


def _compact(path: Path, large: int) -> Compaction:
    for _ in range(TRIES - 1):
        with suppress(CommitFailedError):
            return _compact_once(path, large)
    return _compact_once(path, large)


def _compact_once(path: Path, large: int) -> Compaction:
    done = DeltaTable(path).optimize.compact(
        target_size=large,
        max_concurrent_tasks=1,  # a pipeline that runs keeps its cores
        post_commithook_properties=ONLY_THE_COMMIT,
    )
    return Compaction(done["numFilesRemoved"], done["numFilesAdded"])


def _vacuum(delta: DeltaTable, path: Path, since: float) -> tuple[int, int]:
    """Delete what left the table before `since`; how many files and bytes that were."""
    hours = math.ceil((time.time() - since) / 3600)
    old = delta.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False)
    if not old:
        return 0, 0
    freed = sum((path / name).stat().st_size for name in old if (path / name).exists())
    try:
        gone = delta.vacuum(
            retention_hours=hours,
            dry_run=False,
            enforce_retention_duration=False,
            post_commithook_properties=ONLY_THE_COMMIT,
        )
    except (DeltaError, OSError) as problem:
        if not is_full(problem):
            raise
        gone = old  # there is no room for the note that it is about to delete
        for name in old:
            (path / name).unlink(missing_ok=True)
    return len(gone), freed


def oldest_need(lake: Lake, path: Path) -> Need | None:
    """The oldest state of a table that a query of this lake may still read; None when no query ever ran.

    Any query counts for any table: which tables a batch reads again after a crash is the engine's to know.
    """
    needs = [
        Need(0.0, str(metadata.parent.relative_to(lake.root)))
        for metadata in sorted(lake.root.glob("_vigie/*/checkpoints/*/metadata"))
    ]
    needs += [
        Need(since, str(note.parent.relative_to(lake.root)))
        for note in sorted(lake.root.glob("_vigie/*/checkpoints/**/note.json"))
        for since in _still_to_read(lake, note, path)
    ]
    needs += [
        Need(since, str(folder.relative_to(lake.root)))
        for among in ("notes/*", "notes/*/fill-*")  # a table that is being filled has plans of its own
        for folder in sorted(lake.root.glob(f"_vigie/*/{among}"))
        for since in _planned_to_read(lake, folder, path)
    ]
    return min(needs, key=lambda need: need.since, default=None)


def _planned_to_read(lake: Lake, notes: Path, path: Path) -> Iterator[float]:
    """When the first commit was made that the newest plan does not cover, of a table that it reads: its batch may be
    done again with the table as it was, and the next one takes what came since."""
    plans = [note for note in notes.glob("*.json") if note.stem.isdecimal()]
    if not plans:
        return
    try:
        said = json.loads(max(plans, key=lambda note: int(note.stem)).read_text())
        judged = {f"silver/{name}": plan["version"] for name, plan in said.get("tables", {}).items()}
        for table, version in {**judged, **said.get("reads", {})}.items():
            if lake.path(table) == path:
                yield _committed_at(path, version + 1)
    except FileNotFoundError:
        return  # a newer plan has taken its place meanwhile
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        yield 0.0


def _still_to_read(lake: Lake, note: Path, path: Path) -> Iterator[float]:
    """When the first commit was made that a note does not cover, of the table that it is about."""
    try:
        said = json.loads(note.read_text())
        if "silver" in said:
            read, version = lake.silver(said["silver"]), said["silver_version"]
        else:
            read, version = lake.alert_events(note.relative_to(lake.root).parts[1]), said["version"]
        if read == path:
            yield _committed_at(path, version + 1)
    except (OSError, ValueError, LookupError, TypeError):
        yield 0.0


def _committed_at(path: Path, version: int) -> float:
    """When a version was committed; who has read all stands at the version still to come."""
    commit = path / "_delta_log" / f"{version:020}.json"
    newest = max((int(entry.stem) for entry in commit.parent.glob("*.json") if entry.stem.isdigit()), default=-1)
    if version > newest:
        return time.time()
    for line in commit.read_text().splitlines():
        action = json.loads(line)
        if "commitInfo" in action:
            return float(action["commitInfo"]["timestamp"]) / 1000
    raise LookupError(f"{commit} does not say when it was written")
