"""What an error of PostgreSQL is about: a row, the configuration, or a server that is away for now."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vigie.sinks import NotNow, Refused

if TYPE_CHECKING:
    from psycopg import Error

# https://www.postgresql.org/docs/current/errcodes-appendix.html
OF_A_ROW = ("22", "23", "44", "54", "P0001")  # its values, a constraint, a view's check, a limit, what a trigger raises
AWAY = ("08", "40", "53", "55P03", "57", "58")  # connections, conflicts, resources, a lock, an operator, the system
LOGIN, DATABASE, RIGHTS = "28", "3D000", "42501"
SCHEMA, COLUMN, TYPE, NO_UNIQUE_INDEX = "3F000", "42703", "42804", "42P10"

# A connection that is refused has no code in libpq, only what the server says of it.
REFUSED_LOGINS = (
    (re.compile(r"authentication failed|no password supplied|no pg_hba\.conf entry|is not permitted to log in"), LOGIN),
    (re.compile(r'role ".*" does not exist'), LOGIN),
    (re.compile(r'database ".*" does not exist|is not currently accepting connections'), DATABASE),
    (re.compile(r"permission denied for database"), RIGHTS),
)
OTHER_COLUMNS = "The table there has other columns than the one that is delivered: mend it, or name another."
REMEDIES = {
    LOGIN: "Set the user and the password in VIGIE_POSTGRES to ones that this server lets in, and start again.",
    DATABASE: "Create that database, or name another at the end of VIGIE_POSTGRES, and start again.",
    RIGHTS: "Grant the user of VIGIE_POSTGRES the right to do that, or set another user there.",
    SCHEMA: "Create that schema and grant its use to the user of VIGIE_POSTGRES, or name a table in another.",
    COLUMN: OTHER_COLUMNS,
    TYPE: OTHER_COLUMNS,
}


def code_of(problem: Error) -> str:
    """The five characters of an error; "" when no server gave any."""
    if problem.sqlstate:
        return problem.sqlstate
    return next((code for phrase, code in REFUSED_LOGINS if phrase.search(str(problem))), "")


def is_of_a_row(problem: Error) -> bool:
    """Whether a row is to blame, while rows are written: the others can be."""
    return code_of(problem).startswith(OF_A_ROW)


def answer(problem: Error, table: str, key: tuple[str, ...]) -> NotNow | Refused:
    """The error as one of ours: NotNow when time may mend it, otherwise what has to be set."""
    import psycopg

    code = code_of(problem)
    if code.startswith(AWAY) or (not code and isinstance(problem, psycopg.OperationalError)):
        return NotNow(f"PostgreSQL is away: {message(problem)}")
    return Refused(f"PostgreSQL refused a batch: {message(problem)}", where=table, do=_remedy(code, table, key))


def message(problem: Error) -> str:
    """What PostgreSQL or its client says in one line, without the address that it was asked at."""
    text = str(problem.diag.message_primary or problem).strip()
    if not text:
        return type(problem).__name__
    lines = text.splitlines()
    line = next((each for each in lines if any(phrase.search(each) for phrase, _ in REFUSED_LOGINS)), lines[0])
    return line.rpartition("failed: ")[2]


def _remedy(code: str, table: str, key: tuple[str, ...]) -> str:
    if code.startswith(LOGIN):
        return REMEDIES[LOGIN]
    if code == NO_UNIQUE_INDEX:
        return f"Let these columns be unique there: ALTER TABLE {table} ADD UNIQUE ({', '.join(key)})."
    return REMEDIES.get(code, "Mend what it says and start again: the batch is delivered again.")
