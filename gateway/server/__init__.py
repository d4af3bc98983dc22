"""gunicorn's configuration and worker, and what it serves."""
