"""A secret of the database, with which the entries of the shared cache are signed."""

import secrets

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"

SECRET_BYTES = 32


def upgrade() -> None:
    """Draw the secret."""
    op.execute("ALTER TABLE database_identity ADD COLUMN cache_secret BYTEA")
    op.get_bind().execute(
        text("UPDATE database_identity SET cache_secret = :secret"),
        {"secret": secrets.token_bytes(SECRET_BYTES)},
    )
    op.execute("ALTER TABLE database_identity ALTER COLUMN cache_secret SET NOT NULL")


def downgrade() -> None:
    """Forget the secret; what was signed with it is never read again."""
    op.execute("ALTER TABLE database_identity DROP COLUMN cache_secret")
