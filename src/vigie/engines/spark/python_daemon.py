"""What Spark forks its Python workers from.

Before each task a worker looks through all that Python imports from. Spark puts archives among it, of itself and of
its jar with thousands of names, and a look through them takes 0.09 s: most of what a worker did. What is in them
is installed here anyway.
"""

from __future__ import annotations

import sys
from pathlib import Path
from zipimport import zipimporter

ARCHIVES = "pyspark.zip", "py4j-*.zip", "spark-core_*.jar"


def forget_archives() -> None:
    """Import from what is installed, and from what a person has added."""
    sys.path[:] = [name for name in sys.path if not any(map(Path(name).match, ARCHIVES))]
    sys.modules.pop("org", None)  # Python's own `copy` looks for Jython's, and found the jar's
    for name in [name for name, held in sys.path_importer_cache.items() if isinstance(held, zipimporter)]:
        del sys.path_importer_cache[name]  # it is there again when something is imported from it


def import_what_all_need() -> None:
    """Once, before the first worker is forked."""
    import vigie.core.ingest.parsing  # noqa: F401
    import vigie.core.ingest.verdict  # noqa: F401


if __name__ == "__main__":
    forget_archives()
    import_what_all_need()
    from pyspark.daemon import manager

    manager()  # type: ignore[no-untyped-call]
