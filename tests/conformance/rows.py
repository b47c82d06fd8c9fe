"""The rows that expressions are evaluated over: drawn from a seed, and full of what data are full of."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

import pyarrow as pa

COUNT: Final = 500
NULLS: Final = 0.12

LONGS: Final = (0, 1, -1, 2**31, -(2**31), 2**53 + 1, 2**62, -(2**62), 10**18, 1_700_000_000, -86_400)
INTS: Final = (0, 1, -1, 7, -7, 2**31 - 1, -(2**31) + 1, 65_536, 1_000)
DOUBLES: Final = (0.0, -0.0, 1.0, -1.5, 0.1, 1e-7, 1e7, 12_345_678.9, -1e15, 1e300, math.nan, math.inf, -math.inf)
TEXTS: Final = (
    "", " ", "a", "ab", "abc", "ABC", "Hello World", "  padded  ", "o'neil-smith", "été à Nîmes", "Straße", "日本語",
    "naïve 🙂", "İstanbul", "a,b,,c", "x=1&y=2", "12", "-3.5", "1e3", "007", "2024-02-29", "2024-02-29 12:34:56",
    "tab\there", "new\nline", "100%_sure", "back\\slash", "AF123 ", "Building B, Floor -2", "true", "NULL", "aXbXc",
    "zzzzzzzz", "e\u0301",
)  # fmt: skip
NUMERALS: Final = ("0", "12", "-7", "3.14", "1e3", " 42 ", "+5", "", "abc", "9999999999", "0.10", "-0", "1,234.50", "٣")
WHENS: Final = (
    "2024-02-29", "2024-02-29 12:34:56", "2024-12-31T23:59:59Z", "1969-07-20 20:17:40", "2024-1-5", "2023-02-29", "",
    "20240105", "2024-01-05 10:00:00.123456", "2024-01-05T10:00:00+02:00", "05/01/2024", "noon",
)  # fmt: skip
DOCUMENTS: Final = (
    '{"a": 1, "b": "x", "c": [1, 2, {"d": null}]}', '{"a": 2.5, "b": "é\\u00e9", "nested": {"deep": true}}', "{}",
    "[]", "[1, 2, 3]", "null", "", "not json", '{"a": "text"}', '{"a": null}', '{"a": 12345678901, "b": "q\\"uote"}',
)  # fmt: skip
ADDRESSES: Final = (
    "https://user:pw@example.com:8443/a/b.html?x=1&y=a%20b#top", "http://example.com", "ftp://h/p?q", "", "nonsense",
    "https://example.com/?x=%C3%A9", "mailto:a@b.c",
)  # fmt: skip

SCHEMA: Final = pa.schema(
    {
        "id": pa.int64(), "g": pa.string(), "n": pa.int64(), "n2": pa.int64(), "i": pa.int32(), "i2": pa.int32(),
        "c": pa.int32(), "x": pa.float64(), "x2": pa.float64(), "y": pa.float64(), "y2": pa.float64(),
        "m": pa.decimal128(10, 2), "m2": pa.decimal128(10, 2), "s": pa.string(), "s2": pa.string(), "b": pa.bool_(),
        "b2": pa.bool_(), "t": pa.timestamp("us", "UTC"), "t2": pa.timestamp("us", "UTC"), "d": pa.date32(),
        "d2": pa.date32(), "a": pa.list_(pa.int32()), "a2": pa.list_(pa.int32()), "w": pa.list_(pa.string()),
        "k": pa.map_(pa.string(), pa.int32()), "k2": pa.map_(pa.string(), pa.int32()),
        "r": pa.struct([("p", pa.int32()), ("q", pa.string())]), "num": pa.string(), "day": pa.string(),
        "j": pa.string(), "u": pa.string(),
    }
)  # fmt: skip


def drawn(seed: int = 20_261_130) -> pa.Table:
    """The same rows each time; `y` and `c` are tame (measurements, small counts), `x` and `n` are not."""
    random = Random(seed)
    return pa.Table.from_pylist([_row(random, number) for number in range(COUNT)], schema=SCHEMA)


def _row(random: Random, number: int) -> dict[str, Any]:
    def often(value: Any) -> Any:
        return None if random.random() < NULLS else value

    def text() -> str:
        return random.choice(TEXTS)

    def long() -> int:
        return random.choice(LONGS) if random.random() < 0.4 else random.randint(-10_000, 10_000)

    def whole() -> int:
        return random.choice(INTS) if random.random() < 0.4 else random.randint(-100, 100)

    def double() -> float:
        return random.choice(DOUBLES) if random.random() < 0.5 else random.gauss(0, 1_000)

    def instant() -> datetime:
        if random.random() < 0.2:  # on a whole day, and often the same
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=random.choice((-365, -1, 0, 19_782)))
        return datetime(2024, 2, 28, tzinfo=UTC) + timedelta(
            days=random.choice((0, 0, 1, -25_000, 300)), microseconds=random.randrange(86_400_000_000)
        )

    def numbers() -> list[int | None]:
        return [often(random.randint(-3, 5)) for _ in range(random.randrange(5))]

    def pairs() -> list[tuple[str, int | None]]:
        return [(key, often(random.randint(-5, 5))) for key in random.sample("abcé", random.randrange(4))]

    return {
        "id": number,
        "g": often(random.choice("abcdef")),
        **{name: often(long()) for name in ("n", "n2")},
        **{name: often(whole()) for name in ("i", "i2")},
        "c": often(random.randint(0, 12)),
        **{name: often(double()) for name in ("x", "x2")},
        **{name: often(round(random.uniform(-500, 500), random.choice((0, 1, 3)))) for name in ("y", "y2")},
        **{name: often(Decimal(random.randint(-(10**6), 10**6)) / 100) for name in ("m", "m2")},
        **{name: often(text()) for name in ("s", "s2")},
        **{name: often(random.random() < 0.5) for name in ("b", "b2")},
        **{name: often(instant()) for name in ("t", "t2")},
        **{name: often(date(1970, 1, 1) + timedelta(days=random.randint(-800, 24_000))) for name in ("d", "d2")},
        **{name: often(numbers()) for name in ("a", "a2")},
        "w": often([often(text()) for _ in range(random.randrange(4))]),
        **{name: often(pairs()) for name in ("k", "k2")},
        "r": often({"p": often(whole()), "q": often(text())}),
        "num": often(random.choice(NUMERALS)),
        "day": often(random.choice(WHENS)),
        "j": often(random.choice((*DOCUMENTS, json.dumps({"a": number, "b": text()})))),
        "u": often(random.choice(ADDRESSES)),
    }
