"""Embeddings of texts from a frozen encoder, computed in a child process so that no torch is loaded here.

The newest few are kept below the results directory: what was computed for a file is there for the next command.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.models.base_models import LocatedModel, locate
from app.runs.files import sha256_file, storage_errors
from app.services.reporting_child import run_reporting, write_texts

Floats = NDArray[np.float32]

MAX_KEPT = 5
"""Files of embeddings that are kept; at 384 dimensions one of 10,000 texts has 15 MB."""


def embed(
    texts: Sequence[str],
    base_model: str,
    results_dir: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """Sentence embeddings, float32 (N, D), each of length 1; equal texts have equal ones.

    `progress` hears rows done and rows in all. Raises ModelUnusable where the base model is not there or no encoder,
    StorageError where the results directory cannot be written.
    """
    located = locate(base_model)
    kept = results_dir / "cache" / f"embeddings-{_key(texts, located)}.npy"
    if not kept.is_file():
        with storage_errors(kept):
            kept.parent.mkdir(parents=True, exist_ok=True)
            _forget_old(kept.parent)
            with tempfile.TemporaryDirectory(prefix="embeddings-", dir=kept.parent) as folder:
                out = Path(folder) / "embeddings.npy"
                _compute(texts, located.directory, out, kept.parent, progress)
                out.replace(kept)
    os.utime(kept)
    found: Floats = np.load(kept)
    return found


def _key(texts: Sequence[str], located: LocatedModel) -> str:
    files = sorted(path for path in located.directory.iterdir() if path.is_file())
    digest = hashlib.sha256(json.dumps([(path.name, sha256_file(path)) for path in files]).encode())
    for text in texts:
        digest.update(json.dumps(text).encode() + b"\n")
    return digest.hexdigest()[:32]


def _forget_old(folder: Path) -> None:
    """Make room for one more."""
    files = sorted(folder.glob("embeddings-*.npy"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[MAX_KEPT - 1 :]:
        path.unlink(missing_ok=True)


def _compute(
    texts: Sequence[str], base: Path, out: Path, cache: Path, progress: Callable[[int, int], None] | None
) -> None:
    """Run the child and pass its progress on; ModelUnusable with its words where it cannot."""
    source = write_texts(texts, out.with_name("texts.jsonl"))
    command = ["-m", "app.lora.embed", str(source), str(out), str(base), str(cache)]
    run_reporting(command, progress, otherwise=f"the encoder in {base} could not be run")
