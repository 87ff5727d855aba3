"""`finetune plan`, here and on a server; what measures is a stand-in but for one test."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.task import TaskKind
from app.services import execution
from tests.cli.test_remote_train import Worker, there, worker  # noqa: F401 - fixtures

PLANNER = (sys.executable, str(Path(__file__).with_name("stand_in_planner.py")))
Finetune = Callable[..., Any]


@pytest.fixture
def planner(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`planner(mode)` says what the child does, here and at a worker's."""

    def be(mode: str) -> None:
        monkeypatch.setattr("app.services.planning.PLANNER", (*PLANNER, mode))
        monkeypatch.setitem(execution.CHILDREN, TaskKind.PLAN, (*PLANNER, mode))  # type: ignore[arg-type]

    be("succeed")
    return be


def test_a_plan_says_what_was_chosen_and_what_it_would_take(
    finetune: Finetune, planner: Any, reviews: Path, tmp_path: Path
) -> None:
    answer = finetune("plan", "--data", str(reviews), "--set", "lora.r=4")
    assert answer.status == 0, answer.err
    assert "2 labels (bad, good); rows: 54 to train on, 6 to evaluate on" in answer.out
    for word in ("learning_rate", "the default", "1,200", "0.0512 s", "1 min 15 s", "640 MB", "a CPU"):
        assert word in answer.out
    answer = finetune("plan", "--data", str(reviews), "--set", "lora.r=4", "--json")
    assert json.loads(answer.out)["plan"]["config"]["lora"]["r"] == 4
    assert "rows: 54 to train on" in answer.err
    assert list((tmp_path / "results" / "cache").glob("work-*")) == []
    assert json.loads(finetune("experiments", "list", "--json").out) == []


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("fail", "error: there is too little memory\n  hint: choose a smaller model\n"),
        ("vanish", "error: the planning process ended with status -9 and no word: Illegal instruction\n"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(
    finetune: Finetune, planner: Any, reviews: Path, mode: str, said: str
) -> None:
    planner(mode)
    answer = finetune("plan", "--data", str(reviews))
    assert (answer.status, answer.err) == (1, said)


def test_a_plan_of_a_server_is_the_same(
    finetune: Finetune,
    there: Finetune,  # noqa: F811
    worker: Worker,  # noqa: F811
    planner: Any,
    own_reviews: Any,
    api_server: Any,
) -> None:
    own_reviews(api_server.platform, "ada")
    here, over_http = finetune("plan", "--data", "reviews@1"), there("plan", "--data", "reviews@1")
    assert over_http.status == 0, over_http.err
    told = [line for line in over_http.out.splitlines() if not line.startswith("waiting for a worker")]
    assert told == here.out.splitlines()
    here, over_http = (run("plan", "--data", "reviews@1", "--json") for run in (finetune, there))
    assert json.loads(over_http.out) == json.loads(here.out)
    planner("fail")
    answer = there("plan", "--data", "reviews@1")
    assert answer.status == 1
    assert "there is too little memory" in answer.err


def test_a_plan_is_measured(finetune: Finetune, tiny_model: Callable[..., Path], reviews: Path) -> None:
    words = ("--base-model", str(tiny_model("bert")), "--set", "training.num_threads=1", "--json")
    answer = finetune("plan", "--data", str(reviews), *words)
    assert answer.status == 0, answer.err
    found = json.loads(answer.out)
    assert found["total_steps"] > 0
    assert found["seconds_a_step"] > 0
    assert found["estimated_memory_bytes"] > 10**7
