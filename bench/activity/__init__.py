"""Activity as a workload: a million events of users, in Avro, to silver and four gold tables."""
