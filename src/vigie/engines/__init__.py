"""What evaluates declared functions: the embedded engine, and Spark."""

import os

# What gRPC does around a fork, to go on in the child, breaks off what a thread of ours is asking at that moment, and
# now and then the child with it. Children of ours are other programs at once.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
