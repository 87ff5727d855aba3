"""the summaries that lists of experiments read, kept by triggers; points by experiment in the order of their reports.

A later migration that rebuilds `experiments`, `tasks` or `evaluations` (SQLite's batch mode) loses their triggers and
must make them again: `make_triggers` is for that.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SORTED = (
    "name",
    "experiment_name",
    "state",
    "accuracy",
    "macro_f1",
    "loss",
    "runtime_seconds",
    "base_model",
    "data_name",
    "created_at",
)
_OWN = ("name", "experiment_name", "owner", "created_at", "base_model", "data_name", "runtime_seconds")
_SCORES = ("accuracy", "macro_f1", "loss")


def _latest_task(experiment_id: str) -> str:
    """SQL of the id and the state of an experiment's latest task."""
    return (
        f"SELECT tasks.id, tasks.state FROM tasks WHERE tasks.experiment_id = {experiment_id} "
        "ORDER BY tasks.created_at DESC, tasks.id DESC LIMIT 1"
    )


def _set_latest_task(experiment_id: str) -> str:
    return (
        f"UPDATE experiment_summaries SET (task_id, state) = ({_latest_task(experiment_id)}) "
        f"WHERE experiment_id = {experiment_id}"
    )


def _set_scores(values: str, experiment_id: str) -> str:
    return f"UPDATE experiment_summaries SET ({', '.join(_SCORES)}) = ({values}) WHERE experiment_id = {experiment_id}"


_NEW_OWN = ", ".join(f"NEW.{name}" for name in _OWN)
_NEW_SCORES = ", ".join(f"NEW.{name}" for name in _SCORES)
_INSERT = f"INSERT INTO experiment_summaries (experiment_id, {', '.join(_OWN)}) VALUES (NEW.id, {_NEW_OWN})"
_UPDATE = f"UPDATE experiment_summaries SET ({', '.join(_OWN)}) = ({_NEW_OWN}) WHERE experiment_id = NEW.id"
_NO_SCORES = _set_scores("NULL, NULL, NULL", "OLD.experiment_id")

TRIGGERS = {
    "experiments_added": ("experiments", "INSERT", "", _INSERT),
    "experiments_changed": ("experiments", f"UPDATE OF {', '.join(_OWN)}", "", _UPDATE),
    "tasks_added": ("tasks", "INSERT", "NEW.experiment_id IS NOT NULL", _set_latest_task("NEW.experiment_id")),
    "tasks_changed": (
        "tasks",
        "UPDATE OF state, created_at",
        "NEW.experiment_id IS NOT NULL",
        _set_latest_task("NEW.experiment_id"),
    ),
    "tasks_removed": ("tasks", "DELETE", "OLD.experiment_id IS NOT NULL", _set_latest_task("OLD.experiment_id")),
    "evaluations_added": ("evaluations", "INSERT", "NEW.split = 'eval'", _set_scores(_NEW_SCORES, "NEW.experiment_id")),
    "evaluations_changed": (
        "evaluations",
        f"UPDATE OF {', '.join(_SCORES)}",
        "NEW.split = 'eval'",
        _set_scores(_NEW_SCORES, "NEW.experiment_id"),
    ),
    "evaluations_removed": ("evaluations", "DELETE", "OLD.split = 'eval'", _NO_SCORES),
}
"""By name: the table, the event, the condition, and what is done then."""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "experiment_summaries",
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("experiment_name", sa.String(length=100), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("base_model", sa.String(length=500), nullable=False),
        sa.Column("data_name", sa.String(length=500), nullable=True),
        sa.Column("runtime_seconds", sa.Double(), nullable=True),
        sa.Column("task_id", sa.String(length=36), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=True),
        sa.Column("accuracy", sa.Double(), nullable=True),
        sa.Column("macro_f1", sa.Double(), nullable=True),
        sa.Column("loss", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name=op.f("fk_experiment_summaries_experiment_id_experiments"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("experiment_id", name=op.f("pk_experiment_summaries")),
    )
    op.execute(
        f"INSERT INTO experiment_summaries (experiment_id, {', '.join(_OWN)}) "
        f"SELECT id, {', '.join(_OWN)} FROM experiments"
    )
    op.execute(
        f"UPDATE experiment_summaries SET (task_id, state) = ({_latest_task('experiment_summaries.experiment_id')})"
    )
    op.execute(
        f"UPDATE experiment_summaries SET ({', '.join(_SCORES)}) = (SELECT {', '.join(_SCORES)} FROM evaluations "
        "WHERE evaluations.experiment_id = experiment_summaries.experiment_id AND evaluations.split = 'eval')"
    )
    for column in _SORTED:
        op.create_index(f"ix_experiment_summaries_{column}", "experiment_summaries", [column, "experiment_id"])
    op.create_index(
        "ix_experiment_summaries_owner_created_at", "experiment_summaries", ["owner", "created_at", "experiment_id"]
    )
    op.drop_index("ix_metric_points_experiment_id_kind_step", "metric_points")
    op.create_index("ix_metric_points_experiment_id_id", "metric_points", ["experiment_id", "id"])
    op.create_index("ix_tasks_created_at", "tasks", ["created_at", "id"])
    make_triggers()


def make_triggers() -> None:
    """Let the database keep the summaries."""
    for name, (table, event, condition, statement) in TRIGGERS.items():
        when = f"WHEN ({condition})" if condition else ""
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} {when} BEGIN {statement}; END")
        else:
            op.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {statement}; RETURN NULL; END $$"
            )
            op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW {when} EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    """Undo."""
    for name, (table, *_rest) in TRIGGERS.items():
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER {name}")
        else:
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_index("ix_tasks_created_at", "tasks")
    op.drop_index("ix_metric_points_experiment_id_id", "metric_points")
    op.create_index("ix_metric_points_experiment_id_kind_step", "metric_points", ["experiment_id", "kind", "step"])
    op.drop_table("experiment_summaries")
