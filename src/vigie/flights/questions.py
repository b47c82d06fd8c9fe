"""The batch questions of flights: without a window, with one, and in Spark SQL."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from vigie.flights.features import RATES_MS
from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH, averaged

BAND_M = 1_000
SAME_FLIGHT_S = 15 * 60  # between two reports: what is longer may hide a landing and another take-off


def busiest_countries(flights_ml: DataFrame) -> DataFrame:
    """Which countries have the most aircraft in the sky, how high do they fly and how fast?"""
    return (
        flights_ml.where(~F.col("on_ground"))
        .groupBy("origin_country")
        .agg(
            F.count_distinct("icao24").alias("aircraft"),
            F.count(F.lit(1)).alias("reports"),
            F.round(F.avg(averaged(F.col("altitude_meters"))), 1).alias("avg_altitude_meters"),
            F.round(F.avg(averaged(F.col("velocity_kmh"))), 1).alias("avg_velocity_kmh"),
        )
        .orderBy(F.desc("aircraft"), "origin_country")
    )


def traffic_by_minute(flights_ml: DataFrame) -> DataFrame:
    """How many aircraft were there minute by minute, and how many of them were climbing or descending?"""
    minute = F.window("event_timestamp", "1 minute")

    def aircraft_in(phase: str) -> Column:
        return F.count_distinct(F.when(F.col("flight_phase") == phase, F.col("icao24")))

    return (
        flights_ml.groupBy(minute)
        .agg(
            F.count_distinct("icao24").alias("aircraft"),
            aircraft_in("CLIMB").alias("climbing"),
            aircraft_in("DESCENT").alias("descending"),
        )
        .select(F.col("window.start").alias("minute"), "aircraft", "climbing", "descending")
        .orderBy("minute")
    )


def fastest_by_phase(flights_ml: DataFrame) -> DataFrame:
    """In each phase of flight, which five aircraft were the fastest, and how fast? (Spark SQL)"""
    return flights_ml.sparkSession.sql(
        """
        WITH fastest AS (
            SELECT flight_phase, icao24, max(velocity_kmh) AS max_velocity_kmh,
                max_by(callsign, struct(velocity_kmh, event_timestamp)) AS callsign
            FROM {flights_ml}
            WHERE velocity_kmh BETWEEN 0 AND 1000
            GROUP BY flight_phase, icao24
        ), ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY flight_phase ORDER BY max_velocity_kmh DESC, icao24
            ) AS place
            FROM fastest
        )
        SELECT flight_phase, place, icao24, callsign, round(max_velocity_kmh, 1) AS max_velocity_kmh
        FROM ranked WHERE place <= 5
        ORDER BY flight_phase, place
        """,
        flights_ml=flights_ml,
    )


def busiest_airspace(flights_ml: DataFrame) -> DataFrame:
    """In which squares of one degree are the most aircraft in the sky, and how high do they fly?"""
    return (
        flights_ml.where(~F.col("on_ground"))
        .groupBy(F.floor("latitude").alias("south"), F.floor("longitude").alias("west"))
        .agg(
            F.count_distinct("icao24").alias("aircraft"),
            F.count(F.lit(1)).alias("reports"),
            F.round(F.avg(averaged(F.col("altitude_meters"))), 1).alias("avg_altitude_meters"),
        )
        .orderBy(F.desc("aircraft"), F.desc("reports"), "south", "west")
    )


def speed_by_altitude(flights_ml: DataFrame) -> DataFrame:
    """How fast do aircraft fly, kilometre by kilometre of altitude?"""
    altitude, speed = F.col("altitude_meters"), F.col("velocity_kmh")
    aloft = flights_ml.where(~F.col("on_ground") & altitude.between(*ALTITUDES_M) & speed.between(*SPEEDS_KMH))
    return (
        aloft.groupBy((F.floor(altitude / BAND_M) * BAND_M).alias("from_meters"))
        .agg(
            F.count_distinct("icao24").alias("aircraft"),
            F.round(F.avg(speed), 1).alias("avg_velocity_kmh"),
            F.round(F.stddev_samp(speed), 1).alias("stddev_velocity_kmh"),
        )
        .orderBy("from_meters")
    )


def climb_by_class(flights_ml: DataFrame) -> DataFrame:
    """How steeply does each class of aircraft climb?"""
    rate = F.when(F.col("vertical_rate_ms").between(*RATES_MS), F.col("vertical_rate_ms"))
    return (
        flights_ml.where(F.col("flight_phase").isin("TAKEOFF", "CLIMB"))
        .groupBy("aircraft_class")
        .agg(
            F.count_distinct("icao24").alias("aircraft"),
            F.round(F.percentile(rate, F.lit(0.5)), 1).alias("median_climb_ms"),
            F.round(F.percentile(rate, F.lit(0.95)), 1).alias("p95_climb_ms"),
        )
        .orderBy(F.desc("median_climb_ms"), "aircraft_class")
    )


def movements_by_hour(flights_ml: DataFrame) -> DataFrame:
    """How many take-offs and landings were there, hour by hour? (each report beside the one before it)"""
    before = Window.partitionBy("icao24").orderBy("event_timestamp")
    known = flights_ml.where(F.col("on_ground").isNotNull())
    seconds = F.unix_micros("event_timestamp") / 1e6
    both = known.withColumns(
        {"was_on_ground": F.lag("on_ground").over(before), "seconds": seconds - F.lag(seconds).over(before)}
    ).where(F.col("seconds") <= SAME_FLIGHT_S)
    return (
        both.groupBy(F.date_trunc("hour", "event_timestamp").alias("hour"))
        .agg(
            F.count_if(F.col("was_on_ground") & ~F.col("on_ground")).alias("take_offs"),
            F.count_if(~F.col("was_on_ground") & F.col("on_ground")).alias("landings"),
        )
        .orderBy("hour")
    )


def emergencies(flights_ml: DataFrame) -> DataFrame:
    """Which aircraft sent a code of emergency, when first and when last? (Spark SQL)"""
    return flights_ml.sparkSession.sql(
        """
        SELECT icao24, squawk,
            CASE squawk WHEN '7500' THEN 'hijacking' WHEN '7600' THEN 'no radio' ELSE 'emergency' END AS meaning,
            min(event_timestamp) AS first_at, max(event_timestamp) AS last_at, count(*) AS reports
        FROM {flights_ml}
        WHERE squawk IN ('7500', '7600', '7700')
        GROUP BY icao24, squawk
        ORDER BY first_at, icao24, squawk
        """,
        flights_ml=flights_ml,
    )


def missing_values(flights_ml: DataFrame) -> DataFrame:
    """Of what do reports say nothing, and how often? (Spark SQL)"""
    return flights_ml.sparkSession.sql(
        """
        WITH counted AS (
            SELECT count(*) AS total,
                count_if(callsign IS NULL) AS callsign, count_if(altitude_meters IS NULL) AS altitude_meters,
                count_if(velocity_kmh IS NULL) AS velocity_kmh, count_if(vertical_rate_ms IS NULL) AS vertical_rate_ms,
                count_if(heading_deg IS NULL) AS heading_deg, count_if(category IS NULL) AS category,
                count_if(squawk IS NULL) AS squawk
            FROM {flights_ml}
        )
        SELECT field, missing, round(100 * missing / total, 2) AS percent
        FROM counted UNPIVOT (
            missing FOR field IN (
                callsign, altitude_meters, velocity_kmh, vertical_rate_ms, heading_deg, category, squawk
            )
        )
        ORDER BY percent DESC, field
        """,
        flights_ml=flights_ml,
    )
