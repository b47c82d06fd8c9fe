"""The raw lake in MongoDB: each event and each change that came in, whole, as a document, once.

    VIGIE_MONGO=mongodb://localhost:27017/raw python examples/activity/src/storage/mongo_consumer.py
    python examples/activity/src/storage/mongo_consumer.py --from user_activity=kafka://localhost:9092/user-activity

It runs the activity pipeline and takes the flags of `vigie run`. While VIGIE_MONGO is set, all that bronze has goes to
the collections user_activity and recent_changes, late and broken events too. What silver accepted of it goes to
accepted_user_activity and accepted_recent_changes, of which figures and statistics are asked. It keeps a lake of its
own (./lake-mongo), so that it runs beside process_user_activity.py and reads the same topics for itself. Reading a
topic again changes nothing in MongoDB.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vigie.settings import read_settings

HERE = {"mongo": "mongodb://localhost:27017/raw", "lake": "./lake-mongo"}

if __name__ == "__main__":
    said = read_settings().model_fields_set  # in the environment, or in .env
    os.environ.update({f"VIGIE_{name.upper()}": value for name, value in HERE.items() if name not in said})
    os.execv(Path(sys.executable).with_name("vigie"), ["vigie", "run", "activity", *sys.argv[1:]])
