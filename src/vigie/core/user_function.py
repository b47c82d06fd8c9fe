"""A pipeline's own functions, called so that whatever goes wrong in one is said with its name and line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException

from vigie.core.engine import NotComputed
from vigie.errors import RunFailed, VigieError
from vigie.graph import Gold, Place, Silver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from vigie.models import Trained


def made(table: Silver | Gold, *given: DataFrame | Trained) -> DataFrame:
    """What the table's own function makes of what it is given; RunFailed with its name and line when it raises."""
    from pyspark.sql import DataFrame

    try:
        answer = table.function(*given)
    except VigieError:
        raise
    except Exception as problem:
        said = reason(str(problem)) if isinstance(problem, PySparkException) else str(problem)
        raise RunFailed(
            f"the function of {table.table} raised {type(problem).__name__}: {said}",
            where=str(_raised_at(problem, table.place)),
            do="Mend that line and start again: the run goes on where it stopped. `--debug` shows the whole trace.",
        ) from problem
    if not isinstance(answer, DataFrame):
        raise RunFailed(
            f"the function of {table.table} gave back {type(answer).__name__}, and not rows",
            where=str(table.place),
            do="Did you forget to `return` the DataFrame?",
        )
    return answer


def not_computed(table: Gold, problem: NotComputed) -> RunFailed:
    """What to raise when an engine cannot compute what a table's function makes of its rows."""
    return RunFailed(
        f"the function of {table.table} cannot be computed: {problem.what}",
        where=str(table.place),
        do="Mend that line and start again: the run goes on where it stopped.",
    )


def _raised_at(problem: BaseException, declared: Place) -> Place:
    """The last line of the person's own file that was run, else where the table was declared."""
    place, trace = declared, problem.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == declared.file:
            place = Place(declared.file, trace.tb_lineno)
        trace = trace.tb_next
    return place


def reason(said: str) -> str:
    """The line that says most: the last exception of a Python trace, else what Java raised, else the first line.

    Py4J says first that "an error occurred", and what Java raised in a second line, after a colon.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    python = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Failed|Broken)\b.*: ", line)]
    java = [line.removeprefix(": ") for line in lines if re.match(r": [\w.$]+", line)]
    return (python[-1:] or java[:1] or lines or ["it does not say why"])[0][:500]
