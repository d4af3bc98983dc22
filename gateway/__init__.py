"""Put the core and the dialects together into one running service."""
