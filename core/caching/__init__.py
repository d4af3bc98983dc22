"""What processes remember of the database, and how they know that it still holds."""
