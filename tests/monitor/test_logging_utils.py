"""Log lines and events in words."""

import io
import logging
import re
from collections.abc import Iterator

import pytest

from app.domain.events import EvalLogged, RunFinished, StepLogged, SystemSampled
from app.domain.task import TaskState
from app.monitor.logging_utils import configure_logging, describe_event


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("app")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:], (root.level, ours.level) = handlers, levels


def test_a_line_has_a_utc_time_a_level_and_the_text_in_any_script() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    logging.getLogger("app").warning("資料 %s", "reviews.csv")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING 資料 reviews\.csv\n", stream.getvalue())


def test_configuring_twice_does_not_write_twice() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    configure_logging(stream)
    logging.getLogger("app").info("once")
    assert stream.getvalue().count("once") == 1


def test_of_other_packages_only_warnings_are_shown() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    logging.getLogger("httpx").info("a request")
    logging.getLogger("httpx").warning("a timeout")
    assert "a request" not in stream.getvalue()
    assert "a timeout" in stream.getvalue()


def test_events_are_told_in_one_line_each() -> None:
    step = StepLogged(
        step=3, total_steps=9, epoch=0.5, loss=0.25, learning_rate=1e-3,
        samples_per_second=1.0, tokens_per_second=1234.0, eta_seconds=75.0,
    )  # fmt: skip
    assert describe_event(step) == "step 3/9 epoch 0.50 loss 0.2500 learning rate 0.001 tokens/s 1,234 ETA 1 min 15 s"
    scored = EvalLogged(step=3, epoch=0.5, train_seconds=1.0, metrics={"accuracy": 0.875})
    assert describe_event(scored) == "evaluation after step 3: accuracy 0.875"
    failed = RunFinished(state=TaskState.FAILURE, error_code="run.diverged", error_detail="loss is nan")
    assert describe_event(failed) == "finished FAILURE: run.diverged: loss is nan"


def test_samples_of_the_machine_are_no_log_lines() -> None:
    assert describe_event(SystemSampled(cpu_percent=1.0, memory_bytes=1)) is None
