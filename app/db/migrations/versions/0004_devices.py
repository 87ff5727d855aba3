"""the device a task needs, what its files take, and what live workers offer."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("tasks", sa.Column("device", sa.String(length=10), nullable=True))
    op.add_column("tasks", sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_tasks_owner_stored_bytes", "tasks", ["owner", "stored_bytes"])
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("devices", sa.JSON(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )


def downgrade() -> None:
    """Undo; without SQLite's batch mode, which would lose the triggers of `tasks`."""
    op.drop_table("workers")
    op.drop_index("ix_tasks_owner_stored_bytes", "tasks")
    op.drop_column("tasks", "stored_bytes")
    op.drop_column("tasks", "device")
