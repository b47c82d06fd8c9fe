"""Why a new version of a schema cannot read what the one before it wrote, in words: fields and rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from vigie.avro.schemas import Kind, branches, definitions, fields, kind_of, parsed

# What each type may be read as, beside itself.
PROMOTIONS: Mapping[str, frozenset[str]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}


def broken_promises(before: str, after: str) -> Iterator[str]:
    """What keeps a schema from reading messages of the version before it (BACKWARD), a sentence each."""
    old, new = parsed(before), parsed(after)
    yield from _Between(definitions(old), definitions(new)).types("the message", old, new)


class _Between:
    """Two versions, with the types that each names."""

    def __init__(self, old: Mapping[str, Kind], new: Mapping[str, Kind], seen: Iterable[tuple[str, str]] = ()) -> None:
        self._old, self._new = old, new
        self._seen = set(seen)  # records that are being compared: one may hold itself

    def types(self, what: str, old: Kind, new: Kind) -> Iterator[str]:
        """Why `new` does not read what `old` wrote, if so."""
        written, read = branches(old), branches(new)
        if written is not None or read is not None:
            for branch in written if written is not None else [old]:
                yield from self._branches(what, branch, read if read is not None else [new])
            return
        old, new = self._old.get(kind_of(old), old), self._new.get(kind_of(new), new)
        before, after = kind_of(old), kind_of(new)
        if before != after:
            if after not in PROMOTIONS.get(before, frozenset()):
                yield (
                    f"{what} was {_named(old)} and is {_named(new)} now (rule: a type may be widened, as int to long, "
                    "not changed)"
                )
        elif before == "record":
            yield from self._records(what, old, new)
        elif before == "enum":
            gone = [symbol for symbol in old["symbols"] if symbol not in new["symbols"]]
            if gone and "default" not in new:
                yield f"{what} no longer knows {', '.join(gone)} (rule: a symbol may be added, not taken away)"
        elif before == "fixed" and old["size"] != new["size"]:
            yield f"{what} had {old['size']} bytes and has {new['size']} now (rule: a size stays as it is)"
        elif before in {"array", "map"}:
            part = "items" if before == "array" else "values"
            yield from self.types(f"what is in {what}", old[part], new[part])

    def _branches(self, what: str, old: Kind, new: list[Kind]) -> Iterator[str]:
        """Why none of several types reads what one wrote: by the one of its own kind, if there is one."""
        reasons = {
            kind_of(each): list(_Between(self._old, self._new, self._seen).types(what, old, each)) for each in new
        }
        if not all(reasons.values()):
            return
        gone = [f"{what} could be {_named(old)}, and no longer can (rule: what could be said, still can)"]
        yield from reasons.get(kind_of(old), gone)

    def _records(self, what: str, old: Kind, new: Kind) -> Iterator[str]:
        pair = (str(old["name"]), str(new["name"]))
        if pair in self._seen:
            return
        self._seen.add(pair)
        if _last(pair[0]) != _last(pair[1]):
            yield f"{what} is named {_last(pair[1])} and was {_last(pair[0])} (rule: a record keeps its name)"
        written = fields(old)
        for field in new["fields"]:
            names = [field["name"], *field.get("aliases", ())]
            there = next((name for name in names if name in written), None)
            if there is not None:
                yield from self.types(f"field '{field['name']}'", written[there], field["type"])
            elif "default" not in field:
                yield (
                    f"field '{field['name']}' is new and has no default (rule: a field that older messages lack needs "
                    "one)"
                )


def _named(kind: Kind) -> str:
    name = _last(kind_of(kind))
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def _last(name: str) -> str:
    return name.rpartition(".")[2]
