"""The batch questions of flights: one without a window, one with a window, one in Spark SQL."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from vigie.flights.limits import averaged


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
