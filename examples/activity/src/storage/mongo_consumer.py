"""The raw lake in MongoDB: each event and each change as a document, once, however often it comes.

    VIGIE_MONGO=mongodb://localhost:27017/raw python examples/activity/src/storage/mongo_consumer.py
    python examples/activity/src/storage/mongo_consumer.py --from user_activity=kafka://localhost:9092/user-activity

It runs the activity pipeline, whose silver tables go to MongoDB while VIGIE_MONGO is set, and takes the flags of
`vigie run`. It keeps a lake of its own (./lake-mongo), so that it runs beside process_user_activity.py and reads the
same topics for itself. Replaying a topic changes nothing in MongoDB.
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
