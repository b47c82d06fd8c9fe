"""The loop: what is there is planned, read, judged and written, in batches of any size, with one answer."""
