"""What users do on a site and what is changed in the wikis: events to traffic, visits and edits, minute by minute."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from vigie import Pipeline
from vigie.activity import edits, simulator, wikimedia
from vigie.activity.finished import LATE_BY
from vigie.detectors import BackAndForth, Burst
from vigie.instants import LAST_SECOND
from vigie.sinks.bigquery import BigQuery
from vigie.sinks.mongo import Mongo
from vigie.sinks.mongo_messages import MongoMessages

EVENT = """event_id STRING, user_id STRING, session_id STRING, timestamp TIMESTAMP, action STRING, page STRING,
    device STRING, is_bot BOOLEAN, schema_version INT"""

USER_ACTIVITY = """event_id STRING, user_id STRING, session_id STRING, event_timestamp TIMESTAMP, action STRING,
    page STRING, device STRING, is_bot BOOLEAN, schema_version INT"""

RECENT_CHANGES = """event_id STRING, event_timestamp TIMESTAMP, wiki STRING, type STRING, title STRING, user STRING,
    is_bot BOOLEAN, is_minor BOOLEAN, bytes_changed BIGINT, wiki_page STRING"""

TOP_PAGES = 10
# A session is over when nothing came for so long; and no more of it than this is looked at.
IDLE, LONGEST = "INTERVAL 10 MINUTES", "INTERVAL 1 HOUR"

activity = Pipeline("activity")
user_events = activity.source(
    "user_activity",
    schema=EVENT,
    key="user_id",
    simulated=simulator.simulate,
    format="avro",
    avro="schemas/user_activity.v1.avsc",
)
changes = activity.source(
    "recent_changes",
    schema=wikimedia.RECENT_CHANGE,
    key="title",
    simulated=edits.simulate,
    live=wikimedia.live,
    format="avro",
    avro="schemas/recent_change.v1.avsc",
)


@activity.silver(
    "user_activity",
    reads=user_events,
    schema=USER_ACTIVITY,
    event_time="event_timestamp",
    late_by=LATE_BY,
    unique="event_id",
    expect={
        "has an event id": "event_id <> ''",
        "has a user": "user_id <> ''",
        "has a session": "session_id <> ''",
        "has an action": "action <> ''",
        "has a page": "page <> ''",
        "is not from the future": "event_timestamp <= received_at + INTERVAL 1 MINUTE",
    },
)
def user_activity(rows: DataFrame) -> DataFrame:
    """One thing that one user did on the site."""
    return rows.withColumn("event_timestamp", F.col("timestamp"))


@activity.silver(
    "recent_changes",
    reads=changes,
    schema=RECENT_CHANGES,
    event_time="event_timestamp",
    late_by=LATE_BY,
    unique="event_id",
    expect={
        "has an event id": "event_id <> ''",
        "names its wiki": "wiki <> ''",
        "has a type": "type <> ''",
        "has a title": "title <> ''",
        "has a user": "user <> ''",
        "has possible sizes": """coalesce(length.old BETWEEN 0 AND 2147483647, TRUE)
            AND coalesce(length.new BETWEEN 0 AND 2147483647, TRUE)""",
        "is not from the future": "event_timestamp <= received_at + INTERVAL 1 MINUTE",
    },
)
def recent_changes(rows: DataFrame) -> DataFrame:
    """One change in one wiki: an edit, a new page, a line of a log."""
    return rows.withColumns(
        {
            "event_id": F.col("meta.id"),
            "event_timestamp": F.when(
                F.col("timestamp").between(-LAST_SECOND, LAST_SECOND), F.col("timestamp").cast("timestamp")
            ),
            "is_bot": F.col("bot"),
            "is_minor": F.col("minor"),
            # A page that is new was nothing before.
            "bytes_changed": F.col("length.new") - F.coalesce("length.old", F.lit(0)),
            "wiki_page": F.concat_ws(":", "wiki", "title"),
        }
    )


@activity.gold("activity/activity_per_minute", reads=user_activity, late_by="10 minutes", looks_back="1 minute")
def activity_per_minute(rows: DataFrame) -> DataFrame:
    """Events and users of each action on each page, minute by minute."""
    return rows.groupBy(minute(), "action", "page").agg(events(), distinct("user_id", "distinct_users"))


@activity.gold("activity/devices_per_minute", reads=user_activity, late_by="10 minutes", looks_back="1 minute")
def devices_per_minute(rows: DataFrame) -> DataFrame:
    """Events, those of bots among them, and users on each kind of device, minute by minute."""
    return rows.groupBy(minute(), "device").agg(
        events(), F.count_if("is_bot").alias("bot_events"), distinct("user_id", "distinct_users")
    )


@activity.gold("activity/top_pages", reads=user_activity, late_by="10 minutes", looks_back="5 minutes")
def top_pages(rows: DataFrame) -> DataFrame:
    """The ten pages with the most events, every five minutes."""
    counted = rows.groupBy(F.window("event_timestamp", "5 minutes"), "page").agg(
        events(), distinct("user_id", "distinct_users")
    )
    most_first = Window.partitionBy("window").orderBy(F.desc("events"), "page")
    ranked = counted.withColumn("rank", F.row_number().over(most_first))
    return ranked.where(F.col("rank") <= TOP_PAGES)


@activity.gold("activity/sessions", reads=user_activity, late_by="10 minutes", looks_back="70 minutes")
def sessions(rows: DataFrame) -> DataFrame:
    """Each session that is over, which it is when ten minutes go by without an event of it.

    That moment is its event time. One that goes on after that is another. No more of a session than an hour before
    that moment is looked at: one that began earlier is not whole.
    """
    at, over_at = F.col("event_timestamp"), F.col("over_at")
    in_order = Window.partitionBy("session_id").orderBy("event_timestamp")
    resumes = at > F.lag(at).over(in_order) + F.expr(IDLE)
    parts = rows.withColumn("resumes", resumes).withColumn("part", F.count_if("resumes").over(in_order))
    of_part = Window.partitionBy("session_id", "part")
    ended = parts.withColumn("over_at", F.max(at).over(of_part) + F.expr(IDLE))
    looked_at = at > over_at - F.expr(LONGEST)
    is_whole = F.min(at).over(of_part) > over_at - F.expr(LONGEST)
    return (
        ended.withColumn("is_whole", is_whole)
        .where(looked_at)
        .groupBy("session_id", "over_at")
        .agg(
            F.min("user_id").alias("user_id"),
            F.min("device").alias("device"),
            F.bool_or("is_bot").alias("is_bot"),
            F.min(at).alias("started_at"),
            F.max(at).alias("ended_at"),
            events(),
            distinct("page", "pages"),
            F.bool_and("is_whole").alias("is_whole"),
        )
        .withColumnRenamed("over_at", "event_timestamp")
    )


@activity.gold("activity/edits_per_minute", reads=recent_changes, late_by="10 minutes", looks_back="1 minute")
def edits_per_minute(rows: DataFrame) -> DataFrame:
    """Edits of each wiki, those of bots among them, and by how many bytes they changed it, minute by minute."""
    made = rows.where(F.col("type").isin("edit", "new"))
    return made.groupBy(minute(), "wiki").agg(
        F.count(F.lit(1)).alias("edits"),
        F.count_if("is_bot").alias("bot_edits"),
        F.coalesce(F.sum("bytes_changed"), F.lit(0)).alias("bytes_changed"),
        distinct("user", "distinct_users"),
    )


users = activity.watch(user_activity, key="user_id")
users.alert("USER_BURST", Burst(times=100, within="1 minute"))
editors = activity.watch(recent_changes, key="user")
editors.alert("EDIT_BURST", Burst("type IN ('edit', 'new')", times=120, within="1 minute"), severity="info")
pages = activity.watch(recent_changes, key="wiki_page")
pages.alert("EDIT_WAR", BackAndForth("bytes_changed", times=4, within="10 minutes"))

activity.deliver(
    user_events,
    to=MongoMessages("user_activity", id="event_id", indexes=("_vigie.received_at", ("user_id", "timestamp"))),
)
activity.deliver(
    changes,
    to=MongoMessages("recent_changes", id="meta.id", indexes=("_vigie.received_at", ("wiki", "timestamp"))),
)
activity.deliver(
    user_activity,
    to=Mongo("accepted_user_activity", id="event_id", indexes=("event_timestamp", ("user_id", "event_timestamp"))),
)
activity.deliver(
    recent_changes,
    to=Mongo("accepted_recent_changes", id="event_id", indexes=("event_timestamp", ("wiki", "event_timestamp"))),
)
activity.deliver(
    user_activity,
    to=BigQuery("user_activity", id="event_id", partition_by="event_timestamp", cluster_by=("user_id", "action")),
)
activity.deliver(
    recent_changes, to=BigQuery("recent_changes", id="event_id", partition_by="event_timestamp", cluster_by="wiki")
)


def minute() -> Column:
    return F.window("event_timestamp", "1 minute")


def events() -> Column:
    return F.count(F.lit(1)).alias("events")


def distinct(column: str, name: str) -> Column:
    """How many different values a column has."""
    return F.size(F.collect_set(column)).cast("bigint").alias(name)
