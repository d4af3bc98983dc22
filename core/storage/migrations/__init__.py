"""Alembic migrations, one short file a change, each with its reason."""
