"""The commands about trained models: each parses what a person typed, calls one function, and prints."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from vigie.cli_lists import show
from vigie.errors import BadSetting, RequestError
from vigie.flags import (
    AboutModels,
    At,
    Json,
    Kind,
    ModelVerb,
    MostRows,
    Name,
    OtherVersion,
    Seed,
    TakeInUse,
    Version,
    lake_at,
)
from vigie.terminal import command, put, say

if TYPE_CHECKING:
    from vigie.graph import Graph, Learning
    from vigie.models import Card, Models

MOST_ROWS = 500_000


@command
def train(  # noqa: PLR0913  (each is a flag)
    pipeline: Name,
    *,
    kind: Kind = None,
    rows: MostRows = MOST_ROWS,
    seed: Seed = None,
    use: TakeInUse = False,
    json: Json = False,
    lake: At = None,
) -> None:
    """Train a pipeline's model on its table as it is now, examine it on what it never saw, and keep it in the lake.

    Of several kinds each is trained. The best becomes the model in use when there was none, or with --use.

    [dim]vigie train flights[/dim]
    [dim]vigie train flights --kind report --rows 100000[/dim]
    """
    from vigie.models import Models
    from vigie.settings import read_settings
    from vigie.training import Wish
    from vigie.training import train as learn

    graph, learning = _learning(pipeline)
    if kind is not None and kind not in learning.kinds:
        raise BadSetting(f"'{kind}' is no kind of model here", where="--kind", do=f"Kinds: {', '.join(learning.kinds)}")
    place = lake_at(lake)
    models = Models(place, graph.name)
    wish = Wish((kind,) if kind else learning.kinds, seed or 0, rows, say)
    cards = []
    for card in learn(graph, learning, place, read_settings(), wish):
        say(f"model {card.version} ({card.kind}) is in the lake: macro F1 {card.found.examination.macro_f1:.3f}")
        cards.append(card)
    best = max(cards, key=lambda card: card.found.examination.macro_f1)
    if use or models.in_use is None:
        models.use(best.version)
        say(f"model {best.version} is in use")
    else:
        say(f"model {models.in_use} stays in use; change that with: vigie models {pipeline} use {best.version}")
    _show_all(models, cards, json)


@command
def models(  # noqa: PLR0913  (each is a flag)
    pipeline: Name,
    verb: AboutModels = ModelVerb.LIST,
    version: Version = None,
    other: OtherVersion = None,
    *,
    json: Json = False,
    lake: At = None,
) -> None:
    """Show the trained models, one of them whole, or two side by side; say which one predicts from now on.

    [dim]vigie models flights[/dim]
    [dim]vigie models flights show 2[/dim]
    [dim]vigie models flights compare 1 2[/dim]
    [dim]vigie models flights use 2[/dim]
    """
    from vigie.models import Models

    graph, _ = _learning(pipeline)
    place = lake_at(lake)
    if not place.root.is_dir():
        raise RequestError("there is no lake", where=str(place), do=f"Make one: vigie demo {pipeline}")
    kept = Models(place, graph.name)
    wanted = [each for each in (version, other) if each is not None]
    if len(wanted) != verb.takes:
        raise RequestError(
            f"`{verb}` takes {verb.takes or 'no'} version{'' if verb.takes == 1 else 's'}",
            do=f"Write: vigie models {pipeline} {' '.join([verb, 'VERSION', 'OTHER'][: verb.takes + 1])}",
        )
    if verb == ModelVerb.LIST:
        _show_all(kept, kept.cards(damaged=lambda problem: say(str(problem))), json)
    elif verb == ModelVerb.SHOW:
        _show(kept.card(wanted[0]), json)
    elif verb == ModelVerb.USE:
        kept.use(wanted[0])
        _show_all(kept, [kept.card(wanted[0])], json)
    else:
        _compare([kept.card(each) for each in wanted], json)


def _learning(pipeline: str) -> tuple[Graph, Learning]:
    from vigie.check import checked
    from vigie.pipeline import load

    graph = checked(load(pipeline))
    if graph.learning is None:
        raise RequestError(f"pipeline '{graph.name}' declares no model", do="`flights` does: vigie train flights")
    return graph, graph.learning


def _show_all(kept: Models, cards: list[Card], json: bool) -> None:
    from vigie.listing import Listing

    in_use = kept.in_use
    if in_use is not None and in_use not in kept.versions():
        say(f"model {in_use} is to be in use, and is not there: vigie models {kept.pipeline} use VERSION")
    listed = [{"version": card.version, "in_use": card.version == in_use} | card.in_short() for card in cards]
    if json or listed:
        show(Listing.of([_rounded(each) for each in listed] if not json else listed), json)
    else:
        put(f"There are none yet: vigie train {kept.pipeline}")


def _show(card: Card, json: bool) -> None:
    from vigie.listing import Listing, encoded

    if json:
        put(encoded(card.whole()))
        return
    found, learnt = card.found, card.learnt
    put(f"Model {card.version} ({card.kind}), trained {card.trained_at:%Y-%m-%d %H:%M} UTC in {card.seconds:.0f} s")
    put(
        f"  learnt from {learnt.table} at version {learnt.version}: {learnt.drawn:,} of {learnt.rows:,} reports with a "
        f"class, of {sum(learnt.aircraft.values()):,} aircraft, {sum(learnt.examined.values()):,} of them kept for the "
        "examination"
    )
    put(f"  {', '.join(f'{name} {value}' for name, value in card.parameters.items())}; Spark {card.spark}")
    put(
        f"  accuracy {found.examination.accuracy:.3f}, macro F1 {found.examination.macro_f1:.3f} "
        f"(always the commonest class: {found.baseline.macro_f1:.3f})"
    )
    put(
        f"  sure ({found.sure_from:.0%} or more) of {found.sure:.1%} of the reports, and then right in "
        f"{found.right_when_sure:.1%}"
    )
    put("\nOf each class")
    show(Listing.of([_rounded(each) for each in found.examination.by_class()]), False)
    put("What each was taken for (reports)")
    taken = [{"is": name, **row} for name, row in found.examination.confusion.items()]
    show(Listing.of(taken), False)
    put("What it went by")
    by_weight = sorted(found.importances.items(), key=lambda each: -each[1])
    show(Listing(("feature", "importance"), [(name, round(weight, 3)) for name, weight in by_weight]), False)
    put("How sure it was, and how often it was right")
    bins = [
        {"reports": bin.rows, "sure": round(bin.sure, 3), "right": round(bin.right, 3)} for bin in found.calibration
    ]
    show(Listing.of(bins), False)


def _compare(cards: list[Card], json: bool) -> None:
    from vigie.listing import Listing, encoded

    if json:
        put(encoded([card.whole() for card in cards]))
        return
    facts = [_facts(card) for card in cards]
    rows = [(name, *(each.get(name, "") for each in facts)) for name in dict.fromkeys(chain(*facts))]
    show(Listing(("", *(f"model {card.version}" for card in cards)), rows), False)


def _facts(card: Card) -> dict[str, Any]:
    by_class = {f"F1 of {each['class']}": round(each["f1"], 3) for each in card.found.examination.by_class()}
    more = {"sure of": round(card.found.sure, 3), "right when sure": round(card.found.right_when_sure, 3)}
    return _rounded(card.in_short()) | card.parameters | by_class | more


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()}
