"""All SQL: tables, migrations, readers and writers."""
