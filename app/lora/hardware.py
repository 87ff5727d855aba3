"""What this machine is and what precision is fast on it; touches no random generator of a run."""

import os
import platform
import time
from contextlib import nullcontext
from pathlib import Path

import psutil
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from app.domain.errors import ConfigError, PlatformError
from app.domain.plan import Hardware
from app.runs.files import canonical_json, read_json, sha256_bytes, write_json

_PROBE_TOKENS = 1024
_PROBE_SECONDS = 0.5


def choose_device(asked: str) -> str:
    """`auto` takes CUDA, then MPS, then the CPU; ConfigError when the device asked for is not there."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if available[device])
    if not available[asked]:
        here = ", ".join(device for device, there in available.items() if there)
        raise ConfigError(f"training.device: this machine has no {asked!r}", hint=f"available here: {here}")
    return asked


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def device_name(device: str) -> str:
    """What people call the device."""
    if device == "cuda":
        return torch.cuda.get_device_name(0)
    return "Apple GPU" if device == "mps" else _cpu_name()


def _cores() -> int:
    """Physical cores this process may use, within the quota of its container."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed, _container_quota() or allowed))


def _container_quota(limits: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """Whole CPUs a control group (version 2) grants, or None where there is no limit."""
    try:
        quota, period = limits.read_text(encoding="ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None


def detect(asked_device: str, hidden_size: int, cache: Path, *, probe: bool) -> Hardware:
    """Describe the machine; with `probe`, with measured seconds a step in each precision (cached in `cache`)."""
    device = choose_device(asked_device)
    threads = _cores()
    memory = torch.cuda.mem_get_info()[1] if device == "cuda" else psutil.virtual_memory().total
    return Hardware(
        device=device,  # type: ignore[arg-type]
        device_name=device_name(device),
        num_threads=threads,
        memory_bytes=memory,
        step_seconds=_measured(device, hidden_size, threads, cache) if probe else {},
    )


def _measured(device: str, hidden_size: int, threads: int, cache: Path) -> dict[str, float]:
    """Probe once for each machine and size of model; a damaged cache is measured anew."""
    key = sha256_bytes(canonical_json([device, device_name(device), torch.__version__, threads, hidden_size]))[:16]
    path = cache / f"precision-{key}.json"
    if path.is_file():
        try:
            return {str(name): float(seconds) for name, seconds in read_json(path)["step_seconds"].items()}
        except (PlatformError, KeyError, TypeError, ValueError, AttributeError):
            path.unlink(missing_ok=True)
    torch.set_num_threads(threads)
    seconds = _probe_precisions(device, hidden_size)
    write_json(path, {"device": device_name(device), "torch": torch.__version__, "step_seconds": seconds})
    return seconds


class _Block(nn.Module):
    """The linear layers, norm and activation of one encoder layer, frozen as in LoRA training."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.attention = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(4))
        self.up, self.down = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for linear in self.attention:
            x = linear(x)
        normed: torch.Tensor = self.norm(x + self.down(F.gelu(self.up(x))))
        return normed


def _probe_precisions(device: str, hidden_size: int) -> dict[str, float]:
    """Seconds of the fastest forward and backward pass in fp32 and bf16, measured in turns: the least disturbed ones.

    A few seconds at most: where bf16 is emulated in software one small pass shows it, and the probe ends there.
    """
    with torch.random.fork_rng(devices=[0] if device == "cuda" else []):
        layers = nn.Sequential(_Block(hidden_size), _Block(hidden_size)).to(device)
        small, full = (torch.randn(rows, hidden_size).to(device).requires_grad_() for rows in (32, _PROBE_TOKENS))
        for dtype in (None, torch.bfloat16):  # warm-up
            _pass_seconds(layers, small, dtype)
        if device == "mps" or _pass_seconds(layers, small, torch.bfloat16) > 4 * _pass_seconds(layers, small, None):
            return {"fp32": _pass_seconds(layers, full, None)}
        times: dict[str, list[float]] = {"fp32": [], "bf16": []}
        deadline = time.perf_counter() + _PROBE_SECONDS
        while len(times["bf16"]) < 3 or (time.perf_counter() < deadline and len(times["bf16"]) < 50):
            times["fp32"].append(_pass_seconds(layers, full, None))
            times["bf16"].append(_pass_seconds(layers, full, torch.bfloat16))
    return {name: min(seconds) for name, seconds in times.items()}


def _pass_seconds(layers: nn.Module, x: torch.Tensor, dtype: torch.dtype | None) -> float:
    start = time.perf_counter()
    with torch.autocast(x.device.type, dtype=dtype) if dtype else nullcontext():
        loss = layers(x).float().square().mean()
    loss.backward()
    if x.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
