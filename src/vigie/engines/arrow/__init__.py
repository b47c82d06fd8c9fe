"""Rows as Arrow, in this process: read, judged and given here, and evaluated by whichever engine."""
