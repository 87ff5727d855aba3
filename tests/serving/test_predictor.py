"""A served model is the evaluated one."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from app.domain.errors import StorageError
from app.runs.directory import RunDirectory
from app.serving.predictor import Predictor, load_run


def test_answers_are_those_of_the_evaluation(finished_run: RunDirectory, predictor: Predictor) -> None:
    table = pq.read_table(finished_run.evaluation / "predictions.parquet")
    answers = predictor.predict(table["text"].to_pylist())
    assert [a.label_name for a in answers] == table["predicted"].to_pylist()
    np.testing.assert_allclose([a.probability for a in answers], table["probability"].to_numpy(), atol=1e-4)


def test_scores_are_probabilities_of_every_label(predictor: Predictor) -> None:
    (answer,) = predictor.predict(["a quiet place"])
    assert set(answer.scores) == {"negative", "positive"}
    assert sum(answer.scores.values()) == pytest.approx(1.0, abs=1e-5)
    assert answer.probability == max(answer.scores.values())
    assert predictor.labels[answer.label] == answer.label_name


def test_a_text_is_cut_as_in_training_and_says_so(predictor: Predictor) -> None:
    words = "good " * 1000
    long, short = predictor.predict([words, "good"])
    assert long.truncated
    assert not short.truncated
    assert predictor.predict([words + "and much more"])[0].scores == long.scores


def test_no_text_gives_no_answer(predictor: Predictor) -> None:
    assert predictor.predict([]) == []


def test_a_tampered_adapter_is_not_served(finished_run: RunDirectory, tmp_path: Path) -> None:
    shutil.copytree(finished_run.path, tmp_path / "tampered")
    run = RunDirectory(tmp_path / "tampered")
    (run.final_model / "load.json").write_text('{"id2label": {"0": "x"}, "max_length": 8}', encoding="utf-8")
    with pytest.raises(StorageError, match="not what the receipt says"):
        load_run(run)
