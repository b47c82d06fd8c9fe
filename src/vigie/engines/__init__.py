"""What evaluates declared functions: the embedded engine, and Spark."""
