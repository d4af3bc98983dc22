"""The yardstick: the same reads written the usual way, as the documents of its libraries show."""
