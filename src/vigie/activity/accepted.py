"""Which collections of MongoDB figures and statistics are asked of: `user_activity` and `recent_changes` are the raw
lake, every event as it came, and beside each lies what silver accepted of it."""


def collection_of(table: str) -> str:
    """Where the rows of a silver table are: `accepted_user_activity`."""
    return f"accepted_{table}"
