"""The index of ends holds them as they are shown: without a time never before the start."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    "DROP INDEX activities_by_end",
    """
    CREATE INDEX activities_by_end ON activities (
        tenant_id,
        (CASE WHEN end_time IS NULL AND start_at > end_at THEN start_at ELSE end_at END),
        id
    ) WHERE deleted_at IS NULL
    """,
)


def upgrade() -> None:
    """Make the index anew."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Make it as it was."""
    op.execute("DROP INDEX activities_by_end")
    op.execute(
        "CREATE INDEX activities_by_end ON activities (tenant_id, end_at, id) "
        "WHERE deleted_at IS NULL"
    )
