"""Aircraft over France, as OpenSky sees them or as a simulator flies them."""
