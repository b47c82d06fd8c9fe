"""What a step raises when the run is to end before it could do its work."""


class LeftUndone(Exception):
    """A batch that could not be delivered before the run was to end: the next run delivers it."""
