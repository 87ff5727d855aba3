"""points by experiment and kind, in the order of their reports."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_metric_points_experiment_id_kind_id", "metric_points", ["experiment_id", "kind", "id"])
    op.drop_index("ix_metric_points_experiment_id_id", "metric_points")


def downgrade() -> None:
    """Undo."""
    op.create_index("ix_metric_points_experiment_id_id", "metric_points", ["experiment_id", "id"])
    op.drop_index("ix_metric_points_experiment_id_kind_id", "metric_points")
