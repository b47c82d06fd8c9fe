"""What generated pipelines are put together from: each phrase as Spark SQL says it, and as DuckDB does.

A row has id STRING, t TIMESTAMP, n BIGINT, c INT, y DOUBLE, s STRING, b BOOLEAN, d DATE, a ARRAY<INT>,
w ARRAY<STRING> and r STRUCT<p: INT, q: STRING>; all but id and t may be NULL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Phrase:
    """One expression in two dialects, and its type in Spark's."""

    type: str
    spark: str
    duckdb: str


def _phrases(text: str) -> tuple[Phrase, ...]:
    """A line each, or two: its type, the expression, and DuckDB's where it is another."""
    lines = text.strip().replace("\\\n", "").splitlines()
    parts = [[part.strip() for part in line.split(" | ")] for line in lines]
    return tuple(Phrase(of, spark, (other or [spark])[0]) for of, spark, *other in parts)


ROWS: Final = _phrases(r"""
STRING | upper(s)
STRING | lower(s)
STRING | trim(s)
STRING | concat(s, '/', cast(n as string)) | s || '/' || n::VARCHAR
STRING | concat_ws('-', s, cast(c as string)) | concat_ws('-', s, c::VARCHAR)
STRING | regexp_replace(s, '[aeiou]', '*') | regexp_replace(s, '[aeiou]', '*', 'g')
STRING | regexp_extract(s, '([a-z]+)', 1)
STRING | substring(s, 2, 3)
STRING | replace(s, ' ', '_')
STRING | lpad(s, 5, '.')
STRING | rpad(s, 7, '=')
STRING | coalesce(nullif(s, ''), '?')
STRING | md5(s)
STRING | case when c > 5 then 'high' when c > 2 then 'mid' else 'low' end
STRING | date_format(t, 'yyyy-MM-dd HH:mm') | strftime(t, '%Y-%m-%d %H:%M')
STRING | array_join(w, '+') | case when w is not null then coalesce(array_to_string(w, '+'), '') end
STRING | r.q
STRING | coalesce(s, r.q, id)
STRING | translate(s, 'abc', 'xyz')
STRING | left(s, 2)
INT | length(s) | length(s)::INTEGER
INT | instr(s, 'a') | instr(s, 'a')::INTEGER
INT | c + 1
INT | if(b, c, -c)
INT | greatest(c, 5)
INT | least(c, r.p, 3)
INT | c % 5
INT | hour(t) | hour(t)::INTEGER
INT | minute(t) * 60 + second(t) | (minute(t) * 60 + second(t))::INTEGER
INT | dayofweek(t) | dayofweek(t)::INTEGER + 1
INT | year(d) | year(d)::INTEGER
INT | month(d) * 100 + day(d) | (month(d) * 100 + day(d))::INTEGER
INT | weekofyear(d) | weekofyear(d)::INTEGER
INT | unix_date(d) | (d - DATE '1970-01-01')::INTEGER
INT | r.p
INT | get(a, 0) | a[1]
INT | array_max(a) | list_max(a)
INT | array_min(a) | list_min(a)
INT | array_size(a) | len(a)::INTEGER
INT | aggregate(a, 0, (sum, x) -> sum + coalesce(x, 0)) | \
    case when a is not null then coalesce(list_sum(a), 0)::INTEGER end
INT | array_position(a, 3) | case when a is not null then coalesce(list_position(a, 3), 0)::INTEGER end
BIGINT | n * 2
BIGINT | abs(n)
BIGINT | pmod(n, 7) | ((n % 7) + 7) % 7
BIGINT | n div 3 | trunc(n::DECIMAL(38, 0) / 3)::BIGINT
BIGINT | unix_micros(t) | epoch_us(t)
BIGINT | floor(case when abs(y) < 1e9 then y end) | floor(case when abs(y) < 1e9 then y end)::BIGINT
BIGINT | cast(c as bigint) * 1000000007 | c::BIGINT * 1000000007
DOUBLE | y
DOUBLE | y * 1.8 + 32 | y * 1.8::DOUBLE + 32
DOUBLE | sqrt(abs(y))
DOUBLE | y / 3 | y / 3
DOUBLE | coalesce(y, 0) | coalesce(y, 0)
DOUBLE | case when b then y else -y end
DOUBLE | exp(c) | exp(c)
DOUBLE | ln(c + 1) | ln(c + 1)
DOUBLE | cast(n as double) | n::DOUBLE
DOUBLE | sin(radians(c * 30)) | sin(radians(c * 30))
BOOLEAN | y > 0 and b
BOOLEAN | c between 2 and 6
BOOLEAN | c in (1, 2, 3)
BOOLEAN | not (b or c > 4)
BOOLEAN | s like 'A%'
BOOLEAN | startswith(s, 'a') or endswith(s, 'e') | starts_with(s, 'a') or ends_with(s, 'e')
BOOLEAN | s is null or s = ''
BOOLEAN | n <=> c | n is not distinct from c
BOOLEAN | coalesce(exists(a, x -> x > 3), false) | coalesce(len(list_filter(a, lambda x: x > 3)) > 0, false)
BOOLEAN | b is true | b is true
DATE | d
DATE | cast(t as date) | t::DATE
DATE | date_add(d, 3) | d + 3
DATE | last_day(d)
DATE | add_months(d, 1) | (d + INTERVAL 1 MONTH)::DATE
TIMESTAMP | date_trunc('hour', t)
TIMESTAMP | t + interval 90 minutes | t + INTERVAL 90 MINUTE
TIMESTAMP | case when b then t end
ARRAY<INT> | a
ARRAY<INT> | transform(a, x -> x * 2) | list_transform(a, lambda x: x * 2)
ARRAY<INT> | filter(a, x -> x > 0) | list_filter(a, lambda x: x > 0)
ARRAY<INT> | array_sort(a) | list_sort(a, 'ASC', 'NULLS LAST')
ARRAY<INT> | array_sort(array_distinct(array_compact(a))) | list_sort(list_distinct(a))
ARRAY<INT> | sequence(1, greatest(c, 1)) | list_transform(generate_series(1, greatest(c, 1)), lambda x: x::INTEGER)
ARRAY<STRING> | split(s, ',') | string_split(s, ',')
ARRAY<STRING> | w
STRUCT<p: INT, q: STRING> | r
STRUCT<k: INT, v: STRING> | named_struct('k', c, 'v', s) | {'k': c, 'v': s}
STRUCT<low: DOUBLE, is_low: BOOLEAN> | named_struct('low', least(y, 0), 'is_low', y < 0) | \
    {'low': least(y, 0), 'is_low': y < 0}
""")

RULES: Final = _phrases("""
BOOLEAN | c is not null
BOOLEAN | c >= 1
BOOLEAN | s is null or length(s) < 14
BOOLEAN | y > -500
BOOLEAN | n is null or abs(n) < 100000000000000
BOOLEAN | b or not b
BOOLEAN | d >= date'1980-01-01' | d >= DATE '1980-01-01'
BOOLEAN | a is null or array_size(a) < 4 | a is null or len(a) < 4
BOOLEAN | coalesce(r.p, 0) <> 7
""")

GROUPS: Final = _phrases("""
BIGINT | count(*)
BIGINT | count(s)
BIGINT | count(distinct c)
BIGINT | count_if(c > 5) | count(*) filter (where c > 5)
BIGINT | sum(c) | sum(c)::BIGINT
BIGINT | sum(n) | sum(n)::BIGINT
BIGINT | sum(case when b then c end) | sum(case when b then c end)::BIGINT
BIGINT | sum(case when s is null then 1 else 0 end) | sum(case when s is null then 1 else 0 end)::BIGINT
BIGINT | sum(c) filter (where y > 0) | sum(c) filter (where y > 0)::BIGINT
DOUBLE | avg(c)
DOUBLE | avg(y)
DOUBLE | sum(y)
DOUBLE | min(y)
DOUBLE | max(y)
DOUBLE | max(y) - min(y)
DOUBLE | percentile(y, 0.5) | quantile_cont(y, 0.5)
DOUBLE | percentile(c, 0.95) | quantile_cont(c::DOUBLE, 0.95)
DOUBLE | median(y)
DOUBLE | stddev_samp(c) | stddev_samp(c)
DOUBLE | stddev(case when y < 1000000 then y end) | stddev_samp(case when y < 1000000 then y end)
DOUBLE | sum(y) / count(y) | sum(y) / nullif(count(y), 0)
DOUBLE | round(100 * avg(case when b then 1 else 0 end), 0) | round(100 * avg(case when b then 1 else 0 end), 0)
STRING | max(s)
STRING | min(upper(id))
STRING | max_by(s, struct(t, id)) | arg_max_null(s, (t, id))
TIMESTAMP | min(t)
TIMESTAMP | max(case when c > 3 then t end)
DATE | max(d)
BOOLEAN | bool_or(b)
BOOLEAN | bool_and(c > 0)
ARRAY<INT> | sort_array(collect_set(c)) | coalesce(list_sort(list(distinct c) filter (where c is not null)), [])
""")

# Over the rows of one id in the order of their time, up to one.
WITHIN: Final = _phrases("""
INT | lag(c) over {one} | lag(c) over {one}
BIGINT | unix_micros(t) - unix_micros(lag(t) over {one}) | epoch_us(t) - epoch_us(lag(t) over {one})
BIGINT | sum(c) over {near} | (sum(c) over {near})::BIGINT
DOUBLE | avg(case when abs(y) < 1000000 then y end) over {near}
DOUBLE | max(y) over {near}
BIGINT | count(*) over {near}
BOOLEAN | b and not lag(b) over {one}
STRING | coalesce(lag(s, 2) over {one}, '-')
""")
