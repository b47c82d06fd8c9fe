"""Files of an inbox that nobody reads: each is named once, so that whoever put it there hears of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

MESSAGES_IN = (".jsonl", ".json")  # one message a line in either
# On the way to their own names: what copies, downloads and edits leave for a moment.
ON_THE_WAY = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
HIDDEN = (".", "_")
NAMED = 3  # in one warning

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Unread:
    """Which files were named already."""

    named: set[str] = field(default_factory=set)

    def look(self, files: Iterable[os.DirEntry[str]]) -> None:
        """Name those among the files that are not read, hidden ones and those on the way aside."""
        new = sorted(file.name for file in files if file.name not in self.named and _is_unread(file))
        if not new:
            return
        self.named.update(new)
        names = ", ".join(new[:NAMED]) + (f" and {len(new) - NAMED:,} more" if len(new) > NAMED else "")
        log.warning(
            "%s %s not read: an inbox takes *.jsonl and *.json, with one message a line",
            names,
            "is" if len(new) == 1 else "are",
        )


def _is_unread(file: os.DirEntry[str]) -> bool:
    name = file.name
    return not name.startswith(HIDDEN) and not name.endswith(MESSAGES_IN + ON_THE_WAY) and file.is_file()
