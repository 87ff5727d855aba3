"""What is in a checkpoint, and how it gets there: written aside, hashed, renamed into place.

Tensors are safetensors, the rest JSON. Which checkpoints there are, and whether they are intact, is for
`app.runs.checkpoints` to say.

`step-NNNNNN/` holds adapter_model.safetensors, optimizer.safetensors, scheduler.json, rng.safetensors,
trainer_state.json, and manifest.json, which is written last.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from transformers import TrainerState

from app.domain.errors import CheckpointDamaged
from app.domain.manifest import CheckpointManifest
from app.lora.adapter import ADAPTER_FILE, adapter_state, load_adapter_state, save_tensors
from app.runs.checkpoints import MANIFEST, checkpoint_path
from app.runs.files import fsync_directory, hash_tree, read_json, storage_errors, write_json

TRAINER_STATE = "trainer_state.json"
_OPTIMIZER = "optimizer.safetensors"
_SCHEDULER = "scheduler.json"
_RNG = "rng.safetensors"


def save_checkpoint(
    folder: Path,
    manifest: CheckpointManifest,
    *,
    model: PeftModel,
    optimizer: Optimizer,
    scheduler: LRScheduler,
    state: TrainerState,
) -> Path:
    """Write a checkpoint that is either whole or absent; StorageError leaves earlier ones untouched."""
    final = checkpoint_path(folder, manifest.step)
    aside = folder / f".{final.name}.{os.getpid()}.tmp"
    try:
        with storage_errors(final):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            state.save_to_json(str(aside / TRAINER_STATE))
        save_tensors(aside / ADAPTER_FILE, adapter_state(model))
        save_tensors(aside / _OPTIMIZER, _optimizer_tensors(optimizer))
        save_tensors(aside / _RNG, _rng_tensors())
        write_json(aside / _SCHEDULER, scheduler.state_dict())
        whole = manifest.model_copy(update={"files": hash_tree(aside)})
        write_json(aside / MANIFEST, whole.model_dump())
        with storage_errors(final):
            shutil.rmtree(final, ignore_errors=True)
            aside.rename(final)
            fsync_directory(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return final


def restore_adapter(model: PeftModel, checkpoint: Path) -> None:
    """Put the trained weights of a checkpoint into `model`."""
    load_adapter_state(model, _load_tensors(checkpoint / ADAPTER_FILE))


def restore_optimizer(optimizer: Optimizer, scheduler: LRScheduler, checkpoint: Path) -> None:
    """Put optimizer and scheduler back where they were."""
    tensors = _load_tensors(checkpoint / _OPTIMIZER)
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    scheduler.load_state_dict(read_json(checkpoint / _SCHEDULER))
    for group, rate in zip(optimizer.param_groups, scheduler.get_last_lr(), strict=True):
        group["lr"] = rate


def restore_rng(checkpoint: Path) -> None:
    """Put torch's generators back where they were."""
    tensors = _load_tensors(checkpoint / _RNG)
    torch.set_rng_state(tensors["cpu"])
    if torch.cuda.is_available() and "cuda" in tensors:
        torch.cuda.set_rng_state(tensors["cuda"])
    if torch.backends.mps.is_available() and "mps" in tensors:
        torch.mps.set_rng_state(tensors["mps"])


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointDamaged(f"cannot read {path}: {error}") from error


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Per-parameter state as `<index>.<key>` tensors; hyper-parameters come from the plan, not from here."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": value.detach().cpu().contiguous().clone()
        for index, entries in state.items()
        for key, value in entries.items()
        if isinstance(value, Tensor)
    }


def _rng_tensors() -> dict[str, Tensor]:
    tensors = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        tensors["mps"] = torch.mps.get_rng_state()
    return tensors
