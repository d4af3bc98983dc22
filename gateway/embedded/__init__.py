"""PostgreSQL and Redis from their wheels, for trying out and for tests."""
