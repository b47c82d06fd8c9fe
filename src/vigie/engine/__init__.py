"""The engine: a declared graph becomes running queries. What needs Java, Spark or a broker lives here."""
