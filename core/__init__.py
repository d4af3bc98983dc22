"""The canonical Activity, its rules and its storage; no HTTP and no vendor words."""
