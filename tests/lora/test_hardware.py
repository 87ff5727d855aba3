"""What the machine is, and the probe that chooses a precision."""

import json
from pathlib import Path

import pytest
import torch

from app.domain.errors import ConfigError
from app.lora import hardware


def test_a_device_that_is_not_there_is_refused_with_what_is() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the device whose absence is tested")
    with pytest.raises(ConfigError, match="has no 'cuda'") as caught:
        hardware.choose_device("cuda")
    assert "cpu" in caught.value.hint


def test_the_probe_measures_once_and_leaves_the_generator_alone(tmp_path: Path) -> None:
    state = torch.get_rng_state()
    first = hardware.detect("cpu", 32, tmp_path, probe=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.step_seconds["fp32"] > 0
    (cache,) = tmp_path.iterdir()
    content = json.loads(cache.read_text(encoding="utf-8"))
    cache.write_text(json.dumps({**content, "step_seconds": {"fp32": 123.0}}), encoding="utf-8")
    assert hardware.detect("cpu", 32, tmp_path, probe=True).step_seconds == {"fp32": 123.0}


@pytest.mark.parametrize("content", ["{", "[]", '{"step_seconds": {"fp32": "fast"}}', "{}"])
def test_a_damaged_cache_is_measured_anew(content: str, tmp_path: Path) -> None:
    hardware.detect("cpu", 32, tmp_path, probe=True)
    (cache,) = tmp_path.iterdir()
    cache.write_text(content, encoding="utf-8")
    assert hardware.detect("cpu", 32, tmp_path, probe=True).step_seconds["fp32"] > 0


def test_without_a_probe_nothing_is_measured(tmp_path: Path) -> None:
    assert hardware.detect("cpu", 32, tmp_path, probe=False).step_seconds == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "cpus"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", None), ("", None)]
)
def test_the_quota_of_a_container_is_whole_cpus(content: str, cpus: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(content, encoding="ascii")
    assert hardware._container_quota(tmp_path / "cpu.max") == cpus
