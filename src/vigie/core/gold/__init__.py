"""Gold tables: what follows from silver once its time is closed."""
