"""`finetune experiments`, `config` and `checkpoints`, as typed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Finetune = Callable[..., Any]


@pytest.fixture
def trained(finetune: Finetune, reviews: Path) -> Finetune:
    """A `finetune` that has trained `good` and failed at `bad`."""
    finetune("train", "--data", str(reviews), "--name", "good")
    finetune("train", "--data", str(reviews), "--name", "bad", "--set", "lora.r=4", engine="fail")
    return finetune


def test_an_empty_installation_says_how_to_begin(finetune: Finetune) -> None:
    assert "finetune train" in finetune("experiments", "list").out


def test_a_list_is_a_table_for_people_and_json_for_programs(trained: Finetune) -> None:
    shown = trained("experiments", "list").out
    assert "75.0 %" in shown
    assert "FAILURE (run.diverged)" in shown
    found = json.loads(trained("experiments", "list", "--where", "accuracy > 0.5", "--json").out)
    assert [one["name"] for one in found] == ["good"]


def test_a_condition_with_an_unknown_column_names_those_there_are(finetune: Finetune) -> None:
    answer = finetune("experiments", "list", "--where", "acc > 0.5")
    assert answer.status == 2
    assert "columns are name, experiment, state, accuracy" in answer.err


@pytest.mark.parametrize(
    "words", [("--sort", ""), ("--sort", "--accuracy"), ("--where", ""), ("--limit", "99999999999999999999")]
)
def test_an_order_or_limit_that_means_nothing_is_refused(finetune: Finetune, words: tuple[str, ...]) -> None:
    answer = finetune("experiments", "list", *words)
    assert answer.status == 2
    assert "Traceback" not in answer.err


def test_a_list_without_a_match_says_so(finetune: Finetune) -> None:
    assert finetune("experiments", "list", "--where", "accuracy > 0.5").out == "no run matches\n"


def test_a_run_is_not_compared_with_itself(finetune: Finetune) -> None:
    answer = finetune("experiments", "compare", "good", "good")
    assert answer.status == 2
    assert "two different runs" in answer.err


def test_one_run_is_shown_in_full(trained: Finetune) -> None:
    assert "run.diverged" in trained("experiments", "show", "bad").out
    found = json.loads(trained("experiments", "show", "good", "--json").out)
    assert (found["config"]["lora"]["r"], found["lineage"]["seed"]) == (8, 42)
    assert len(found["lineage"]["data_version"]) == 64


def test_differences_are_shown_side_by_side(trained: Finetune) -> None:
    found = json.loads(trained("experiments", "compare", "good", "bad", "--json").out)
    assert found["config"] == {"lora.r": [8, 4]}
    assert "lora.r" in trained("experiments", "compare", "good", "bad").out
    assert trained("experiments", "compare", "good").status == 2


def test_curves_are_analysed(trained: Finetune, tmp_path: Path) -> None:
    answer = trained("experiments", "analyze", "good", "--json", "--png", str(tmp_path / "curves.png"))
    assert json.loads(answer.out)[0]["best_step"] == 2
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_exported_to_stdout_or_a_file(trained: Finetune, tmp_path: Path) -> None:
    assert json.loads(trained("experiments", "export", "good", "--out", "-").out)["name"] == "good"
    assert trained("experiments", "export", "good", "--out", str(tmp_path / "good.tar.gz")).status == 0
    assert trained("experiments", "export", "good", "--out", str(tmp_path / "good.tar.gz")).status == 1
    assert trained("experiments", "export", "good", "--out", str(tmp_path / "good.doc")).status == 2


def test_a_changed_file_fails_verification(trained: Finetune, tmp_path: Path) -> None:
    run = tmp_path / "results" / "good"
    receipt = json.loads((run / "receipt.json").read_text())
    (run / "receipt.json").write_text(json.dumps({**receipt, "files": {"config.yaml": "0" * 64}}))
    answer = trained("experiments", "verify", "good")
    assert answer.status == 1
    assert "config.yaml" in answer.out + answer.err


def test_deleting_takes_two_steps(trained: Finetune, tmp_path: Path) -> None:
    assert "--yes" in trained("experiments", "delete", "bad").out
    assert (tmp_path / "results" / "bad").is_dir()
    assert trained("experiments", "delete", "bad", "--yes").status == 0
    assert not (tmp_path / "results" / "bad").exists()
    answer = trained("experiments", "show", "bad")
    assert (answer.status, answer.err.splitlines()[0]) == (2, "error: there is no run 'bad'")


def test_the_newest_log_is_printed(trained: Finetune, tmp_path: Path) -> None:
    (tmp_path / "results" / "bad" / "logs.txt").write_text("步驟 3\n", encoding="utf-8")
    assert trained("experiments", "logs").out == "步驟 3\n"


def test_a_run_without_checkpoints_has_an_empty_list(trained: Finetune) -> None:
    assert json.loads(trained("checkpoints", "list", "good", "--json").out) == []
    assert "nothing to remove" in trained("checkpoints", "prune", "good").out


def test_a_configuration_is_shown_with_its_defaults(finetune: Finetune, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("lora: {r: 4}\n")
    found = json.loads(finetune("config", "show", str(path), "--set", "training.seed=7", "--json").out)
    assert (found["lora"]["r"], found["training"]["seed"], found["lora"]["lora_alpha"]) == (4, 7, 16)
    assert "lora_alpha: 16" in finetune("config", "show", str(path)).out


def test_a_wrong_configuration_is_wrong_usage(finetune: Finetune, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("lora: {rank: 4}\nlorra: {}\n")
    answer = finetune("config", "show", str(path))
    assert answer.status == 2
    assert f"{path}:1: lora.rank: unknown key; did you mean lora.r?" in answer.err
    assert "did you mean lora?" in answer.err


def test_a_configuration_that_is_a_directory_is_refused_with_a_hint(finetune: Finetune, tmp_path: Path) -> None:
    answer = finetune("config", "show", str(tmp_path))
    assert answer.status == 2
    assert "hint: name a YAML file" in answer.err


def test_the_schema_lists_every_key(finetune: Finetune) -> None:
    assert "training.learning_rate" in finetune("config", "schema").out
    assert json.loads(finetune("config", "schema", "--json").out)["title"] == "TrainConfig"
