"""What one worker process has room for: a slot for each GPU or share of the cores, and memory."""

import fcntl
import hashlib
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import psutil

from app.db.tables import TaskRow
from app.domain.task import TaskKind
from app.runs.files import storage_errors
from app.settings import Settings, runtime_root, visible_gpus

TRAINING = (TaskKind.TRAIN,)
LIGHT = (TaskKind.PLAN, TaskKind.DATASET, TaskKind.PREDICT)
"""Work that must not wait for a training to end; it has slots of its own."""
LIGHT_SLOTS = 2
CORES_A_SLOT = 4
GPU_FREE = (TaskKind.DATASET,)
"""Work that computes nothing on a GPU."""
MOMENT_SECONDS = 0.5
"""How long a worker may hold a GPU only to see whether there is work for it."""
MEMORY_SHARE = 0.85
"""Of the machine's memory, or its container's, that work may be expected to take together."""


_HeldGpu = tuple[str, int]
"""A GPU, and the descriptor whose lock holds it."""


@dataclass(frozen=True)
class Room:
    """What a claim may ask for: one task of `kinds`, in `free_memory_bytes` where memory is limited.

    `devices` are those that are free for it; None stands for any.
    """

    kinds: Sequence[TaskKind]
    free_memory_bytes: int | None = None
    devices: Sequence[str] | None = None


@dataclass(frozen=True)
class Placed:
    """A claimed task in its slot; `environment` says which device is its own."""

    task: TaskRow
    environment: Mapping[str, str] = field(default_factory=dict)


class Capacity:
    """The slots of this worker; `slots` maps each group of kinds to how many of them may run at once.

    With GPUs, each training has one of its own, which no other worker of this machine uses meanwhile; light work that
    computes has one where one is free, and else none. `devices` are those work is done on; None takes any work.
    """

    def __init__(
        self,
        slots: Mapping[tuple[TaskKind, ...], int],
        memory_bytes: int | None = None,
        gpus: Sequence[str] = (),
        locks: Path | None = None,
        devices: Sequence[str] | None = None,
    ) -> None:
        self.devices = devices
        self._slots, self._memory_bytes, self._gpus = dict(slots), memory_bytes, list(gpus)
        self._locks = locks or runtime_root()
        # By attempt: a task may come back before its lost attempt has noticed and ended.
        self._running: dict[tuple[str, int], tuple[tuple[TaskKind, ...], int]] = {}
        self._one_claim = threading.Lock()
        self._changing = threading.Lock()

    @property
    def num_slots(self) -> int:
        """How many tasks may run at once."""
        return sum(self._slots.values())

    @property
    def kinds(self) -> list[TaskKind]:
        """The kinds this worker does."""
        return [kind for kinds in self._slots for kind in kinds]

    @contextmanager
    def place(self, claim: Callable[[Room], TaskRow | None]) -> Iterator[Placed | None]:
        """Claim a task there is room for, and keep its slot while the block runs; None where there is neither."""
        with self._one_claim:
            task, gpu = self._claim(claim)
        if task is None:
            yield None
            return
        try:
            yield Placed(task, {"CUDA_VISIBLE_DEVICES": gpu[0] if gpu else ""} if self._gpus else {})
        finally:
            with self._changing:
                del self._running[task.id, task.attempt]
            if gpu:
                os.close(gpu[1])

    def _claim(self, claim: Callable[[Room], TaskRow | None]) -> tuple[TaskRow | None, _HeldGpu | None]:
        for kinds in self._slots:
            room = self._room(kinds)
            if room is None:
                continue
            gpu = self._free_gpu(patience_seconds=MOMENT_SECONDS if kinds == TRAINING else 0.0)
            if self._gpus and gpu is None:
                if kinds == TRAINING:
                    continue
                room = replace(room, devices=[device for device in room.devices or ["cpu"] if device != "cuda"])
            task = None
            try:
                task = claim(room)
            finally:
                if gpu and (task is None or task.kind in GPU_FREE):
                    os.close(gpu[1])
                    gpu = None
            if task is not None:
                with self._changing:
                    self._running[task.id, task.attempt] = (kinds, task.memory_bytes or 0)
                return task, gpu
        return None, None

    def _room(self, kinds: tuple[TaskKind, ...]) -> Room | None:
        with self._changing:
            running = list(self._running.values())
        if sum(1 for group, _ in running if group == kinds) >= self._slots[kinds]:
            return None
        if self._memory_bytes is None or not running:
            return Room(
                kinds, devices=self.devices
            )  # what is too big for this machine is tried alone rather than never
        expected = self._memory_bytes - sum(memory for _, memory in running)
        return Room(kinds, max(0, min(expected, psutil.virtual_memory().available)), self.devices)

    def _free_gpu(self, patience_seconds: float) -> _HeldGpu | None:
        """A GPU nobody on this machine uses, also not for the moment in which another worker asks for work."""
        deadline = time.monotonic() + patience_seconds
        while (gpu := self._try_gpus()) is None and self._gpus and time.monotonic() < deadline:
            time.sleep(MOMENT_SECONDS / 20)
        return gpu

    def _try_gpus(self) -> _HeldGpu | None:
        for gpu in self._gpus:
            name = hashlib.sha256(gpu.encode()).hexdigest()[:12]
            path = self._locks / f"finetune-{os.getuid()}-gpu-{name}.lock"
            with storage_errors(path):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return gpu, descriptor
        return None


def machine_capacity(settings: Settings, kinds: Sequence[TaskKind] = tuple(TaskKind)) -> Capacity:
    """What this machine has room for, of the kinds a worker shall do."""
    gpus = visible_gpus()
    trainings = settings.worker_slots or len(gpus) or max(1, (os.cpu_count() or 1) // CORES_A_SLOT)
    wanted = {group: tuple(kind for kind in group if kind in kinds) for group in (TRAINING, LIGHT)}
    slots = {group: trainings if full == TRAINING else LIGHT_SLOTS for full, group in wanted.items() if group}
    return Capacity(slots, int(MEMORY_SHARE * memory_limit_bytes()), gpus, devices=_devices(gpus))


def _devices(gpus: Sequence[str]) -> list[str]:
    """What the engine can compute on, as far as that is known without loading it: a build for CPUs sees no GPU."""
    has_cuda = bool(gpus) and not version("torch").endswith("+cpu")
    has_mps = sys.platform == "darwin" and platform.machine() == "arm64"
    return ["cpu", *(["cuda"] if has_cuda else []), *(["mps"] if has_mps else [])]


def memory_limit_bytes(limits: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """The machine's memory, or what a control group (version 2) grants of it."""
    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(limits.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return total
