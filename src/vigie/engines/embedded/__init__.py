"""sail behind the Spark Connect client, in a child process: plain PySpark without Java."""
