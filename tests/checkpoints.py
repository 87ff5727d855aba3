"""A run directory with checkpoints, as a training leaves it."""

from pathlib import Path

import yaml

from app.domain.train_config import TrainConfig
from app.runs.directory import RunDirectory
from app.runs.files import hash_tree, write_json

ACCURACY = {10: 0.80, 20: 0.90, 30: 0.95, 40: 0.70}


def checkpointed_run(path: Path) -> RunDirectory:
    """Four checkpoints: 30 is best, 40 last; 20 is within one standard error of the best, and faster."""
    run = RunDirectory(path)
    run.path.mkdir(parents=True)
    run.config.write_text(yaml.safe_dump(TrainConfig().as_dict()))
    run.events.touch()
    for step, accuracy in ACCURACY.items():
        folder = run.checkpoints / f"step-{step:06d}"
        folder.mkdir(parents=True)
        (folder / "adapter_model.safetensors").write_bytes(bytes(step))
        manifest = {
            "step": step,
            "epoch": step / 10,
            "train_seconds": float(step),
            "samples": 16 * step,
            "tokens": 300 * step,
            "attempt": 1,
            "metrics": {"accuracy": accuracy, "loss": 1 - accuracy},
            "num_eval_rows": 10,
            "plan_sha256": "0" * 64,
            "files": hash_tree(folder),
        }
        write_json(folder / "manifest.json", manifest)
    return run
