"""Which functions of Spark SQL the embedded engine may be asked for: those that answered as Spark did.

Written by measurement: `tests/conformance/test_expressions.py` evaluates each on both engines, and fails where a name
stands here that was not tried or did not come out equal. Both have ANSI off, as Vigie sets Spark.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Lower-case, as SQL and the plans of the Spark Connect client name them, with operators and keywords.
ALLOWED: frozenset[str] = _names(
    """
    ! != % & * + - . / :: < << <= <=> <> = == > >= >> [] ^ | || ~
    abs acos acosh add_months aggregate and any array array_agg array_append array_compact array_distinct array_except
    array_insert array_intersect array_join array_max array_min array_position array_prepend array_remove array_repeat
    array_size array_sort array_union arrays_zip asc asc_nulls_first asc_nulls_last ascii asin asinh assert_true atan
    atan2 atanh avg base64 between bin bit_and bit_count bit_get bit_length bit_or bit_xor bitmap_and_agg
    bitmap_bit_position bitmap_bucket_number bitmap_construct_agg bitmap_count bitmap_or_agg bool_and bool_or
    broadcast btrim cardinality case cast cbrt ceil ceiling char char_length character_length chr coalesce
    collect_list collect_set concat concat_ws contains convert_timezone corr cos cosh cot count count_distinct
    count_if count_min_sketch covar_pop covar_samp crc32 csc cume_dist current_timezone date_add date_format
    date_from_unix_date date_part date_sub date_trunc dateadd datepart day dayname dayofmonth dayofweek dayofyear
    decode degrees dense_rank desc desc_nulls_first desc_nulls_last distinct div e elt encode endswith equal_null
    every exists exp explode explode_outer expm1 extract factorial filter find_in_set first_value flatten floor forall
    from_unixtime from_utc_timestamp get get_json_object getbit greatest grouping grouping_id hash hex hour hypot if
    ifnull ilike in inline inline_outer instr is isnotnull isnull json_object_keys json_tuple kurtosis lag last_day
    last_value lcase lead least left len length levenshtein like listagg lit ln locate log10 log1p log2 lower lpad
    ltrim luhn_check make_date make_dt_interval make_interval make_timestamp make_valid_utf8 make_ym_interval map
    map_concat map_contains_key map_entries map_filter map_from_arrays map_from_entries map_keys map_values mask max
    max_by md5 mean median min min_by minute mod mode month monthname months_between named_struct nanvl negative
    next_day not nth_value ntile nullif nullifzero nvl nvl2 octet_length or overlay percent_rank percentile
    percentile_cont percentile_disc pi pivot pmod posexplode posexplode_outer position positive pow power product
    quarter radians rank reduce regexp regexp_extract regexp_extract_all regexp_instr regexp_like regexp_replace
    regexp_substr regr_avgx regr_avgy regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace
    reverse right rlike round row_number rpad rtrim schema_of_csv schema_of_json sec second sequence sha sha1 sha2
    shiftleft shiftright sign signum sin sinh size skewness slice some sort_array soundex space split split_part sqrt
    stack startswith std stddev stddev_pop stddev_samp str_to_map string_agg struct substr substring substring_index
    sum sum_distinct tan tanh timestamp timestamp_micros timestamp_millis timestamp_seconds timestampadd to_binary
    to_char to_timestamp to_timestamp_ltz to_timestamp_ntz to_unix_timestamp to_utc_timestamp to_varchar transform
    translate trim trunc try_add try_cast try_divide try_element_at try_mod try_multiply try_subtract try_to_binary
    try_to_timestamp try_url_decode try_validate_utf8 typeof ucase unbase64 unhex unix_date unix_micros unix_millis
    unix_seconds unpivot upper url_decode url_encode validate_utf8 var_pop var_samp variance weekofyear when
    width_bucket window window_time xpath xpath_boolean xpath_double xpath_float xpath_int xpath_long xpath_number
    xpath_short xpath_string xxhash64 year zeroifnull
    """
)


def _each(names: str, why: str) -> dict[str, str]:
    return dict.fromkeys(sorted(_names(names)), why)


# Why not, as what follows "function 'x'".
REFUSED: dict[str, str] = {
    **_each(
        """
        curdate current_date current_time current_timestamp input_file_block_length input_file_block_start
        input_file_name localtimestamp monotonically_increasing_id now rand randn random randstr shuffle
        spark_partition_id uniform uuid
        """,
        "answers otherwise each time it is asked, and a batch that runs twice must give the same",
    ),
    "sortWithinPartitions": "is left out where a function of Python follows (mapInArrow): sort in that function",
    "unix_timestamp": (
        "answers otherwise each time it is asked, and a batch that runs twice must give the same "
        "(unix_timestamp() is the current time); use to_unix_timestamp"
    ),
    **_each(
        """
        current_catalog current_database current_schema current_user session_user user version
        """,
        "gives what belongs to the session, and not to the data",
    ),
    **_each(
        "any_value first last",
        "answers by the order in which rows happen to come; use min_by or max_by",
    ),
    **_each(
        "listagg_distinct string_agg_distinct",
        "answers by the order in which rows happen to come; use array_join(array_sort(collect_set(...)))",
    ),
    **_each(
        """
        collate collation java_method map_zip_with reflect transform_keys transform_values try_make_interval
        try_reflect zip_with
        """,
        "is unknown to the embedded engine",
    ),
    "session_window": "is unknown to the embedded engine; group by window, or find gaps with lag",
    "try_to_date": "is unknown to the embedded engine; cast try_to_timestamp of it to DATE",
    **_each(
        """
        >>> conv histogram_numeric is_valid_utf8 parse_url quote sentences shiftrightunsigned try_aes_decrypt try_avg
        try_parse_url try_sum
        """,
        "gives other values than Spark",
    ),
    "isnan": ("gives NULL for NULL, where Spark gives FALSE; compare with cast('NaN' as double), which equals itself"),
    "initcap": "gives other text than Spark after a hyphen or a sign",
    **_each(
        "bround rint",
        "rounds halves otherwise than Spark, and fails for DECIMAL; use round",
    ),
    "log": "gives other values than Spark for negative numbers, and in SQL fails with one argument; use ln",
    **_each(
        "format_number format_string printf",
        "gives other digits than Spark for DECIMAL, large BIGINT and halves; format where it is shown",
    ),
    **_each(
        "from_json json_array_length",
        "gives other values than Spark for text that is no JSON, or is empty; use get_json_object",
    ),
    **_each(
        "to_csv to_json",
        "gives other text than Spark for TIMESTAMP, DECIMAL and DOUBLE",
    ),
    "from_csv": "fails for a row that Spark reads; use split",
    **_each(
        "regexp_count regr_count to_number try_to_number",
        "gives another type than Spark",
    ),
    **_each(
        "date_diff datediff",
        "gives a BIGINT, where Spark gives an INT; subtract unix_date of one from unix_date of the other",
    ),
    "weekday": "gives -1 for a Sunday; use dayofweek",
    **_each(
        "timestamp_diff timestampdiff",
        "counts started days and months otherwise than Spark; subtract unix_micros",
    ),
    "to_date": "gives NULL for text with a time after a T; cast to_timestamp of it to DATE",
    "date": "fails for text that is no date; cast try_to_timestamp of it to DATE",
    **_each(
        """
        make_timestamp_ltz make_timestamp_ntz try_make_timestamp try_make_timestamp_ltz try_make_timestamp_ntz
        """,
        "fails for parts that make no instant, where Spark gives NULL",
    ),
    "element_at": "fails where an array is too short, where Spark gives NULL; use get or try_element_at",
    "array_contains": "gives FALSE for an array that holds NULL, where Spark gives NULL; use exists",
    "arrays_overlap": "gives NULL for arrays that hold NULL, where Spark may give FALSE; use array_intersect",
    **_each(
        "aes_decrypt aes_encrypt",
        "takes a key alone, and no text in a column",
    ),
    "approx_count_distinct": "is estimated otherwise than Spark does; use count_distinct",
    **_each(
        "approx_percentile percentile_approx",
        "is estimated otherwise than Spark does; use percentile",
    ),
    "withfield": "gives a value for a STRUCT that is NULL; make the struct anew",
    "like_any": "(LIKE ANY, LIKE ALL) fails; write several LIKE",
    **_each(
        """
        from_avro from_protobuf from_xml hll_sketch_agg hll_sketch_estimate hll_union hll_union_agg is_variant_null
        kll_sketch_agg_bigint kll_sketch_agg_double kll_sketch_agg_float make_time parse_json schema_of_variant
        schema_of_xml st_asbinary st_geogfromwkb st_geomfromwkb st_setsrid st_srid theta_difference theta_intersection
        theta_sketch_agg theta_sketch_estimate theta_union time_diff time_trunc to_avro to_protobuf to_time
        to_variant_object to_xml try_parse_json try_to_time try_variant_get variant_get
        """,
        "was not held equal: sketches, variants, XML, geometry and TIME were not tried",
    ),
}

# It takes away from the sum what leaves the window, and cannot take away what swallowed the rest.
MOVING = (
    "over a window that moves is wrong for all rows that follow a value that is NaN, infinite or a billion times "
    "larger than they are: bound the column by a rule"
)

# Functions that are allowed and for some types, or values, answer otherwise than Spark; for all others they were held.
BY_TYPE: dict[str, str] = {
    "%": "by a literal 0 has no type",
    "-": "of a DECIMAL and a whole number is of another DECIMAL type",
    "/": "of DECIMAL is of another type or differs in the last digit, and by a literal 0 has no type",
    "[]": "fails for a place that is no literal, or is negative: use get",
    "acosh": "of an infinite DOUBLE gives another value",
    "array_agg": "has no promised order in a group: sort it",
    "array_sort": (
        "puts a STRUCT whose field is NULL last, and may order otherwise by a function that does not order NULL"
    ),
    "asinh": "of an infinite or huge DOUBLE gives another value",
    "atan2": "of -0.0 gives the other end of the circle",
    "avg": f"of a DECIMAL differs in the last digit, and {MOVING}",
    "cast": (
        "of text that is no number fails, where Spark gives NULL (use try_cast), and of text with a time "
        "after a T gives no DATE; of a DOUBLE writes other text; of a number too large for the type "
        "fails; of an instant before 1970 with a fraction gives another number"
    ),
    "ceil": "with a number of digits gives another value",
    "ceiling": "with a number of digits gives another value",
    "char": "fails for a number that is no character",
    "chr": "fails for a number that is no character",
    "collect_list": "over a window keeps NULL, and in a group has no promised order: sort it",
    "collect_set": "of DOUBLE keeps -0.0 apart from 0.0",
    "concat": "writes DOUBLE and TIMESTAMP as other text: cast or format them first",
    "corr": "of values that are infinite or NaN is NULL",
    "count": "of DISTINCT DOUBLE counts -0.0 apart from 0.0",
    "date_part": "counts 'dow' from 0, for a Sunday",
    "date_trunc": "of a DATE gives a TIMESTAMP without a zone, and fails for a unit that it does not know",
    "datepart": "counts 'dow' from 0, for a Sunday",
    "decode": "fails as decode(value, search, result, ...): use CASE",
    "desc": "of a DOUBLE takes -0.0 for less than 0.0",
    "div": "by a literal 0 has no type",
    "encode": "as UTF-16 gives two bytes for empty text",
    "extract": "counts DOW from 0, for a Sunday, and fails for DAYOFWEEK",
    "factorial": "fails above 20, where Spark gives NULL",
    "first_value": "answers by the order in which rows happen to come, unless it stands over an ordered window",
    "floor": "with a number of digits gives another value",
    "from_utc_timestamp": "fails for an offset such as '+02:00': name the zone",
    "get_json_object": "of an object or a list gives text with other blanks, and nothing for [*]",
    "hash": "of a DECIMAL gives another value, and fails for arrays",
    "hour": "fails for text that is no instant",
    "hypot": "of DOUBLE near 1e300 gives infinity",
    "in": "an empty list is FALSE for NULL",
    "last_value": "answers by the order in which rows happen to come, unless it stands over an ordered window",
    "listagg": "has no promised order without WITHIN GROUP",
    "make_date": "fails for what is no day, where Spark gives NULL",
    "make_timestamp": "fails for parts that make no instant, where Spark gives NULL",
    "max": ("of a DOUBLE that may be NaN, of an ARRAY or of a STRUCT gives another value where there are NaN or NULL"),
    "mean": f"of a DECIMAL differs in the last digit, and {MOVING}",
    "median": "fails for a DOUBLE that is NaN",
    "min": "of a DOUBLE that may be NaN, or of a STRUCT, gives another value where there are NaN or NULL",
    "min_by": "by a STRUCT puts one with a field that is NULL elsewhere",
    "minute": "fails for text that is no instant",
    "mode": "without TRUE as its second argument may take another of several values that are as frequent",
    "month": "fails for text that is no instant",
    "negative": "fails for a DECIMAL",
    "nullif": "does not take -0.0 for 0.0",
    "nvl2": "fails where its last two arguments are of two types",
    "percentile": "fails for a DOUBLE that is NaN",
    "pow": "fails for zero to a negative power",
    "power": "fails for zero to a negative power",
    "rank": "over a DOUBLE takes -0.0 for less than 0.0",
    "regexp": "takes \\w, \\b and \\d for more letters and digits than ASCII's",
    "regexp_extract": (
        "takes \\w, \\b and \\d for more letters and digits than ASCII's, and fails for a pattern that looks around"
    ),
    "regexp_extract_all": "takes \\w, \\b and \\d for more letters and digits than ASCII's",
    "regexp_instr": "takes \\w, \\b and \\d for more letters and digits than ASCII's",
    "regexp_like": "takes \\w, \\b and \\d for more letters and digits than ASCII's",
    "regexp_replace": (
        "takes \\w, \\b and \\d for more letters and digits than ASCII's, fails with a position, and puts "
        "nothing within an emoji"
    ),
    "regexp_substr": "takes \\w, \\b and \\d for more letters and digits than ASCII's",
    "rlike": "takes \\w, \\b and \\d for more letters and digits than ASCII's, and knows [[:alpha:]]",
    "round": (
        "of a DOUBLE may differ in the last digit that is kept, of a DECIMAL is of another type, and of "
        "INT fails near its limit"
    ),
    "second": "fails for text that is no instant",
    "slice": "from a place before the start of the array gives what there is",
    "split": "with an empty pattern gives two more parts, which are empty",
    "std": MOVING,
    "stddev": MOVING,
    "stddev_pop": MOVING,
    "stddev_samp": MOVING,
    "string_agg": "has no promised order without WITHIN GROUP",
    "substr": "from a place before the start gives other text",
    "substring": "from a place that is NULL gives text, where Spark gives NULL",
    "sum": MOVING,
    "timestamp_seconds": (
        "of a DOUBLE or DECIMAL loses the fraction: use timestamp_micros; of a number beyond the year 294246, as a "
        "cast of it does, gives another instant, where Spark stops at its last"
    ),
    "to_timestamp": "of a number takes it for microseconds: use timestamp_seconds",
    "trunc": "fails for a unit that it does not know, where Spark gives NULL",
    "try_add": "is held for whole numbers alone, and fails for DOUBLE or DECIMAL",
    "try_cast": (
        "of a DOUBLE writes other text; of text with a time after a T gives no DATE, and of '1e3' no "
        "DECIMAL; of an instant before 1970 with a fraction gives another number"
    ),
    "try_divide": "is held for whole numbers alone, and fails for DOUBLE or DECIMAL",
    "try_mod": "is held for whole numbers alone, and fails for DOUBLE or DECIMAL",
    "try_multiply": "is held for whole numbers alone, and fails for DOUBLE or DECIMAL",
    "try_subtract": "is held for whole numbers alone, and fails for DOUBLE or DECIMAL",
    "unix_millis": "of an instant before 1970 with a fraction is one more",
    "unix_seconds": "of an instant before 1970 with a fraction is one more",
    "var_pop": MOVING,
    "var_samp": MOVING,
    "variance": MOVING,
    "width_bucket": "gives NULL for a DOUBLE that is infinite or NaN",
    "year": "fails for text that is no instant",
}
