"""Values and rules of activities; no SQL, no HTTP, no vendor words."""
