"""One package per vendor dialect, and the one door from a view into the core."""
