"""Whole data sets in and out: NDJSON lines, imports, exports and the demo."""
