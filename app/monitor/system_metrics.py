"""Readings of a process and its children: CPU, memory and, where a driver answers, the GPU. Never loads torch."""

import os
from typing import Any

import psutil

from app.domain.events import SystemSampled


class SystemSampler:
    """Samples one process tree; CPU percent is the mean since the previous sample, in percent of one core."""

    def __init__(self, process: psutil.Process | None = None) -> None:
        self._process = process or psutil.Process()
        self._gpu = _open_gpu()
        self._known: dict[int, psutil.Process] = {}
        self._measure()

    def sample(self) -> SystemSampled:
        """Read now; a process that ended meanwhile counts as nothing."""
        cpu_percent, memory_bytes = self._measure()
        gpu_percent, gpu_memory_bytes = self._gpu.read() if self._gpu else (None, None)
        return SystemSampled(
            cpu_percent=cpu_percent,
            memory_bytes=memory_bytes,
            gpu_percent=gpu_percent,
            gpu_memory_bytes=gpu_memory_bytes,
        )

    def _measure(self) -> tuple[float, int]:
        # Kept between samples: psutil measures CPU against the last call on the same object.
        self._known = {process.pid: self._known.get(process.pid, process) for process in self._tree()}
        cpu_percent, memory_bytes = 0.0, 0
        for process in self._known.values():
            try:
                cpu_percent += process.cpu_percent()
                memory_bytes += process.memory_info().rss
            except psutil.Error:
                continue
        return cpu_percent, memory_bytes

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.Error:
            return []


class _Gpu:
    """The first device this process may use, read through NVIDIA's management library."""

    def __init__(self, library: Any, handle: Any) -> None:
        self._library, self._handle = library, handle

    def read(self) -> tuple[float | None, int | None]:
        """Percent of time it was busy, and bytes in use on it."""
        try:
            busy = self._library.nvmlDeviceGetUtilizationRates(self._handle).gpu
            used = self._library.nvmlDeviceGetMemoryInfo(self._handle).used
        except self._library.NVMLError:
            return None, None
        return float(busy), int(used)


def _open_gpu() -> _Gpu | None:
    """The GPU, or None without the optional `nvidia-ml-py` package, a driver or a device."""
    try:
        import pynvml  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        return _Gpu(pynvml, _visible_device(pynvml))
    except pynvml.NVMLError:
        return None


def _visible_device(library: Any) -> Any:
    """The device that CUDA_VISIBLE_DEVICES puts first, by number or UUID; the machine's first when it says nothing."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    if first.startswith("GPU-"):
        return library.nvmlDeviceGetHandleByUUID(first)
    return library.nvmlDeviceGetHandleByIndex(int(first) if first.isdecimal() else 0)
