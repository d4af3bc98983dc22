"""The benchmark: `python -m deploy.bench`; its README says how to read it."""
