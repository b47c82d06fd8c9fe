"""What a table can be delivered to: one file each. See `vigie.graph.Sink` for the contract."""
