"""Aircraft over France: OpenSky state vectors to traffic by phase, anomalies by country, and movements."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from vigie import Last, Pipeline
from vigie.detectors import Above, Below, SuddenChange
from vigie.duration import parse_duration
from vigie.flights import features, learning, opensky, questions, simulator
from vigie.flights.classes import aircraft_class
from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH, averaged
from vigie.flights.phases import flight_phase
from vigie.instants import LAST_SECOND
from vigie.models import UNSURE, Trained
from vigie.sinks.elastic import Elastic

FLIGHTS_ML = """icao24 STRING, time_position BIGINT, event_timestamp TIMESTAMP, callsign STRING,
    origin_country STRING, latitude DOUBLE, longitude DOUBLE, altitude_meters DOUBLE, velocity_kmh DOUBLE,
    vertical_rate_ms DOUBLE, heading_deg DOUBLE, on_ground BOOLEAN, category INT, squawk STRING,
    flight_phase STRING, aircraft_class STRING"""

# OpenSky pads callsigns, and some transponders do so with other blanks than spaces, or send nothing else.
BLANKS_AROUND = r"^[\s\p{Z}]+|[\s\p{Z}]+$"
EARTH_RADIUS_M = 6_371_008.8
# Longer than OpenSky is left alone where credits are to last a day: 648 s over France without an account.
FURTHEST_APART = "15 minutes"
FASTEST_AIRCRAFT_KMH = 1_500  # no airliner or light aircraft moves faster over the ground, with any wind

flights = Pipeline("flights")
flights_raw = flights.source(
    "flights_raw",
    schema=opensky.STATE_VECTOR,
    key="icao24",
    simulated=simulator.simulate,
    live=opensky.live,
)


@flights.silver(
    "flights_ml",
    reads=flights_raw,
    schema=FLIGHTS_ML,
    event_time="event_timestamp",
    late_by="6 minutes",
    unique=("icao24", "time_position"),
    expect={
        "has a position": "latitude IS NOT NULL AND longitude IS NOT NULL",
        "is on Earth": "coalesce(latitude BETWEEN -90 AND 90, TRUE) AND coalesce(longitude BETWEEN -180 AND 180, TRUE)",
        "is not from before 1990": "coalesce(event_timestamp >= TIMESTAMP '1990-01-01 00:00:00Z', TRUE)",
        "is not from the future": "event_timestamp <= received_at + INTERVAL 1 MINUTE",
    },
)
def flights_ml(rows: DataFrame) -> DataFrame:
    """One position report of one aircraft, in metres and km/h."""
    return rows.withColumns(
        {
            "event_timestamp": F.when(
                F.col("time_position").between(-LAST_SECOND, LAST_SECOND), F.col("time_position").cast("timestamp")
            ),
            "callsign": F.nullif(F.regexp_replace("callsign", BLANKS_AROUND, ""), F.lit("")),
            "altitude_meters": F.col("baro_altitude"),
            "velocity_kmh": F.col("velocity") * 3.6,
            "vertical_rate_ms": F.col("vertical_rate"),
            "heading_deg": F.col("true_track"),
            "flight_phase": flight_phase(),
            "aircraft_class": aircraft_class(),
        }
    )


@flights.gold("streaming_aggregations/flight_phase_counts", reads=flights_ml, late_by="2 minutes")
def flight_phase_counts(rows: DataFrame) -> DataFrame:
    """Aircraft in each phase of flight, minute by minute."""
    minute = F.window("event_timestamp", "1 minute")
    return rows.groupBy(minute, "flight_phase").agg(
        F.size(F.collect_set("icao24")).cast("bigint").alias("flight_count"),
        F.avg(averaged(F.col("altitude_meters"))).alias("avg_altitude"),
        F.avg(averaged(F.col("velocity_kmh"))).alias("avg_velocity"),
    )


@flights.gold("streaming_aggregations/anomaly_alerts", reads=flights_ml, late_by="6 minutes")
def anomaly_alerts(rows: DataFrame) -> DataFrame:
    """Reports with an altitude or a speed that cannot be, by country, over five minutes, every minute."""
    five_minutes = F.window("event_timestamp", "5 minutes", "1 minute")
    altitude, speed = F.col("altitude_meters"), F.col("velocity_kmh")
    no_altitude, no_speed = outside(altitude, ALTITUDES_M), outside(speed, SPEEDS_KMH)
    return rows.groupBy(five_minutes, "origin_country").agg(
        F.count(F.lit(1)).alias("total_observations"),
        F.count_if(no_altitude).alias("altitude_anomalies"),
        F.count_if(no_speed).alias("velocity_anomalies"),
        (F.count_if(no_altitude | no_speed) / F.count(F.lit(1))).alias("anomaly_rate"),
        F.max(altitude).alias("max_altitude"),
        F.min(altitude).alias("min_altitude"),
        F.max(speed).alias("max_velocity"),
        F.avg(averaged(altitude)).alias("avg_altitude"),
        F.avg(averaged(speed)).alias("avg_velocity"),
        F.stddev_samp(averaged(altitude)).alias("stddev_altitude"),
        F.stddev_samp(averaged(speed)).alias("stddev_velocity"),
    )


@flights.gold(
    "movements",
    reads=flights_ml,
    late_by="2 minutes",
    looks_back=Last(1, of="icao24", within=FURTHEST_APART),
)
def movements(rows: DataFrame) -> DataFrame:
    """Each report beside the one before it of the same aircraft, 15 minutes earlier at most: how far, how fast."""
    in_order = Window.partitionBy("icao24").orderBy("event_timestamp")
    numbered = rows.withColumn("number", F.row_number().over(in_order))
    now, before = numbered.alias("now"), numbered.alias("before")
    same_aircraft = F.col("now.icao24") == F.col("before.icao24")
    just_before = F.col("now.number") == F.col("before.number") + 1
    seconds = F.unix_micros("now.event_timestamp") / 1e6 - F.unix_micros("before.event_timestamp") / 1e6
    joined = now.join(before, same_aircraft & just_before).where(
        seconds <= parse_duration(FURTHEST_APART).total_seconds()
    )
    return joined.select(
        "now.icao24",
        F.col("before.event_timestamp").alias("previous_at"),
        "now.event_timestamp",
        seconds.alias("seconds"),
        great_circle_m("before", "now").alias("distance_m"),
        (F.col("now.velocity_kmh") - F.col("before.velocity_kmh")).alias("speed_change_kmh"),
        (F.col("now.altitude_meters") - F.col("before.altitude_meters")).alias("altitude_change_m"),
    ).withColumns(
        {
            "implied_speed_kmh": F.col("distance_m") / F.col("seconds") * 3.6,
            "is_jump": F.col("distance_m") / F.col("seconds") * 3.6 > FASTEST_AIRCRAFT_KMH,
        }
    )


aircraft_model = flights.model(flights_ml, learn=learning.learn, kinds=tuple(features.KINDS))


@flights.gold(
    "predictions", reads=flights_ml, late_by="2 minutes", looks_back=features.LOOKS_BACK, model=aircraft_model
)
def predictions(rows: DataFrame, model: Trained) -> DataFrame:
    """What each aircraft in the air is taken for, report by report, by the model in use."""
    airborne = rows.where(~F.col("on_ground")).select(*features.READS, "callsign", "aircraft_class")
    return model.predicted(features.KINDS[model.kind].made(airborne)).select(
        "icao24", "event_timestamp", "callsign", "aircraft_class", "predicted_class", "probability", "model"
    )


@flights.gold("heavy_per_minute", reads=predictions, late_by="0 seconds", looks_back="1 minute")
def heavy_per_minute(rows: DataFrame) -> DataFrame:
    """How many aircraft are taken for each class, minute by minute."""
    minute = F.window("event_timestamp", "1 minute")
    return rows.groupBy(minute, "predicted_class").agg(
        F.count_distinct("icao24").alias("flight_count"),
        F.count(F.lit(1)).alias("reports"),
        F.avg("probability").alias("avg_probability"),
        F.max("model").alias("model"),
    )


@flights.gold("prediction_drift", reads=predictions, late_by="0 seconds", looks_back="1 hour")
def prediction_drift(rows: DataFrame) -> DataFrame:
    """Hour by hour and model, the share of reports taken for each class, of those it is unsure of, and how often it is
    right where the transponder says."""
    hour = F.window("event_timestamp", "1 hour")

    def share(condition: Column) -> Column:
        return F.count_if(condition) / F.count(F.lit(1))

    said, known = F.col("predicted_class"), F.col("aircraft_class").isNotNull() & (F.col("predicted_class") != UNSURE)
    return rows.groupBy(hour, "model").agg(
        F.max("event_timestamp").alias("event_timestamp"),
        F.count(F.lit(1)).alias("reports"),
        share(said == "Heavy").alias("heavy_share"),
        share(said == "Light").alias("light_share"),
        share(said == "Other").alias("other_share"),
        share(said == UNSURE).alias("unsure_share"),
        F.avg("probability").alias("avg_probability"),
        (F.count_if(known & (said == F.col("aircraft_class"))) / F.nullif(F.count_if(known), F.lit(0))).alias(
            "right_share"
        ),
    )


drift = flights.watch(prediction_drift, key="model")
drift.alert("MODEL_UNSURE", Above("unsure_share", 0.2))
drift.alert("MODEL_WRONG", Below("right_share", 0.8))
drift.alert("CLASSES_SHIFTED", SuddenChange("heavy_share", by=0.3, within="90 minutes"))

flights.deliver(flight_phase_counts, to=Elastic("flight-phases", id=("window_start", "flight_phase")))
flights.deliver(anomaly_alerts, to=Elastic("flight-anomalies", id=("window_start", "origin_country")))
flights.deliver(heavy_per_minute, to=Elastic("flight-classes", id=("window_start", "predicted_class")))


def outside(value: Column, limits: tuple[float, float]) -> Column:
    """Whether a value is outside its limits; what is missing is not."""
    return F.coalesce(~value.between(*limits), F.lit(False))


def great_circle_m(start: str, end: str) -> Column:
    """The way between the positions of two aliases along the Earth's surface, by the haversine formula."""
    latitude_1, latitude_2 = F.radians(f"{start}.latitude"), F.radians(f"{end}.latitude")
    longitude_1, longitude_2 = F.radians(f"{start}.longitude"), F.radians(f"{end}.longitude")
    half_chord = F.pow(F.sin((latitude_2 - latitude_1) / 2), 2) + F.cos(latitude_1) * F.cos(latitude_2) * F.pow(
        F.sin((longitude_2 - longitude_1) / 2), 2
    )
    return F.lit(2 * EARTH_RADIUS_M) * F.asin(F.sqrt(F.least(half_chord, F.lit(1.0))))


flights.question(questions.busiest_countries)
flights.question(questions.traffic_by_minute)
flights.question(questions.fastest_by_phase)
flights.question(questions.busiest_airspace)
flights.question(questions.speed_by_altitude)
flights.question(questions.climb_by_class)
flights.question(questions.movements_by_hour)
flights.question(questions.emergencies)
flights.question(questions.missing_values)
