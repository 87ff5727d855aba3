"""Settings that reach deep into the engine take effect, and the saved model is still the evaluated one."""

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.events import EvalLogged, StepLogged
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.runs.files import read_json
from app.runs.receipt import read_receipt

Finish = Callable[[RunDirectory], int]
STEPS = {"max_steps": 6, "per_device_train_batch_size": 8, "learning_rate": 5e-3}


@pytest.mark.parametrize(
    ("variant", "recorded"),
    [
        ("rslora", {"use_rslora": True}),
        ("dora", {"use_dora": True}),
        ("pissa", {"init_lora_weights": "pissa"}),
        ("olora", {"init_lora_weights": "olora"}),
        ("orthogonal", {"init_lora_weights": "orthogonal"}),
    ],
)
def test_variants_of_lora_are_proven_too(
    variant: str, recorded: dict[str, Any], make_run: Callable[..., RunDirectory], finish: Finish, tiny_model: Any
) -> None:
    run = make_run("run", model={"name": str(tiny_model("bert"))}, lora={"variant": variant, "r": 4}, training=STEPS)
    assert finish(run) == 0, run.log.read_text(encoding="utf-8")[-2000:]
    assert read_receipt(run).proof.passed
    saved = read_json(run.final_model / "adapter_config.json")
    assert {name: saved[name] for name in recorded} == recorded


def test_accumulation_weights_schedule_and_patience_take_effect(
    make_run: Callable[..., RunDirectory], finish: Finish, tiny_model: Any
) -> None:
    run = make_run(
        "run",
        model={"name": str(tiny_model("bert"))},
        training={
            "max_steps": 60,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 3,
            "learning_rate": 1e-6,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 4,
            "label_weights": {"negative": 2.0},
            "early_stopping_patience": 2,
            "length_buckets": False,
            "fast_path": False,
        },
        checkpoints={"every": 5, "keep": ["last"], "metric": "accuracy"},
    )
    assert finish(run) == 0, run.log.read_text(encoding="utf-8")[-2000:]
    events = read_events(run.events)
    rates = [event.learning_rate for event in events if isinstance(event, StepLogged)]
    assert rates.index(max(rates)) == 4
    plan = read_json(run.plan)
    assert plan["label_weights"] == [2.0, 1.0]
    evaluated = [event.step for event in events if isinstance(event, EvalLogged)]
    assert evaluated[-1] < 60, "patience never ran out at a rate that learns nothing"
    assert '"code":"early_stop"' in run.events.read_text(encoding="utf-8")
    kept = [path.name for path in run.checkpoints.iterdir()]
    assert kept == [f"step-{evaluated[-1]:06d}"]
    assert read_json(run.metrics)["train"]["steps"] == evaluated[-1]


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"label_weights": {"postive": 2.0}}, "postive"),
        ({"precision": "fp16"}, "fp16 needs an NVIDIA GPU"),
        ({"report_to": ["wandb"]}, "wandb"),
    ],
)
def test_a_setting_that_cannot_take_effect_stops_the_run(
    training: dict[str, Any],
    words: str,
    make_run: Callable[..., RunDirectory],
    finish: Finish,
    tiny_model: Any,
) -> None:
    run = make_run("run", model={"name": str(tiny_model("bert"))}, training={**STEPS, **training})
    assert finish(run) == 1
    (last,) = [event for event in read_events(run.events) if event.type == "finished"]
    assert last.error_code == "config.invalid"
    assert words in (last.error_detail or "")
