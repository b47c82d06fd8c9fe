"""Messages in Avro, framed as Confluent frames them: a zero byte, the number of the writer's schema, the body."""
