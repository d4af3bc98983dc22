"""What a database is can be told without Alembic."""

from alembic.script import ScriptDirectory

from core.storage.database_identity import MIGRATIONS, newest_revision


def test_newest_revision_is_alembics():
    assert newest_revision() == ScriptDirectory(str(MIGRATIONS)).get_current_head()
