"""Spark behind its Connect client: a server that is there, or one that is started here."""
