"""Proof that the saved model is the evaluated one: a fresh process scores it, this module judges."""

import json
import os
import subprocess
import sys
from math import isfinite
from pathlib import Path

from app.domain.errors import ProofFailed
from app.domain.manifest import Proof
from app.runs.directory import RunDirectory

MIN_LABEL_AGREEMENT = 0.999
MAX_LOGIT_DIFF = 1e-3


def prove(run: RunDirectory, base_directory: Path, *, num_threads: int, split: str = "eval") -> Proof:
    """Load `final_model/` in a fresh process and compare it with the recorded predictions of `split`.

    Raises ProofFailed when labels agree on less than 99.9 % of the rows, a logit (both sides are fp32) is further
    off than 1e-3, or the model cannot be loaded at all.
    """
    command = [sys.executable, "-m", "app.train.prove", str(run.final_model), str(base_directory)]
    command += [str(run.evaluation / "predictions.parquet"), split]
    environment = {**os.environ, "OMP_NUM_THREADS": str(num_threads), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}"
        raise ProofFailed(f"the saved model cannot be loaded by peft and transformers: {reason}")
    proof = judge(json.loads(done.stdout.strip().splitlines()[-1]))
    if not proof.passed:
        raise ProofFailed(
            proof.detail, hint="the saved model is not the evaluated one: do not use it; please report this"
        )
    return proof


def judge(measured: dict[str, float]) -> Proof:
    """Apply the limits to what the fresh process measured."""
    agreement, difference = measured["label_agreement"], measured["max_abs_logit_diff"]
    passed = isfinite(difference) and agreement >= MIN_LABEL_AGREEMENT and difference <= MAX_LOGIT_DIFF
    detail = (
        f"{measured['rows']:g} rows scored by a fresh process: {agreement:.2%} of the labels agree, "
        f"largest logit difference {difference:.2g}"
    )
    return Proof(
        passed=passed,
        rows=int(measured["rows"]),
        label_agreement=agreement,
        max_abs_logit_diff=difference,
        detail=detail,
    )
