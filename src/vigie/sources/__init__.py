"""What Spark can read a stream from: one file each.

A source is a frozen value with:

    kind              its name in the ledger and in the checkpoint
    origin            the columns of bronze that say where a message stood, in reading order
    identity          what must stay the same from one start to the next on the same checkpoint
    check()           BadAddress, before Spark starts, when nothing can be read there
    stream(spark)     the stream, bounded so that a backlog never becomes one batch
    cut(batch, from_offset, to_offset)   what this batch spans, as the ledger records it
    messages(batch)   the batch's messages as rows of bronze, each exactly once, in bytes
    verify(cut, read) stops the run when what was read is not what the cut spans
"""
