"""Imports that run in a process of their own have a row; of a tenant one runs at a time."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    """
    CREATE TABLE import_jobs (
        tenant_id BIGINT NOT NULL,
        id TEXT COLLATE "C" NOT NULL,
        user_id BIGINT NOT NULL,
        state TEXT COLLATE "C" NOT NULL,
        file_name TEXT NOT NULL,
        file_bytes BIGINT NOT NULL,
        read_bytes BIGINT NOT NULL,
        begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
        heard_at TIMESTAMP WITH TIME ZONE NOT NULL,
        ended_at TIMESTAMP WITH TIME ZONE,
        report JSONB,
        PRIMARY KEY (tenant_id, id)
    )
    """,
    "CREATE UNIQUE INDEX import_jobs_running ON import_jobs (tenant_id) WHERE state = 'running'",
)


def upgrade() -> None:
    """Make the table."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Forget the imports that were; what they wrote stays."""
    op.execute("DROP TABLE import_jobs")
