"""How a run is doing, for whoever is not beside it: metrics for Prometheus, what stands in the lake, Grafana's pages.

What happens is told by the engine, through a watcher; what is there is read from the lake, without Spark.
"""
