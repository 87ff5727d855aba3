"""From a labelled file to a proven adapter: every architecture, several numbers of labels, every file of a run."""

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.events import CheckpointSaved, EvalLogged, ParametersCounted, RunFinished, StageChanged
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.runs.files import read_json
from app.runs.receipt import changed_files, read_receipt
from tests.engine import trained

Finish = Callable[[RunDirectory], int]
STEPS = {"max_steps": 6, "per_device_train_batch_size": 8}


def _sample(source: Path, to: Path, per_label: int, *, text: str = "text", label: str = "category") -> Path:
    """The first rows of each label of a csv file."""
    seen: Counter[str] = Counter()
    with source.open(encoding="utf-8", newline="") as file, to.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "label"])
        for row in csv.DictReader(file):
            seen[row[label]] += 1
            if seen[row[label]] <= per_label:
                writer.writerow([row[text], row[label]])
    return to


def _emotion(assets: Path, to: Path) -> Path:
    lines = (assets / "data" / "emotion" / "val.txt").read_text(encoding="utf-8").splitlines()
    to.write_text("\n".join(lines[:301]) + "\n", encoding="utf-8")
    return to


def _data_of(architecture: str, assets: Path, repository: Path, tmp_path: Path) -> tuple[Path, int]:
    if architecture == "roberta":
        return _sample(assets / "data" / "banking77" / "train.csv", tmp_path / "bank.csv", 4), 77
    if architecture == "distilbert":
        return _emotion(assets, tmp_path / "emotion.txt"), 6
    name = "reviews_zh_tw.csv" if architecture == "bert-base-chinese" else "reviews_train.csv"
    return repository / "examples" / name, 2


@pytest.mark.parametrize("architecture", ["distilbert", "roberta", "albert", "bert-base-chinese"])
def test_each_architecture_trains_saves_reloads_and_is_proven(
    architecture: str,
    assets: Path,
    repository: Path,
    tmp_path: Path,
    tiny_model: Callable[..., Path],
    make_run: Callable[..., RunDirectory],
    finish: Finish,
) -> None:
    data, num_labels = _data_of(architecture, assets, repository, tmp_path)
    run = make_run("run", model={"name": str(tiny_model(architecture))}, data={"train": str(data)}, training=STEPS)
    assert finish(run) == 0, run.log.read_text(encoding="utf-8")[-2000:]
    receipt = read_receipt(run)
    assert receipt.proof.passed
    assert receipt.proof.label_agreement == 1.0
    assert receipt.proof.max_abs_logit_diff < 1e-4
    assert changed_files(run) == []
    load = read_json(run.final_model / "load.json")
    assert len(load["id2label"]) == num_labels

    from app.serving.predictor import load_run

    texts = ["a plain sentence", "字字句句", "x " * 500_000]
    answers = load_run(run).predict(texts)
    assert [a.label_name in load["label2id"] for a in answers] == [True] * 3
    assert [a.truncated for a in answers] == [False, False, True]


def test_a_run_trained_in_bf16_is_scored_and_proven_in_fp32(
    make_run: Callable[..., RunDirectory], finish: Finish
) -> None:
    run = make_run("run", training={"precision": "bf16", **STEPS})
    assert finish(run) == 0, run.log.read_text(encoding="utf-8")[-2000:]
    assert read_json(run.metrics)["train"]["precision"] == "bf16"
    assert read_receipt(run).proof.max_abs_logit_diff < 1e-4


@pytest.fixture(scope="module")
def minilm_run(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> RunDirectory:
    """One short run of the default model on the example reviews."""
    import yaml

    from app.runs.directory import create_run

    run = create_run(tmp_path_factory.mktemp("results"), "first")
    config = {
        "experiment_name": "first",
        "data": {
            "train": str(repository / "examples" / "reviews_train.csv"),
            "test": str(repository / "examples" / "reviews_test.csv"),
        },
        "training": {"max_steps": 12, "num_threads": 1},
        "checkpoints": {"every": 5},
    }
    run.config.write_text(yaml.safe_dump(config), encoding="utf-8")
    return trained(run)


def test_a_run_leaves_every_file_it_promises(minilm_run: RunDirectory) -> None:
    run = minilm_run
    for path in (run.config, run.plan, run.environment, run.data_report, run.events, run.metrics, run.receipt):
        assert path.is_file(), path
    for name in ("report.html", "evaluation.json", "confusion.png", "calibration.png", "predictions.parquet"):
        assert (run.evaluation / name).stat().st_size > 0, name
    saved = [event.path for event in read_events(run.events) if isinstance(event, CheckpointSaved)]
    assert saved[0] == "artifacts/checkpoints/step-000005"
    steps = sorted(path.name for path in run.checkpoints.iterdir())
    assert steps[-1] == "step-000012"
    assert set(read_json(run.metrics)) == {"eval", "test", "train"}
    promised = {"accuracy", "accuracy_ci95", "macro_f1", "majority_baseline", "loss"}
    assert promised <= set(read_json(run.metrics)["eval"])
    timing = {"steps", "runtime_seconds", "samples_per_second", "tokens_per_second", "peak_memory_bytes"}
    assert timing | {"cpu_percent_mean", "device", "precision"} <= set(read_json(run.metrics)["train"])
    assert set(read_json(run.receipt)) == {"run", "config_sha256", "data_version", "code_revision", "proof", "files"}


def test_events_tell_the_whole_story_in_order(minilm_run: RunDirectory) -> None:
    events = read_events(minilm_run.events)
    stages = [event.stage.value for event in events if isinstance(event, StageChanged)]
    assert stages == ["validating", "preparing", "training", "evaluating", "proving", "done"]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].state == "SUCCESS"
    evaluated = [event.step for event in events if isinstance(event, EvalLogged)]
    assert evaluated == [5, 10, 12]
    (table,) = [event for event in events if isinstance(event, ParametersCounted)]
    trained = {group["part"] for group in table.groups if group["trained"]}
    assert "head classifier" in trained
    assert 0 < table.trainable < table.total / 20


def test_the_adapter_names_the_hub_model_and_no_path_of_this_machine(minilm_run: RunDirectory) -> None:
    config = read_json(minilm_run.final_model / "adapter_config.json")
    assert config["base_model_name_or_path"] == "sentence-transformers/all-MiniLM-L6-v2"
    for path in minilm_run.final_model.glob("*.json"):
        assert str(minilm_run.results_dir) not in path.read_text(encoding="utf-8"), path


def test_the_script_beside_the_adapter_classifies_a_sentence(minilm_run: RunDirectory) -> None:
    from app.models.base_models import locate

    script = minilm_run.final_model / "predict.py"
    command = [sys.executable, str(script), "I loved it", str(locate("minilm").directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(("positive (", "negative ("))


def test_a_changed_adapter_fails_the_proof(minilm_run: RunDirectory, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from app.domain.errors import ProofFailed
    from app.models.base_models import locate
    from app.train.proof import prove

    shutil.copytree(minilm_run.path, tmp_path / "results" / "copy")
    copy = RunDirectory(tmp_path / "results" / "copy")
    weights = copy.final_model / "adapter_model.safetensors"
    state = load_file(weights)
    head = next(name for name in state if name.endswith("classifier.weight"))
    state[head] += 0.01
    save_file(state, weights, metadata={"format": "pt"})
    assert changed_files(copy) == ["artifacts/final_model/adapter_model.safetensors"]
    with pytest.raises(ProofFailed, match="largest logit difference"):
        prove(copy, locate("minilm").directory, num_threads=1)


def test_a_model_that_answers_no_number_fails_the_proof(minilm_run: RunDirectory, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from app.domain.errors import ProofFailed
    from app.models.base_models import locate
    from app.train.proof import prove

    shutil.copytree(minilm_run.path, tmp_path / "results" / "nan")
    copy = RunDirectory(tmp_path / "results" / "nan")
    weights = copy.final_model / "adapter_model.safetensors"
    state = load_file(weights)
    state[next(name for name in state if name.endswith("classifier.bias"))][1] = float("nan")
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(ProofFailed):
        prove(copy, locate("minilm").directory, num_threads=1)


def test_an_adapter_without_its_head_fails_the_proof(minilm_run: RunDirectory, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from app.domain.errors import ProofFailed
    from app.models.base_models import locate
    from app.train.proof import prove

    shutil.copytree(minilm_run.path, tmp_path / "results" / "headless")
    copy = RunDirectory(tmp_path / "results" / "headless")
    weights = copy.final_model / "adapter_model.safetensors"
    state = {name: tensor for name, tensor in load_file(weights).items() if "classifier" not in name}
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(ProofFailed):
        prove(copy, locate("minilm").directory, num_threads=1)


def test_the_same_plan_gives_the_same_adapter(minilm_run: RunDirectory, tmp_path: Path, start: Any) -> None:
    from app.runs.directory import create_run

    again = create_run(tmp_path / "results", "again")
    shutil.copy(minilm_run.config, again.config)
    shutil.copy(minilm_run.plan, again.plan)
    assert start(again).wait(timeout=300) == 0, again.log.read_text(encoding="utf-8")[-2000:]
    files = [read_receipt(run).files["artifacts/final_model/adapter_model.safetensors"] for run in (minilm_run, again)]
    assert files[0] == files[1]
    assert json.loads(again.plan.read_text(encoding="utf-8")) == json.loads(minilm_run.plan.read_text(encoding="utf-8"))
