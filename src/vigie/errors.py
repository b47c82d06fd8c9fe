"""Every error Vigie raises on purpose.

    VigieError                 exit 1   something failed while running
    ├── RunFailed              exit 1   a query died: what it was doing, and what to do
    │   └── SourceAway         exit 1   a server that messages come from does not answer, or not now
    ├── LedgerBroken           exit 1   rows went in that did not come out
    ├── LakeDamaged            exit 1   a file of the lake is gone, or is not what was written
    └── RequestError           exit 2   what was asked cannot be done as asked
        ├── BadAddress                  an address that is none, or leads nowhere
        ├── BadDeclaration              a pipeline that `check` refuses
        ├── BadSetting                  a flag, a setting or the environment is wrong
        └── LakeMismatch                a lake that belongs to something else

Each says what is wrong, where, and what to do: in that order.
"""

from __future__ import annotations

from vigie.redaction import without_secrets


class VigieError(Exception):
    """Something a person can act on.

    `what` is the problem, `where` the place (a file and line, an address, a table), `do` the next step. No secret of
    an address comes with the first two.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        what, where = without_secrets(what), without_secrets(where)
        self.what = what
        self.where = where
        self.do = do
        place = f" ({where})" if where else ""
        advice = f"\n{do}" if do else ""
        super().__init__(f"{what}{place}{advice}")


class RunFailed(VigieError):
    """A query died, or a server went away, while a pipeline ran."""


class SourceAway(RunFailed):
    """A server that messages come from does not answer, or not now: time may mend it."""


class LedgerBroken(VigieError):
    """The rows read are not the rows accounted for, so the run stopped before it could say so of more."""


class LakeDamaged(VigieError):
    """A file of the lake is gone, or is not what was written there."""


class RequestError(VigieError):
    """The request was wrong; nothing was done."""

    exit_code = 2


class BadAddress(RequestError):
    """An address that Vigie cannot read, or behind which nothing answers."""


class BadDeclaration(RequestError):
    """A pipeline that does not make sense."""


class BadSetting(RequestError):
    """A flag, a setting or the machine is not what it must be."""


class LakeMismatch(RequestError):
    """The lake was written by another pipeline, another version of it, or is being written by another process."""
