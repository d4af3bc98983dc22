"""From credentials to the principal of a request."""
