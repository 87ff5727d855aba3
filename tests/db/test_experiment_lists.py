"""Lists of experiments: summaries the database keeps itself, and pages that are right whichever way they are found."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.db.migrations import upgrade
from app.db.repositories import experiments, keyset, metrics, shares, task_lists, tasks
from app.db.session import Database, Session, make_engine, open_database
from app.db.tables import ExperimentSummaryRow, TaskRow
from app.domain.filters import parse_filter, parse_sort
from app.domain.task import TaskKind, TaskState

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Database:
    return open_database(database_url)


def add(session: Session, name: str, **values: Any) -> tuple[int, str]:
    given = {"experiment_name": "reviews", "config": {}, "base_model": "minilm", "seed": 1, "run_dir": name} | values
    return experiments.create(session, name=name, **given)


def summary(session: Session) -> tuple[Any, ...]:
    session.expire_all()
    row = session.query(ExperimentSummaryRow).one()
    return row.state, row.accuracy, row.loss, row.owner, row.runtime_seconds, row.task_id


def test_a_summary_follows_every_change(database: Database) -> None:
    with database.write() as session:
        experiment_id, task_id = add(session, "a", owner="ada")
        assert summary(session) == ("PENDING", None, None, "ada", None, task_id)
        tasks.claim(session, task_id, token="mine", pid=1, hostname="here")
        assert summary(session)[0] == "STARTED"
        metrics.put_evaluation(session, experiment_id, "test", {"accuracy": 0.1})
        metrics.put_evaluation(session, experiment_id, "eval", {"accuracy": 0.9, "loss": 0.1})
        metrics.put_evaluation(session, experiment_id, "eval", {"accuracy": 0.8, "loss": float("nan")})
        experiments.set_results(session, experiment_id, {"runtime_seconds": 1.5})
        experiments.set_owner(session, experiment_id, None)
        assert summary(session) == ("STARTED", 0.8, None, None, 1.5, task_id)
        tasks.finish(session, task_id, "mine", TaskState.FAILURE)
        assert summary(session)[0] == "FAILURE"


def test_the_state_is_that_of_the_latest_task(database: Database) -> None:
    with database.write() as session:
        experiment_id, first = add(session, "a")
        later = datetime.now(UTC) + timedelta(days=1)
        session.add(TaskRow(id="later", kind="train", experiment_id=experiment_id, created_at=later, state="REVOKED"))
        session.flush()
        assert summary(session)[::5] == ("REVOKED", "later")
        session.execute(text("UPDATE tasks SET state = 'FAILURE' WHERE id = :id"), {"id": first})
        assert summary(session)[::5] == ("REVOKED", "later")
        session.execute(text("DELETE FROM tasks WHERE id = 'later'"))
        assert summary(session)[::5] == ("FAILURE", first)


def test_a_summary_goes_with_its_experiment(database: Database) -> None:
    with database.write() as session:
        experiment_id, _ = add(session, "a")
        metrics.put_evaluation(session, experiment_id, "eval", {"accuracy": 0.9})
        experiments.delete(session, experiment_id)
        assert session.query(ExperimentSummaryRow).count() == 0


def test_what_was_recorded_before_there_were_summaries_has_one(database_url: str) -> None:
    from alembic import command

    engine = make_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(upgrade.alembic_config(connection), "0002")
        connection.execute(
            text(
                "INSERT INTO experiments (id, name, experiment_name, owner, created_at, config, base_model, seed, "
                "library_versions, run_dir) VALUES (7, 'old', 'old', 'ada', '2026-01-01 00:00:00+00:00', '{}', "
                "'minilm', 1, '{}', 'old')"
            )
        )
        for task_id, state, day in (("t1", "FAILURE", 1), ("t2", "SUCCESS", 2)):
            connection.execute(
                text(
                    "INSERT INTO tasks (id, kind, experiment_id, state, stage, progress, attempt, events_offset, "
                    "retryable, created_at, priority, failures, is_queued) VALUES (:id, 'train', 7, :state, 'done', "
                    "1, 1, 0, :no, :day, 0, 0, :no)"
                ),
                {"id": task_id, "state": state, "day": f"2026-01-0{day} 00:00:00+00:00", "no": False},
            )
        connection.execute(
            text(
                "INSERT INTO evaluations (experiment_id, split, accuracy, metrics) VALUES (7, 'eval', 0.5, '{}'), "
                "(7, 'test', 0.9, '{}')"
            )
        )
    engine.dispose()
    with open_database(database_url).write() as session:
        assert summary(session) == ("SUCCESS", 0.5, None, "ada", None, "t2")


@pytest.fixture
def many(database: Database) -> Database:
    """160 experiments of three accounts, with ties and gaps in every column, and some shares."""
    random_ = random.Random(0)
    with database.write() as session:
        for number in range(160):
            owner = random_.choice(["ada", "ada", "bob", None])
            created_at = BEGAN + timedelta(minutes=number // 2)
            dataset = random_.choice([None, "甲", "乙@1", "reviews@2"])
            experiment_id, task_id = add(
                session,
                f"run-{random_.randrange(10**6)}-{number}",
                owner=owner,
                created_at=created_at,
                data_name=dataset,
                base_model=random_.choice(["minilm", "roberta-base"]),
            )
            if random_.random() < 0.7:
                metrics.put_evaluation(session, experiment_id, "eval", {"accuracy": random_.randrange(20) / 20})
                tasks.claim(session, task_id, token="mine", pid=1, hostname="here")
                tasks.finish(session, task_id, "mine", random_.choice([TaskState.SUCCESS, TaskState.FAILURE]))
            if owner == "bob" and random_.random() < 0.3:
                name = session.get_one(ExperimentSummaryRow, experiment_id).name
                shares.add(session, "experiment", name, random_.choice(["ada", "*"]), "bob")
    return database


WAYS = {
    "collected": {"MAX_COUNTED": 10_000, "MAX_COLLECTED": 5_000, "MAX_WALKED": 2_000},
    "walked": {"MAX_COUNTED": 30, "MAX_COLLECTED": 5, "MAX_WALKED": 1_000},
    "walked a little, then read": {"MAX_COUNTED": 30, "MAX_COLLECTED": 5, "MAX_WALKED": 7},
}
CONDITIONS = [
    None,
    "accuracy > 0.5",
    "accuracy > 0.9 and state = SUCCESS",
    "accuracy <= 0.1 or dataset = '甲'",
    "not (state = PENDING) and base_model = minilm and name ~ '1'",
    "state = REVOKED",
    "created_at < 2026-01-01T01:00:00 and accuracy >= 0.3",
]
ORDERS = ["-created_at", "created_at", "accuracy", "-accuracy", "state,-accuracy", "-dataset,name", "-name"]


@pytest.mark.parametrize("way", WAYS)
def test_pages_are_the_whole_list_cut_in_pieces(many: Database, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WAYS[way].items():
        monkeypatch.setattr(keyset, name, value)
    with many.read() as session:
        for number, where in enumerate(CONDITIONS):
            for order in (*ORDERS, *ORDERS)[number : number + 4]:
                for username in (None, "ada"):
                    check_pages(session, where, order, username, exact_total=way == "collected")


def check_pages(session: Session, where: str | None, order: str, username: str | None, *, exact_total: bool) -> None:
    condition, sort = parse_filter(where) if where else None, parse_sort(order)
    readable = set(session.scalars(shares.shared_names("experiment", "ada"))) if username else set()
    expected = [
        one.name
        for one in experiments.find(session, condition, sort)
        if username is None or one.owner == username or one.name in readable
    ]
    seen: list[str] = []
    after = None
    for _ in range(max(1, -(-len(expected) // 23))):
        page = experiments.page(session, condition, sort, after=after, limit=23, readable_by=username)
        seen += [one.name for one in page.items]
        assert page.total == len(expected) if exact_total else page.total in (None, len(expected))
        after = page.last
        assert after is None or [type(value) for value in after if value is not None] == [
            kind for kind, value in zip(experiments.sort_kinds(sort), after, strict=True) if value is not None
        ]
    assert (seen, after) == (expected, None), (where, order, username)


def test_tasks_are_paged_by_owner_state_and_kind(many: Database) -> None:
    with many.write() as session:
        for _ in range(5):
            tasks.create(session, TaskKind.PLAN, "ada")
    with many.read() as session:
        every = session.query(TaskRow).order_by(TaskRow.created_at.desc(), TaskRow.id.desc()).all()
        for owner, states, kind in (
            (None, [], None),
            ("ada", [], None),
            ("ada", [TaskState.SUCCESS, TaskState.FAILURE], TaskKind.TRAIN),
            (None, [TaskState.PENDING], TaskKind.PLAN),
        ):
            expected = [
                task.id
                for task in every
                if owner in (None, task.owner) and (not states or task.state in states) and kind in (None, task.kind)
            ]
            seen: list[str] = []
            after = None
            for _ in range(max(1, -(-len(expected) // 31))):
                page = task_lists.page(session, owner=owner, states=states, kind=kind, after=after, limit=31)
                seen, after = seen + [record.task.id for record in page.items], page.last
                assert page.total == len(expected)
            assert (seen, after) == (expected, None)
