"""The raw lake in MongoDB: each event and each change that came in, whole, as a document, once.

    python src/storage/mongo_consumer.py                                   # mongodb://localhost:27017/raw
    python src/storage/mongo_consumer.py --from user_activity=inbox:users --from recent_changes=inbox:wikis --once

It runs the activity pipeline and takes the flags of `vigie run`; it reads the topics user-activity and recent-changes
unless told otherwise. While VIGIE_MONGO is set, all that bronze has goes to
the collections user_activity and recent_changes, late and broken events too. What silver accepted of it goes to
accepted_user_activity and accepted_recent_changes, of which figures and statistics are asked. It keeps a lake of its
own (./lake-mongo), so that it runs beside process_user_activity.py and reads the same topics for itself. Reading a
topic again changes nothing in MongoDB.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vigie import VigieError
from vigie.address import Kafka
from vigie.outlets.kafka import connected
from vigie.settings import read_settings

HERE = {"mongo": "mongodb://localhost:27017/raw", "lake": "./lake-mongo", "registry": "http://localhost:8081"}
TOPICS = {"user_activity": "user-activity", "recent_changes": "recent-changes"}


def there(topic: Kafka) -> Kafka:
    """The topic, made if nobody has written to it yet."""
    try:
        connected(topic, "vigie mongo_consumer")
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)
    return topic


if __name__ == "__main__":
    settings, flags = read_settings(), sys.argv[1:]
    said = settings.model_fields_set  # in the environment, or in .env
    os.environ.update({f"VIGIE_{name.upper()}": value for name, value in HERE.items() if name not in said})
    if "--from" not in flags:
        servers = settings.kafka or "localhost:9092"
        for source, topic in TOPICS.items():
            flags.append(f"--from={source}={there(Kafka(servers, topic))}")
    os.execv(Path(sys.executable).with_name("vigie"), ["vigie", "run", "activity", *flags])
