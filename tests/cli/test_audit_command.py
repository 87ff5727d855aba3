"""`finetune audit`: what happened here, whether the record is whole, and a copy of it."""

import csv
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.db.repositories import experiments, tasks
from app.db.session import open_database
from app.domain.task import TaskState
from app.services.audit_verification import CHUNK
from app.services.auditing import AuditLog
from app.services.secrets import load_audit_key
from app.services.terminal import local_caller
from app.settings import get_settings
from tests.audit.events import past_the_triggers
from tests.checkpoints import checkpointed_run
from tests.cli.conftest import Answer

Finetune = Callable[..., Answer]


@pytest.fixture
def audit() -> AuditLog:
    """The log of this installation, with four events."""
    settings = get_settings()
    log = AuditLog(open_database(settings.effective_database_url), load_audit_key(settings), settings.results_dir)
    for name in ("reviews", "news", "=1+1", "reviews"):
        log.append_now(local_caller(), "dataset.create", f"dataset:{name}", details={"rows": 3, "name": name})
    return log


def test_verify_says_that_a_whole_log_is_whole_and_names_its_head(finetune: Finetune, audit: AuditLog) -> None:
    answer = finetune("audit", "verify")
    assert answer.status == 0
    first, head = answer.out.splitlines()
    assert first == "4 events and 1 checkpoints are as they were recorded"
    assert head.startswith("head 4:")
    audit.append_now(local_caller(), "a.b", "c:d")
    assert finetune("audit", "verify", "--expect", head.removeprefix("head ")).status == 0
    assert finetune("audit", "verify", "--expect", "3:" + head[-64:]).out.startswith("first bad id: 3\n")


def test_verify_exits_1_and_prints_the_first_bad_id(finetune: Finetune, audit: AuditLog) -> None:
    edit, cut = "UPDATE audit_events SET actor = 'eve' WHERE id = 3", "DELETE FROM audit_events WHERE id = 4"
    past_the_triggers(audit.database, edit, cut)
    answer = finetune("audit", "verify")
    assert answer.status == 1
    assert answer.out.startswith("first bad id: 3\nevent 3 was changed")
    answer = finetune("audit", "verify", "--json")
    found = json.loads(answer.out)
    assert (answer.status, found["ok"], found["first_bad_id"], found["events"]) == (1, False, 3, 2)


def test_verify_does_not_write(finetune: Finetune, audit: AuditLog) -> None:
    assert [finetune("audit", "verify").out.splitlines()[0] for _ in range(2)] == [
        "4 events and 1 checkpoints are as they were recorded"
    ] * 2


def test_a_checkpoint_on_demand_is_one_that_verify_expects(finetune: Finetune, audit: AuditLog) -> None:
    made = finetune("audit", "checkpoint").out.strip()
    assert made.startswith("4:")
    assert finetune("audit", "verify", "--expect", made).out.startswith("4 events and 2 checkpoints")
    assert json.loads(finetune("audit", "checkpoint", "--json").out)["id"] == 4


@pytest.mark.parametrize("wrong", ["", "4", "x:" + "0" * 64, "4:abc"])
def test_what_verify_is_to_expect_must_be_readable(finetune: Finetune, audit: AuditLog, wrong: str) -> None:
    assert finetune("audit", "verify", "--expect", wrong).status == 2


def test_list_is_newest_first_filtered_and_recorded_itself(finetune: Finetune, audit: AuditLog) -> None:
    found = json.loads(finetune("audit", "list", "--json").out)
    assert [event["id"] for event in found] == [4, 3, 2, 1]
    found = json.loads(finetune("audit", "list", "--json", "--resource", "dataset:reviews", "--limit", "1").out)
    assert [event["id"] for event in found] == [4]
    found = json.loads(finetune("audit", "list", "--json", "--action", "audit.*").out)
    assert [(event["action"], event["actor"]) for event in found] == [("audit.read", local_caller().actor)] * 2
    assert "dataset:news" in finetune("audit", "list").out
    assert finetune("audit", "list", "--since", "2999-01-01").out == "no event matches\n"
    assert json.loads(finetune("audit", "list", "--json", "--until", "2020-01-01T00:00:00+02:00").out) == []


@pytest.mark.parametrize(
    "words", [("--since", "soon"), ("--outcome", "maybe"), ("--since", "2026-02-01", "--until", "2026-01-01")]
)
def test_a_filter_that_means_nothing_is_refused(finetune: Finetune, audit: AuditLog, words: tuple[str, ...]) -> None:
    answer = finetune("audit", "list", *words)
    assert (answer.status, answer.out) == (2, "")


def test_export_gives_every_event_with_its_hashes_as_lines(finetune: Finetune, audit: AuditLog, tmp_path: Path) -> None:
    for number in range(CHUNK):
        audit.append_now(local_caller(), "a.b", f"c:{number}")
    out = tmp_path / "new" / "audit.jsonl"
    assert finetune("audit", "export", "--out", str(out)).out == f"{CHUNK + 5} events are in {out}\n"
    events = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [event["id"] for event in events] == list(range(1, CHUNK + 6))
    assert all(later["previous_hash"] == earlier["hash"] for earlier, later in itertools.pairwise(events))
    assert events[0]["details"] == {"rows": 3, "name": "reviews"}
    assert events[-1]["action"] == "audit.export"


def test_export_writes_no_formula_into_a_table(finetune: Finetune, audit: AuditLog, tmp_path: Path) -> None:
    audit.append_now(local_caller(), "a.b", "=HYPERLINK(1)")
    out = tmp_path / "audit.csv"
    assert finetune("audit", "export", "--out", str(out)).out == f"6 events are in {out}\n"
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[4]["resource"] == "'=HYPERLINK(1)"
    assert json.loads(rows[0]["details"]) == {"rows": 3, "name": "reviews"}


def test_export_to_stdout_and_by_time(finetune: Finetune, audit: AuditLog) -> None:
    lines = finetune("audit", "export", "--out", "-", "--until", "2999-01-01", "--resource", "dataset:news").out
    assert [json.loads(line)["id"] for line in lines.splitlines()] == [2]


def test_export_neither_replaces_a_file_nor_guesses_a_format(
    finetune: Finetune, audit: AuditLog, tmp_path: Path
) -> None:
    out = tmp_path / "audit.jsonl"
    out.write_text("mine")
    assert finetune("audit", "export", "--out", str(out)).status == 1
    assert out.read_text() == "mine"
    assert finetune("audit", "export", "--out", str(tmp_path / "audit.xlsx")).status == 2
    assert [path.name for path in tmp_path.glob("*audit*")] == ["audit.jsonl"]


def test_a_log_with_a_forged_head_can_still_be_exported_but_not_listed_unrecorded(
    finetune: Finetune, audit: AuditLog
) -> None:
    past_the_triggers(audit.database, "UPDATE audit_head SET signature = 'ff'")
    assert finetune("audit", "list").status == 1
    assert len(finetune("audit", "export", "--out", "-").out.splitlines()) == 4


def test_reseal_lets_a_damaged_log_go_on(finetune: Finetune, audit: AuditLog) -> None:
    assert finetune("audit", "reseal", "--reason", "nothing").status == 1
    past_the_triggers(audit.database, "UPDATE audit_events SET actor = 'eve' WHERE id = 3")
    assert finetune("audit", "verify").status == 1
    assert finetune("audit", "reseal").status == 2
    assert finetune("audit", "reseal", "--reason", "a test of the tools").out.startswith("1 faults are accepted")
    answer = finetune("audit", "verify")
    assert answer.status == 0
    assert "but for 1 faults that were accepted" in answer.out
    assert json.loads(finetune("audit", "verify", "--json").out)["accepted"][0]["id"] == 3


def add_run(audit: AuditLog, name: str) -> Path:
    """A finished run that is nobody's; its directory."""
    directory = get_settings().results_dir / name
    directory.mkdir(parents=True)
    values = {"experiment_name": name, "config": {}, "base_model": "minilm", "seed": 1, "run_dir": name}
    with audit.database.write() as session:
        _, task_id = experiments.create(session, name=name, **values)
        tasks.claim(session, task_id, token="t", pid=1, hostname="here")
        tasks.finish(session, task_id, "t", TaskState.SUCCESS)
    return directory


def test_what_is_assigned_and_deleted_at_a_terminal_is_recorded(finetune: Finetune, audit: AuditLog) -> None:
    directory = add_run(audit, "reviews-001")
    assert finetune("experiments", "assign", "reviews-001", "ada").status == 0
    assert finetune("experiments", "delete", "reviews-001", "--yes").status == 0
    assert not directory.exists()
    found = json.loads(finetune("audit", "list", "--json", "--resource", "experiment:reviews-001").out)
    assert [(event["action"], event["actor"], event["details"]) for event in found] == [
        ("experiment.delete", local_caller().actor, {"owner": "ada"}),
        ("experiment.assign", local_caller().actor, {"from": None, "to": "ada"}),
    ]


def test_nothing_is_deleted_at_a_terminal_where_it_cannot_be_recorded(finetune: Finetune, audit: AuditLog) -> None:
    directory = add_run(audit, "reviews-001")
    past_the_triggers(audit.database, "UPDATE audit_head SET signature = 'ff'")
    answer = finetune("experiments", "delete", "reviews-001", "--yes")
    assert (answer.status, "audit verify" in answer.err) == (1, True)
    assert directory.exists()
    assert finetune("experiments", "show", "reviews-001").status == 0


def made_at_a_terminal(finetune: Finetune, resource: str) -> list[tuple[str, str, dict[str, object]]]:
    found = json.loads(finetune("audit", "list", "--json", "--resource", resource).out)
    assert {event["actor"] for event in found} <= {local_caller().actor}
    return [(event["action"], event["outcome"], event["details"]) for event in reversed(found)]


def test_data_that_is_stored_and_removed_at_a_terminal_is_recorded_before_and_after(
    finetune: Finetune, reviews: Path
) -> None:
    assert finetune("data", "add", str(reviews), "--name", "reviews").status == 0
    assert finetune("data", "remove", "reviews@1").status == 0
    assert finetune("data", "remove", "reviews@1").status != 0
    assert finetune("data", "gc", "--grace-minutes", "0", "--dry-run").status == 0
    assert finetune("data", "gc", "--grace-minutes", "0").status == 0
    files = {"files": {"train": "reviews.csv"}}
    assert made_at_a_terminal(finetune, "dataset:reviews") == [
        ("dataset.create", "started", files),
        ("dataset.create", "success", files),
    ]
    assert made_at_a_terminal(finetune, "dataset:reviews@1") == [
        ("dataset.delete", outcome, {}) for outcome in ("started", "success", "started", "failed")
    ]
    freed = [event for event in made_at_a_terminal(finetune, "dataset:*") if event[0] == "dataset.free"]
    assert [event[1] for event in freed] == ["started", "success"]
    assert all(len(event[2]["versions"]) == 1 for event in freed)


def test_a_run_that_is_taken_in_and_checkpoints_that_are_removed_at_a_terminal_are_recorded(
    finetune: Finetune, tmp_path: Path
) -> None:
    checkpointed_run(tmp_path / "elsewhere" / "mine")
    assert finetune("experiments", "import", str(tmp_path / "elsewhere" / "mine")).status == 0
    assert finetune("checkpoints", "prune", "mine").status == 0
    assert finetune("checkpoints", "prune", "mine", "--yes").status == 0
    assert finetune("checkpoints", "prune", "mine", "--yes").status == 0
    [*imported, started, done] = made_at_a_terminal(finetune, "experiment:mine")
    assert imported == [("experiment.import", outcome, {}) for outcome in ("started", "success")]
    assert (started[:2], done[:2]) == (("checkpoint.prune", "started"), ("checkpoint.prune", "success"))
    assert started[2] == done[2]
    assert started[2]["steps"] == [10]


@pytest.mark.parametrize(
    "words", ["data add FILE --name reviews", "experiments import RUN", "checkpoints prune here --yes"]
)
def test_nothing_is_changed_at_a_terminal_where_that_cannot_be_recorded(
    finetune: Finetune, audit: AuditLog, reviews: Path, tmp_path: Path, words: str
) -> None:
    checkpointed_run(get_settings().results_dir / "here")
    checkpointed_run(tmp_path / "mine")
    assert finetune("experiments", "import", str(get_settings().results_dir / "here")).status == 0
    past_the_triggers(audit.database, "UPDATE audit_head SET signature = 'ff'")
    names = {"FILE": str(reviews), "RUN": str(tmp_path / "mine")}
    answer = finetune(*(names.get(word, word) for word in words.split()))
    assert (answer.status, "audit verify" in answer.err) == (1, True)
    assert finetune("data", "list").out.startswith("no data sets yet")
    assert finetune("experiments", "show", "mine").status != 0
    assert len(json.loads(finetune("checkpoints", "list", "here", "--json").out)) == 4
