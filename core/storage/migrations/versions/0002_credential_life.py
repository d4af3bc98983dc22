"""Keys have a name and a last use, and tokens can be revoked.

A revoked token is known by the `jti` that it carries; one that spans several tenants is revoked by
any of them.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    "ALTER TABLE credentials ADD COLUMN name TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE credentials ADD COLUMN last_used_at TIMESTAMP WITH TIME ZONE",
    """
    CREATE TABLE revoked_tokens (
        tenant_id BIGINT NOT NULL,
        token_id TEXT COLLATE "C" NOT NULL,
        revoked_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (tenant_id, token_id)
    )
    """,
)


def upgrade() -> None:
    """Add the columns and the table."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Take them away; what was revoked would be good again, so that hands must do it."""
    raise RuntimeError("revocations would be forgotten: drop them by hand, if that is meant")
