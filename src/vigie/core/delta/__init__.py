"""Delta tables: appended to once for each batch, and followed by their versions."""
