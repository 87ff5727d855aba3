"""Every `auto` is resolved by arithmetic alone, with its reason; what was asked for stands."""

from typing import Any

import pytest

from app.domain.errors import ConfigError
from app.domain.plan import BaseModelFacts, DatasetProfile, Hardware, TokenFacts, TrainingPlan, make_plan
from app.domain.train_config import TrainConfig

BASE = BaseModelFacts(
    name="minilm",
    hub_id="hub/minilm",
    language="English",
    architecture="BertForSequenceClassification",
    fingerprint="0" * 64,
    max_positions=512,
    hidden_size=384,
    encoder_linears=["attention.self.query", "output.dense"],
    head_modules=["classifier"],
)


def _plan(
    config: dict[str, Any] | None = None,
    *,
    num_train: int = 1000,
    num_eval: int = 100,
    labels: int = 2,
    tokens: tuple[int, int] = (50, 60),
    step_seconds: dict[str, float] | None = None,
    device: str = "cpu",
) -> TrainingPlan:
    names = [f"label {index}" for index in range(labels)]
    counts = [num_train // labels] * labels
    data = DatasetProfile(
        version="v",
        labels=names,
        train_label_counts=counts,
        num_train=num_train,
        num_eval=num_eval,
        num_test=0,
        tokens=TokenFacts(mean=20, p50=20, p99=tokens[0], longest=tokens[1]),
    )
    hardware = Hardware(
        device=device, device_name="a machine", num_threads=2, memory_bytes=2**33, step_seconds=step_seconds or {}
    )
    return make_plan(TrainConfig.model_validate(config or {}), data, BASE, hardware)


def test_every_auto_is_resolved_with_a_reason() -> None:
    plan = _plan()
    autos = {
        "model.max_length",
        "lora.target_modules",
        "lora.modules_to_save",
        "training.device",
        "training.precision",
        "training.num_threads",
        "training.per_device_train_batch_size",
        "training.per_device_eval_batch_size",
        "training.learning_rate",
        "training.num_train_epochs",
        "checkpoints.every",
    }
    assert {decision.key for decision in plan.decisions} == autos
    assert all(decision.reason and decision.value != "auto" for decision in plan.decisions)


def test_what_was_asked_for_is_no_decision() -> None:
    asked = {"training": {"learning_rate": 3e-4, "per_device_train_batch_size": 7, "num_train_epochs": 2.5}}
    plan = _plan(asked, num_train=70)
    assert (plan.learning_rate, plan.train_batch_size, plan.total_steps) == (3e-4, 7, 25)
    assert "training.learning_rate" not in {decision.key for decision in plan.decisions}


@pytest.mark.parametrize(
    ("p99", "longest", "expected"), [(20, 22, 32), (50, 60, 64), (50, 5000, 56), (900, 2000, 512), (100, 140, 144)]
)
def test_max_length_holds_nearly_all_texts(p99: int, longest: int, expected: int) -> None:
    assert _plan(tokens=(p99, longest)).max_length == expected


@pytest.mark.parametrize(
    ("seconds", "device", "expected"),
    [
        ({"fp32": 1.0, "bf16": 0.5}, "cpu", "bf16"),
        ({"fp32": 1.0, "bf16": 0.9}, "cpu", "fp32"),
        ({"fp32": 1.0, "bf16": 9.0}, "cpu", "fp32"),
        ({"fp32": 1.0}, "mps", "fp32"),
        ({}, "cpu", "fp32"),
    ],
)
def test_bf16_is_taken_only_where_it_was_measured_to_be_faster(
    seconds: dict[str, float], device: str, expected: str
) -> None:
    assert _plan(step_seconds=seconds, device=device).precision == expected


def test_fp16_without_a_gpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs an NVIDIA GPU"):
        _plan({"training": {"precision": "fp16"}})


@pytest.mark.parametrize(("asked", "expected"), [(10, 10), ("epoch", 32), ("0.5 epochs", 16), (10**6, 96)])
def test_evaluations_every_so_many_steps_or_epochs(asked: object, expected: int) -> None:
    plan = _plan(
        {"checkpoints": {"every": asked}, "training": {"num_train_epochs": 3, "per_device_train_batch_size": 32}}
    )
    assert plan.total_steps == 96
    assert plan.eval_every == expected


def test_evaluations_take_about_a_tenth_of_the_time() -> None:
    few = _plan({"training": {"num_train_epochs": 3}}, num_train=6920, num_eval=872)
    many = _plan({"training": {"num_train_epochs": 3}}, num_train=6920, num_eval=100)
    assert round(few.total_steps / few.eval_every) == 7
    assert round(many.total_steps / many.eval_every) == 12


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model": {"max_length": 4096}}, "more than minilm can read"),
        ({"training": {"max_steps": 5, "warmup_steps": 50}}, "not below the 5 steps"),
    ],
)
def test_what_cannot_take_effect_is_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _plan(config)


def test_warm_up_is_a_share_below_one_and_steps_from_one_on() -> None:
    assert _plan({"training": {"max_steps": 200, "warmup_steps": 0.06}}).warmup_steps == 12
    assert _plan({"training": {"max_steps": 200, "warmup_steps": 5}}).warmup_steps == 5


def test_accumulation_makes_fewer_optimizer_steps() -> None:
    training = {"num_train_epochs": 2, "per_device_train_batch_size": 10, "gradient_accumulation_steps": 4}
    assert _plan({"training": training}).total_steps == 50


def test_balanced_weights_are_inverse_to_frequency() -> None:
    plan = _plan({"training": {"label_weights": "balanced"}}, labels=4)
    assert plan.label_weights == [1.0] * 4


def test_a_weight_for_a_label_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="label 7"):
        _plan({"training": {"label_weights": {"label 7": 2.0}}})


def test_a_plan_survives_json() -> None:
    plan = _plan()
    assert TrainingPlan.model_validate_json(plan.model_dump_json()) == plan
