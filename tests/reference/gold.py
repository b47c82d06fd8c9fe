"""What follows from silver: two windows, and each report beside the one before it."""

from __future__ import annotations

import polars as pl

from .judgement import MINUTE, SECOND

EARTH_RADIUS_M = 6_371_008.8
MOST = 1e9  # metres or km/h that averages take


def _windows(silver: pl.DataFrame, newest: int, minutes: int, late_by: int) -> pl.DataFrame:
    """Each report once for every closed window of this length, a minute apart, that it lies in."""
    silver = _in_time(silver, late_by)
    started = pl.col("event_timestamp").to_physical() // MINUTE * MINUTE
    return (
        silver.with_columns(pl.concat_list(started - ago * MINUTE for ago in range(minutes)).alias("start"))
        .explode("start")
        .with_columns(end=pl.col("start") + minutes * MINUTE)
        .filter(pl.col("end") <= newest - late_by)
        .with_columns(_instant("start").alias("window_start"), _instant("end").alias("window_end"))
    )


def _in_time(silver: pl.DataFrame, late_by: int) -> pl.DataFrame:
    """The rows that did not come too late for a table, by how far their partition had come."""
    limit = pl.col("seen_until").to_physical() - late_by
    return silver.filter(limit.is_null() | (pl.col("event_timestamp").to_physical() >= limit))


def _instant(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("us", "UTC"))


def flight_phase_counts(silver: pl.DataFrame, until: int) -> pl.DataFrame:
    """Aircraft in each phase of flight, minute by minute."""
    return (
        _windows(silver, until, minutes=1, late_by=2 * MINUTE)
        .group_by("window_start", "window_end", "flight_phase")
        .agg(
            flight_count=pl.col("icao24").n_unique().cast(pl.Int64),
            avg_altitude=_sane("altitude_meters").mean(),
            avg_velocity=_sane("velocity_kmh").mean(),
        )
    )


def anomaly_alerts(silver: pl.DataFrame, until: int) -> pl.DataFrame:
    """Altitudes and speeds out of their limits, by country, over five minutes every minute."""
    altitude, velocity = pl.col("altitude_meters"), pl.col("velocity_kmh")
    high = ((altitude < -100) | (altitude > 12_000)).fill_null(False)
    fast = ((velocity < 0) | (velocity > 1_000)).fill_null(False)
    return (
        _windows(silver, until, minutes=5, late_by=6 * MINUTE)
        .group_by("window_start", "window_end", "origin_country")
        .agg(
            total_observations=pl.len().cast(pl.Int64),
            altitude_anomalies=high.sum().cast(pl.Int64),
            velocity_anomalies=fast.sum().cast(pl.Int64),
            anomaly_rate=(high | fast).sum() / pl.len(),
            max_altitude=altitude.max(),
            min_altitude=altitude.min(),
            max_velocity=velocity.max(),
            avg_altitude=_sane("altitude_meters").mean(),
            avg_velocity=_sane("velocity_kmh").mean(),
            stddev_altitude=_sane("altitude_meters").std(ddof=1),
            stddev_velocity=_sane("velocity_kmh").std(ddof=1),
        )
    )


def _sane(column: str) -> pl.Expr:
    value = pl.col(column)
    return value.filter((value >= -MOST) & (value <= MOST))


def _great_circle_m() -> pl.Expr:
    there, here = pl.col("previous_latitude").radians(), pl.col("latitude").radians()
    turn = (pl.col("longitude") - pl.col("previous_longitude")).radians()
    chord = ((here - there) / 2).sin().pow(2) + there.cos() * here.cos() * (turn / 2).sin().pow(2)
    return 2 * EARTH_RADIUS_M * chord.sqrt().arcsin()


def movements(silver: pl.DataFrame, until: int) -> pl.DataFrame:
    """Each report with the one just before it of the same aircraft, at most a quarter of an hour earlier."""
    carried = ["event_timestamp", "latitude", "longitude", "velocity_kmh", "altitude_meters"]
    micros = pl.col("event_timestamp").to_physical() - pl.col("previous_event_timestamp").to_physical()
    # A row is given once nothing of its very moment can come any more.
    is_settled = pl.col("event_timestamp").to_physical() < until - 2 * MINUTE
    return (
        _in_time(silver, 2 * MINUTE)
        .filter(is_settled)
        .sort("icao24", "event_timestamp")
        .with_columns(pl.col(carried).shift(1).over("icao24").name.prefix("previous_"))
        .filter(micros <= 15 * MINUTE)
        .with_columns(seconds=micros / SECOND, distance_m=_great_circle_m())
        .with_columns(implied_speed_kmh=pl.col("distance_m") / pl.col("seconds") * 3.6)
        .select(
            "icao24",
            pl.col("previous_event_timestamp").alias("previous_at"),
            "event_timestamp",
            "seconds",
            "distance_m",
            (pl.col("velocity_kmh") - pl.col("previous_velocity_kmh")).alias("speed_change_kmh"),
            (pl.col("altitude_meters") - pl.col("previous_altitude_meters")).alias("altitude_change_m"),
            "implied_speed_kmh",
            (pl.col("implied_speed_kmh") > 1_500).alias("is_jump"),
        )
    )
