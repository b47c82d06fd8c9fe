"""The simulated wikis: their pages, and who edits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

import numpy as np


class Wiki(NamedTuple):
    """A wiki, and how many of all pages are in it."""

    name: bytes
    domain: bytes
    share: float


WIKIS = (
    Wiki(b"enwiki", b"en.wikipedia.org", 0.30),
    Wiki(b"wikidatawiki", b"www.wikidata.org", 0.22),
    Wiki(b"commonswiki", b"commons.wikimedia.org", 0.16),
    Wiki(b"frwiki", b"fr.wikipedia.org", 0.09),
    Wiki(b"dewiki", b"de.wikipedia.org", 0.08),
    Wiki(b"eswiki", b"es.wikipedia.org", 0.06),
    Wiki(b"jawiki", b"ja.wikipedia.org", 0.05),
    Wiki(b"enwiktionary", b"en.wiktionary.org", 0.04),
)
SUBJECTS = (
    "Lighthouses", "Bridges", "Rivers", "Castles", "Composers", "Mosses", "Railways", "Comets", "Cheeses", "Harbours",
    "Fjords", "Dialects", "Painters", "Orchards", "Volcanoes", "Tramways", "Glaciers", "Weavers", "Islands", "Clocks",
)  # fmt: skip
PLACES = (
    "Brittany", "Norway", "Île-de-France", "Hokkaidō", "Bavaria", "Galicia", "Cornwall", "Tuscany", "Québec", "Kraków",
    "São Paulo", "Crete", "Ålesund", "Wales", "Sicily", "Zürich", "Asturias", "Jutland", "Savoy", "Málaga",
)  # fmt: skip
FIRST_NAMES = ("Ada", "Björn", "Chloé", "Dmitri", "Emmy", "Farid", "Grace", "Hiro", "Inès", "Jürgen", "Katia", "Li")
BOT_NAMES = ("InternetArchiveBot", "CommonsDelinker", "SchlurcherBot", "KrBot", "AnomieBOT", "Cewbot")
BOT_SHARE = 0.3  # of all edits


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a wiki, as messages name it."""

    wiki: Wiki
    title: bytes
    uri: bytes


def pages(count: int, rng: np.random.Generator) -> list[Page]:
    """So many pages, each with a title of its own."""
    wikis = rng.choice(len(WIKIS), count, p=[wiki.share for wiki in WIKIS]).tolist()
    return [_page(WIKIS[wiki], number) for number, wiki in enumerate(wikis)]


def _page(wiki: Wiki, number: int) -> Page:
    if wiki.name == b"wikidatawiki":
        title = f"Q{1_000 + number}"
    else:
        again, place = divmod(number // len(SUBJECTS), len(PLACES))
        title = f"{SUBJECTS[number % len(SUBJECTS)]} of {PLACES[place]}" + (f" ({again + 1})" if again else "")
    if wiki.name == b"commonswiki":
        title = f"File:{title}.jpg"
    path = quote(title.replace(" ", "_"), safe=":/()")
    return Page(wiki, title.encode(), b"https://%b/wiki/%b" % (wiki.domain, path.encode()))


def people(count: int) -> list[bytes]:
    """The names of so many who edit, and of a dozen at least."""
    numbers = range(max(len(FIRST_NAMES), count))
    return [f"{FIRST_NAMES[at % len(FIRST_NAMES)]} {1_900 + at // len(FIRST_NAMES)}".encode() for at in numbers]


def bots(count: int) -> list[bytes]:
    """The names of so many bots, and of half a dozen at least."""
    numbers = range(max(len(BOT_NAMES), count))
    return [f"{BOT_NAMES[at % len(BOT_NAMES)]} {1 + at // len(BOT_NAMES)}".encode() for at in numbers]
