"""Sensors in buildings: readings to windows, and alerts on what should not be."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from vigie import Pipeline
from vigie.detectors import (
    Above,
    AboveUsual,
    Below,
    FarFromMedian,
    InARow,
    OffCourse,
    Outlier,
    Rising,
    Silent,
    Stuck,
    SuddenChange,
)
from vigie.sensors import simulator, surroundings
from vigie.sinks.kafka import KafkaAlerts
from vigie.sinks.notify import Notify
from vigie.sinks.webhook import Webhook

READING = """sensor_id STRING, timestamp TIMESTAMP, temperature DOUBLE, humidity DOUBLE, pressure DOUBLE,
    location STRING"""

SENSOR_READINGS = """sensor_id STRING, event_timestamp TIMESTAMP, temperature_c DOUBLE, humidity_pct DOUBLE,
    pressure_hpa DOUBLE, location STRING, building STRING, floor INT, is_alert BOOLEAN, severity STRING"""

WEATHER = "site STRING, observed_at TIMESTAMP, outside_c DOUBLE, outside_humidity_pct DOUBLE, wind_ms DOUBLE"

WARM_C, COLD_C, DAMP_PCT = 30, 10, 80
HOT_C, FREEZING_C, WET_PCT = 35, 5, 90  # from here on it is critical

sensors = Pipeline("sensors")
iot_sensors = sensors.source("iot_sensors", schema=READING, key="sensor_id", simulated=simulator.simulate)
weather_reports = sensors.source(
    "weather", schema=surroundings.OBSERVATION, key="site", simulated=surroundings.weather, context=True
)
announcements = sensors.source(
    "maintenance", schema=surroundings.ANNOUNCEMENT, key="building", simulated=surroundings.maintenance, context=True
)


@sensors.silver(
    "sensor_readings",
    reads=iot_sensors,
    schema=SENSOR_READINGS,
    event_time="event_timestamp",
    late_by="10 minutes",
    unique=("sensor_id", "event_timestamp"),
    expect={
        "has a temperature of -50 to 50 °C": "temperature_c BETWEEN -50 AND 50",
        "has a humidity of 0 to 100 %": "humidity_pct BETWEEN 0 AND 100",
        "has a pressure of 870 to 1085 hPa": "pressure_hpa BETWEEN 870 AND 1085",
        "is not from the future": "event_timestamp <= received_at + INTERVAL 1 MINUTE",
    },
)
def sensor_readings(rows: DataFrame) -> DataFrame:
    """One reading of one sensor, with whether it is beyond a limit and how bad that is."""
    in_units = rows.withColumns(
        {
            "event_timestamp": F.col("timestamp"),
            "temperature_c": F.col("temperature"),
            "humidity_pct": F.col("humidity"),
            "pressure_hpa": F.col("pressure"),
            "building": F.nullif(F.regexp_extract("location", r"(?i)building\s+(\w+)", 1), F.lit("")),
            "floor": F.regexp_extract("location", r"(?i)floor\s+(-?\d+)", 1).try_cast("int"),
        }
    )
    warning, critical = beyond(WARM_C, COLD_C, DAMP_PCT), beyond(HOT_C, FREEZING_C, WET_PCT)
    return in_units.withColumns(
        {
            "is_alert": warning,
            "severity": F.when(critical, "critical").when(warning, "warning").otherwise("normal"),
        }
    )


@sensors.silver(
    "weather",
    reads=weather_reports,
    schema=WEATHER,
    event_time="observed_at",
    late_by="1 day",
    unique=("site", "observed_at"),
    expect={
        "has a temperature of -80 to 60 °C": "outside_c BETWEEN -80 AND 60",
        "is not from the future": "observed_at <= received_at + INTERVAL 1 MINUTE",
    },
)
def weather(rows: DataFrame) -> DataFrame:
    """One observation of the weather at one site, which is where the building of that name stands."""
    return rows.withColumns(
        {
            "observed_at": F.col("timestamp"),
            "outside_c": F.col("temperature"),
            "outside_humidity_pct": F.col("humidity"),
            "wind_ms": F.col("wind_speed"),
        }
    )


@sensors.silver(
    "maintenance_windows",
    reads=announcements,
    schema=surroundings.ANNOUNCEMENT,
    event_time="announced_at",
    late_by="7 days",
    unique=("building", "starts_at"),
    expect={
        "ends after it starts": "ends_at > starts_at",
        "is not from the future": "announced_at <= received_at + INTERVAL 1 MINUTE",
    },
)
def maintenance_windows(rows: DataFrame) -> DataFrame:
    """One span of time in which somebody is at work in a building."""
    return rows


@sensors.gold("sensors/readings_5m", reads=sensor_readings, late_by="10 minutes", looks_back="5 minutes")
def readings_5m(rows: DataFrame) -> DataFrame:
    """What each sensor measured, every five minutes."""
    return temperatures(rows, F.window("event_timestamp", "5 minutes"))


@sensors.gold("sensors/readings_10m", reads=sensor_readings, late_by="10 minutes", looks_back="10 minutes")
def readings_10m(rows: DataFrame) -> DataFrame:
    """What each sensor measured in ten minutes, every five."""
    return temperatures(rows, F.window("event_timestamp", "10 minutes", "5 minutes"))


@sensors.gold("sensors/location_extremes", reads=sensor_readings, late_by="10 minutes", looks_back="5 minutes")
def location_extremes(rows: DataFrame) -> DataFrame:
    """The lowest and highest values at each location, every five minutes."""
    return rows.groupBy(F.window("event_timestamp", "5 minutes"), "location").agg(
        F.count(F.lit(1)).alias("readings"),
        F.min("temperature_c").alias("min_c"),
        F.max("temperature_c").alias("max_c"),
        F.min("humidity_pct").alias("min_humidity_pct"),
        F.max("humidity_pct").alias("max_humidity_pct"),
        F.min("pressure_hpa").alias("min_pressure_hpa"),
        F.max("pressure_hpa").alias("max_pressure_hpa"),
    )


@sensors.gold("sensors/alerts_by_type", reads=sensor_readings, late_by="10 minutes", looks_back="5 minutes")
def alerts_by_type(rows: DataFrame) -> DataFrame:
    """Readings beyond each limit, and how many sensors had them, every five minutes."""
    kinds = F.filter(
        F.array(
            F.when(F.col("temperature_c") > WARM_C, "HIGH_TEMP"),
            F.when(F.col("temperature_c") < COLD_C, "LOW_TEMP"),
            F.when(F.col("humidity_pct") > DAMP_PCT, "HIGH_HUMIDITY"),
        ),
        lambda kind: kind.isNotNull(),
    )
    alerts = rows.select("event_timestamp", "sensor_id", F.explode(kinds).alias("alert_type"))
    return alerts.groupBy(F.window("event_timestamp", "5 minutes"), "alert_type").agg(
        F.count(F.lit(1)).alias("alerts"),
        F.size(F.collect_set("sensor_id")).cast("bigint").alias("sensors"),
    )


@sensors.gold("sensors/last_values", reads=sensor_readings, latest_by="sensor_id")
def last_values(rows: DataFrame) -> DataFrame:
    """The newest reading of each sensor."""
    return rows


@sensors.gold(
    "sensors/readings_in_context",
    reads=sensor_readings,
    late_by="10 minutes",
    looks_back="1 minute",
    beside=(weather, maintenance_windows),
)
def readings_in_context(rows: DataFrame, observations: DataFrame, windows: DataFrame) -> DataFrame:
    """Each reading with the weather outside, and with the maintenance that its building was in.

    The weather is the newest observation at or before the reading, less than three hours old. What is told of it,
    or of maintenance, more than ten minutes after a reading changes nothing that was already said of that reading.
    """
    hour = F.date_trunc("hour", "event_timestamp") == F.col("hour")
    holds = (F.col("event_timestamp") >= F.col("observed_at")) & (F.col("event_timestamp") < F.col("until"))
    outside = rows.join(F.broadcast(by_hour(observations)), hour & holds & (F.col("building") == F.col("site")), "left")
    planned = windows.groupBy(F.col("building").alias("planned_in")).agg(
        F.array_sort(F.collect_list(F.struct("starts_at", "ends_at", "what"))).alias("planned")
    )
    now = F.col("event_timestamp")
    under_way = F.filter("planned", lambda window: (window.starts_at <= now) & (now < window.ends_at))
    work = F.get(under_way, F.lit(0))
    return outside.join(F.broadcast(planned), F.col("building") == F.col("planned_in"), "left").select(
        *("sensor_id", "event_timestamp", "building", "temperature_c"),
        *("observed_at", "outside_c", "outside_humidity_pct", "wind_ms"),
        (F.col("temperature_c") - F.col("outside_c")).alias("over_outside_c"),
        work.isNotNull().alias("in_maintenance"),
        work["what"].alias("maintenance"),
    )


watched = sensors.watch(sensor_readings, key="sensor_id")
watched.quiet_during(maintenance_windows, on="building")
watched.alert("HIGH_TEMP", Above("temperature_c", WARM_C, clears_at=29))
watched.alert("LOW_TEMP", Below("temperature_c", COLD_C, clears_at=11))
watched.alert("HIGH_HUMIDITY", Above("humidity_pct", DAMP_PCT, clears_at=78))
watched.alert("SUDDEN_CHANGE", SuddenChange("temperature_c", by=5, within="1 minute"))
watched.alert("DYNAMIC_THRESHOLD", AboveUsual("temperature_c", deviations=2, over="30 minutes"), severity="info")
watched.alert("OUTLIER", Outlier("temperature_c", z=3, over="30 minutes"), severity="info")
watched.alert("RISING", Rising("temperature_c", over="15 minutes"), severity="info")
watched.alert("THREE_IN_A_ROW", InARow("is_alert", times=3), severity="critical")
watched.alert("SILENT", Silent("10 minutes"), severity="critical")
# What the textbook's rules above find in noise alone, these leave out: they know how much is much.
watched.alert("UNUSUALLY_WARM", AboveUsual("temperature_c", deviations=2, over="30 minutes", least=1.5))
watched.alert("FAR_FROM_MEDIAN", FarFromMedian("temperature_c", least=0.5), severity="info")
watched.alert("WARMING", Rising("temperature_c", over="15 minutes", by=2, dips=0.1))
watched.alert("OFF_COURSE", OffCourse("temperature_c", one_in=100_000, over="10 minutes", least=0.2))
watched.alert("STUCK", Stuck("temperature_c", over="30 minutes"))
watched.deliver(to=KafkaAlerts("iot-alerts"))
watched.deliver(to=Webhook(), at_least="warning")
watched.deliver(to=Notify(), at_least="warning")


def beyond(warm_c: float, cold_c: float, damp_pct: float) -> Column:
    """Whether a reading is warmer, colder or damper than these."""
    temperature, humidity = F.col("temperature_c"), F.col("humidity_pct")
    return (temperature > warm_c) | (temperature < cold_c) | (humidity > damp_pct)


def by_hour(observations: DataFrame) -> DataFrame:
    """Each observation until the next at its site or three hours have gone by, once for each hour that this touches:
    readings are joined on the hour, and not compared with all the weather there ever was."""
    at = F.col("observed_at")
    following = F.lead("observed_at").over(Window.partitionBy("site").orderBy("observed_at"))
    until = F.least(following, at + F.expr("INTERVAL 3 HOURS"))
    hours = F.sequence(F.date_trunc("hour", at), F.date_trunc("hour", "until"), F.expr("INTERVAL 1 HOUR"))
    return observations.withColumn("until", until).withColumn("hour", F.explode(hours))


def temperatures(rows: DataFrame, window: Column) -> DataFrame:
    """How the temperatures of each sensor are spread within a window."""
    value = F.col("temperature_c")
    return rows.groupBy(window, "sensor_id").agg(
        F.count(F.lit(1)).alias("readings"),
        F.avg(value).alias("mean_c"),
        F.min(value).alias("min_c"),
        F.max(value).alias("max_c"),
        F.stddev_samp(value).alias("stddev_c"),
        *(F.percentile(value, F.lit(share / 100)).alias(f"p{share}_c") for share in (50, 95, 99)),
    )
