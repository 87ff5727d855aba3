"""Plays the engine at the process border: `python stand_in_engine.py MODE RUN_DIR` speaks events.jsonl and ends.

Modes: succeed, fail, wait (until SIGTERM, then REVOKED), deaf (ignores SIGTERM), vanish (kills itself with -9),
crash (an exception before any event), child_of_child (starts a process of its own, then waits deaf), dies_saving
(waits until SIGTERM, then kills itself with -9).
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

mode, run = sys.argv[1], Path(sys.argv[2])
attempt = json.loads((run / "attempt.json").read_text())["number"]


def report(**event: object) -> None:
    with (run / "events.jsonl").open("a") as file:
        file.write(json.dumps({"time": time.time(), "attempt": attempt, **event}) + "\n")


def step(number: int) -> None:
    report(
        type="step", step=number, total_steps=4, epoch=number / 4, loss=1 / number, learning_rate=1e-3,
        samples_per_second=10.0, tokens_per_second=100.0, eta_seconds=1.0,
    )  # fmt: skip


def stop(*_: object) -> None:
    if mode == "dies_saving":
        os.kill(os.getpid(), signal.SIGKILL)
    report(type="finished", state="REVOKED")
    sys.exit(3)


if mode == "crash":
    raise RuntimeError("the engine fell over")
if mode in ("deaf", "child_of_child"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, stop)
report(type="stage", stage="training")
step(1)
if mode == "child_of_child":
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (run / "grandchild").write_text(str(grandchild.pid))
while mode in ("wait", "deaf", "child_of_child", "dies_saving"):
    time.sleep(0.05)
if mode == "vanish":
    os.kill(os.getpid(), signal.SIGKILL)
step(2)
report(type="system", cpu_percent=120.0, memory_bytes=10**8)
report(type="eval", step=2, epoch=0.5, train_seconds=1.0, metrics={"accuracy": 0.75, "loss": 0.5})
report(type="checkpoint", step=2, path="artifacts/checkpoints/step-000002", size_bytes=1234)
step(3)
if mode == "fail":
    report(type="finished", state="FAILURE", error_code="run.diverged", error_detail="the loss is not finite at step 3")
    sys.exit(1)
step(4)
metrics = {
    "eval": {"accuracy": 0.75, "accuracy_ci95": [0.6, 0.9], "macro_f1": 0.74, "majority_baseline": 0.5, "loss": 0.5},
    "train": {"steps": 4, "runtime_seconds": 1.5, "samples_per_second": 10.0, "tokens_per_second": 100.0},
}
(run / "metrics.json").write_text(json.dumps(metrics))
proof = {"passed": True, "rows": 8, "label_agreement": 1.0, "max_abs_logit_diff": 1e-6}
receipt = {"run": run.name, "config_sha256": "", "data_version": "", "code_revision": "", "proof": proof, "files": {}}
(run / "receipt.json").write_text(json.dumps(receipt))
report(type="finished", state="SUCCESS", accuracy=0.75)
