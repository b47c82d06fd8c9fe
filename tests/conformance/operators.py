"""What SQL has no plain call for: operators, methods of columns, and whole frames, each by the name that the Spark
Connect client sends for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# The keyword of SQL, or the operator, and expressions with it.
SYNTAX: dict[str, str] = {
    "+": "n + n2; i + i2; x + y; y + 1; m + m2; c + 1; c + 1.5; d + interval 1 day; t + interval 10 minutes; +n; "
    "m + y; m + c",
    "-": "n - n2; i - i2; x - y; m - m2; 1 - c; d - interval 1 month; t - interval 1 hour; t - interval 3 days; m - 1",
    "*": "n * n2; i * i2; x * y; y * 3.6D; y * 3.6; m * m2; c * 60; m * y; n * y",
    "/": "n / n2; i / i2; x / y; y / 3; m / m2; c / 2; y / 0; n / 0; m / 3; 100 * c / 7",
    "%": "n % i; x % y; m % m2; c % 3; n % 0; y % 360",
    "div": "n div i; c div 5; i div 0; m div m2",
    "&": "n & n2; i & c",
    "|": "n | n2; i | c",
    "^": "n ^ n2; i ^ c",
    "~": "~n; ~i",
    "=": "n = n2; s = s2; x = x2; t = t2; s = 'ab'; c = 1; x = cast('NaN' as double)",
    "==": "n == n2; s = s2; x = x2; t = t2; m = m2; b = b2; d = d2; a = a2; c = 1.0; s = 'ab'; x = x; r.p = c; "
    "n = y; d = t",
    "<>": "n <> n2; s <> ''; x <> x2",
    "!=": "n != c; s != s2; x != 0",
    "!": "!b; !(n > 0)",
    "<": "n < n2; s < s2; x < x2; t < t2; m < y; x < 0; b < b2; d < '2024-01-01'; d < t; a < a2",
    ">": "n > n2; s > s2; x > x2; t > t2; m > y; x > 0; d > d2; t > timestamp '2024-02-28 12:00:00'; y > 100",
    "<=": "n <= n2; s <= s2; x <= x2; t <= t2; m <= 0; c <= 5; t <= '2024-02-28 12:00:00'",
    ">=": "n >= n2; s >= s2; x >= x2; t >= t2; m >= 0; c >= 5; t >= timestamp '1990-01-01 00:00:00Z'",
    "<=>": "n <=> n2; s <=> s2; x <=> x2; t <=> t2; n is distinct from n2; n is not distinct from n2",
    "and": "b and b2; n > 0 and s is not null; b and null",
    "or": "b or b2; n > 0 or b; b or null",
    "not": "not b; not (n > 0); n is not null",
    "in": "n in (0, 1, -1); s in ('a', 'ab'); s in ('a', null); n not in (1, 2); y in (1, 2.5); s not in ('', ' ')",
    "between": "n between -10 and 10; s between 'a' and 'b'; y between 0 and 100; t between t2 and t; "
    "y not between 0 and 9",
    "case": "case when n > 0 then 1 when n < 0 then -1 else 0 end; case s when 'a' then 1 when '' then 2 end; "
    "case when b then x else y end; case when b then s end; case when b then c else y end",
    "||": "s || s2; s || '-' || num; a || a2",
    "::": "num::int; y::string",
    "is": "b is true; b is not false; b is unknown",
    "[]": "a[0]; a[c]; k['a']; w[1]; a[-1]; k[s]",
    ".": "r.p; r.q",
    "like": "s like '100!%%' escape '!'; s not like 'a%'",
    "like_any": "s like any ('a%', '%b'); s like all ('a%', '%c')",
    "make_interval": "t + make_interval(0, 0, 0, c)",
    "make_ym_interval": "d + make_ym_interval(c, 1)",
    "try_make_interval": "t + try_make_interval(0, 0, 0, c)",
    "lit": "date '2024-02-29'; timestamp '2024-02-29 12:00:00'; 1.5; 1.5D; 10L; 'a'; true; x'1F'; 1e3; 2.50BD; null",
    "negative": "-n; -x; -m; -y; -i",
    "<<": "n << c; i << c",
    ">>": "n >> c; i >> c",
    ">>>": "n >>> c",
}

# Python's own, with the columns by their names and `W` and its like for windows.
COLUMNS: dict[str, str] = {
    "+": "n + n2; y + 1; 1 + c; m + m2; t + F.expr('INTERVAL 3 HOURS')",
    "-": "n - n2; y - 1; 1 - c; m - m2; t - F.expr('INTERVAL 1 HOUR')",
    "*": "n * n2; y * 3.6; 2 * c; m * m2; c * y",
    "/": "n / n2; y / 3; 1 / c; m / m2; F.unix_micros(t) / 1e6; F.count_if(n > 0).over(G) / F.count(F.lit(1)).over(G)",
    "%": "n % i; c % 3; 7 % c; y % 360.0",
    "power": "y ** 2; 2 ** c; F.pow(F.sin(y), 2)",
    "==": "n == n2; s == 'a'; x == x2; b == True; t == t2; c == 1.0; c == n",
    "!=": "n != n2; s != 'a'; x != x2",
    "<": "n < n2; y < -2.5; s < s2; x < x2; c < 3.5",
    "<=": "n <= n2; y <= 0; t <= t2; m <= 10",
    ">": "n > n2; y > 0; t > t2; x > x2; m > 1.5",
    ">=": "n >= n2; y >= 0; d >= d2",
    "<=>": "n.eqNullSafe(n2); s.eqNullSafe(None); x.eqNullSafe(x2)",
    "and": "b & b2; (n > 0) & b",
    "or": "b | b2; (n > 0) | b",
    "not": "~b; ~n.isNull()",
    "negative": "-n; -y; -m",
    "in": "n.isin(0, 1); s.isin('a', 'ab', ''); s.isin(['a']); n.isin(); F.col('y').isin(1, 2.5)",
    "between": "n.between(-10, 10); y.between(-100, 12_000); t.between(t2, t); "
    "~F.coalesce(~y.between(0, 9), F.lit(False))",
    "isnull": "n.isNull(); s.isNull(); a.isNull()",
    "isnotnull": "n.isNotNull(); s.isNotNull()",
    "isnan": "x.isNaN()",
    "&": "n.bitwiseAND(n2)",
    "|": "n.bitwiseOR(n2)",
    "^": "n.bitwiseXOR(n2)",
    "~": "F.bitwise_not(n); F.bitwise_not(i)",
    "like": "s.like('a%'); s.like('%_b%')",
    "ilike": "s.ilike('A%')",
    "rlike": "s.rlike('^a'); s.rlike('[0-9]')",
    "contains": "s.contains('a'); s.contains(s2)",
    "startswith": "s.startswith('a'); s.startswith(s2)",
    "endswith": "s.endswith('c'); s.endswith(s2)",
    "substring": "s.substr(2, 3); F.substring(s, 1, 2); s.substr(F.lit(1), c)",
    "when": "F.when(n > 0, 1).when(n < 0, -1).otherwise(0); F.when(b, s); F.when(F.abs(y) <= 100, y); "
    "F.when(b, c).otherwise(y); F.when(c.between(2, 3), 'Light').when(c.between(4, 6), 'Heavy')",
    "[]": "a[0]; a.getItem(1); k['a']; k.getItem('b'); r['p']; a[c]; k[s]; w[0]",
    ".": "r.getField('q'); F.col('r.p'); F.get(F.array(r), F.lit(0))['q']",
    "withfield": "r.withField('z', F.lit(1)).getField('z'); r.dropFields('p')",
    "cast": "n.cast('timestamp'); num.cast('int'); c.cast('bigint'); s.cast('string'); F.lit(None).cast('double')",
    "try_cast": "num.try_cast('int'); day.try_cast('timestamp'); num.try_cast('double')",
    "lit": "F.lit(1); F.lit('a'); F.lit(1.5); F.lit(True); F.lit(None); F.lit(2 * 6_371_008.8)",
    "filter": "F.filter(a, lambda each: each > 0); F.filter(w, lambda each: each.isNotNull()); "
    "F.filter(a, lambda each, at: (at > 0) & each.isNotNull()); F.filter(a, lambda each: each > F.col('c'))",
    "transform": "F.transform(a, lambda each: each + 1); F.transform(a, lambda each, at: each * at)",
    "exists": "F.exists(a, lambda each: each > 2)",
    "forall": "F.forall(a, lambda each: each > 0)",
    "aggregate": "F.aggregate(a, F.lit(0), lambda total, each: total + each)",
    "reduce": "F.reduce(a, F.lit(0), lambda total, each: total + each)",
    "zip_with": "F.zip_with(a, a2, lambda left, right: left + right)",
    "array_sort": "F.array_sort(a, lambda left, right: F.coalesce(left - right, F.lit(0))); F.array_sort(F.array(r))",
    "map_filter": "F.map_filter(k, lambda _, value: value > 0)",
    "map_zip_with": "F.map_zip_with(k, k2, lambda _, left, right: F.coalesce(left, right))",
    "transform_keys": "F.transform_keys(k, lambda key, _: F.upper(key))",
    "transform_values": "F.transform_values(k, lambda _, value: value + 1)",
    "map": "F.create_map(F.lit('a'), n); F.create_map(F.lit('a'), n, F.lit('b'), n2)",
    "sequence": "F.sequence(F.date_trunc('hour', t), F.date_trunc('hour', t + F.expr('INTERVAL 3 HOURS')), "
    "F.expr('INTERVAL 1 HOUR')); F.sequence(F.lit(1), c)",
    "from_json": "F.from_json(j, 'a INT, b STRING'); F.from_json(j, 'a STRING')",
    "overlay": "F.overlay(s, F.lit('XX'), 2)",
    "trim": "F.trim(s); F.trim(s, F.lit('a'))",
    "timestampadd": "F.timestamp_add('HOUR', c, t)",
    "timestampdiff": "F.timestamp_diff('HOUR', t, t2); F.timestamp_diff('DAY', t, t2)",
    "product": "F.product(c).over(G); F.product(y / 100).over(G)",
    "try_to_date": "F.try_to_date(day, 'yyyy-MM-dd')",
    "row_number": "F.row_number().over(W); F.row_number().over(Window.partitionBy('g').orderBy(F.desc('c'), 'id'))",
    "rank": "F.rank().over(Window.partitionBy('g').orderBy('c'))",
    "dense_rank": "F.dense_rank().over(Window.partitionBy('g').orderBy('c'))",
    "percent_rank": "F.percent_rank().over(Window.partitionBy('g').orderBy('c'))",
    "cume_dist": "F.cume_dist().over(Window.partitionBy('g').orderBy('c'))",
    "ntile": "F.ntile(3).over(W)",
    "lag": "F.lag(n).over(W); F.lag(n, 2, 0).over(W); t > F.lag(t).over(W) + F.expr('INTERVAL 10 MINUTES')",
    "lead": "F.lead(t).over(W); F.lead(s, 2).over(W)",
    "nth_value": "F.nth_value(n, 2).over(W)",
    "first_value": "F.first_value(n).over(W); F.first_value(s, True).over(W)",
    "last_value": "F.last_value(n).over(W); F.last_value(s, True).over(W)",
    "sum": "F.sum(c).over(W); F.sum(c).over(R)",
    "avg": "F.avg(y).over(W); F.avg(y).over(R); F.avg(y).over(G)",
    "min": "F.min(y).over(R); F.min(t).over(G)",
    "max": "F.max(y).over(R); F.max(t).over(G) + F.expr('INTERVAL 10 MINUTES')",
    "count_if": "F.count_if(b).over(W)",
    "asc": "F.row_number().over(Window.partitionBy('b').orderBy(y.asc(), 'id')); "
    "F.row_number().over(Window.partitionBy('b').orderBy(y.asc_nulls_last(), 'id'))",
    "desc": "F.row_number().over(Window.partitionBy('b').orderBy(x.desc(), 'id')); "
    "F.row_number().over(Window.partitionBy('b').orderBy(x.desc_nulls_first(), 'id'))",
}

FRAMES: dict[str, Callable[[DataFrame], DataFrame]] = {
    "approx_count_distinct": lambda rows: rows.groupBy("g").agg(F.approx_count_distinct("s", 0.1)),
    "broadcast": lambda rows: rows.join(F.broadcast(rows.select("g").distinct()), "g").select("id", "g"),
    "count": lambda rows: rows.groupBy("g").count(),
    "count_distinct": lambda rows: rows.groupBy("g").agg(F.count_distinct("n", "s"), F.count_distinct("s")),
    "sum_distinct": lambda rows: rows.groupBy("g").agg(F.sum_distinct("c")),
    "listagg_distinct": lambda rows: rows.groupBy("g").agg(F.listagg_distinct("b", F.lit(","))),
    "string_agg_distinct": lambda rows: rows.groupBy("g").agg(F.string_agg_distinct("b", F.lit(","))),
    "mode": lambda rows: rows.groupBy("g").agg(F.mode("c", True), F.mode("s", True)),
    "grouping": lambda rows: rows.cube("b").agg(F.grouping("b").alias("is_total"), F.count("n")),
    "grouping_id": lambda rows: rows.rollup("b", "c").agg(F.grouping_id().alias("level"), F.sum("c")),
    "pivot": lambda rows: rows.groupBy("g").pivot("b", [True, False]).agg(F.sum("c")),
    "unpivot": lambda rows: rows.unpivot("id", ["n", "n2"], "name", "value"),
    "distinct": lambda rows: rows.select("g", "c").distinct(),
    "window": lambda rows: rows.groupBy(F.window("t", "1 minute"), "g").agg(F.count(F.lit(1)), F.avg("y")),
    "window that slides": lambda rows: rows.groupBy(F.window("t", "5 minutes", "1 minute"), "g").agg(
        F.max("y"), F.count("y")
    ),
    "window by its ends": lambda rows: (
        rows.groupBy(F.window("t", "1 hour")).count().select("window.start", "window.end", "count")
    ),
    "window_time": lambda rows: rows.groupBy(F.window("t", "1 hour")).count().select(F.window_time("window"), "count"),
    "session_window": lambda rows: rows.groupBy(F.session_window("t", "5 minutes")).count(),
    "asc": lambda rows: rows.orderBy(F.asc("y"), "id").select("id").limit(100),
    "asc_nulls_first": lambda rows: rows.orderBy(F.asc_nulls_first("y"), "id").select("id").limit(100),
    "asc_nulls_last": lambda rows: rows.orderBy(F.asc_nulls_last("y"), "id").select("id").limit(100),
    "desc": lambda rows: rows.orderBy(F.desc("x"), "id").select("id").limit(100),
    "desc_nulls_first": lambda rows: rows.orderBy(F.desc_nulls_first("x"), "id").select("id").limit(100),
    "desc_nulls_last": lambda rows: rows.orderBy(F.desc_nulls_last("s"), "id").select("id").limit(100),
}
