"""Plays the engine at the process border: `python stand_in.py MODE_FILE RUN_DIR`; the mode is read at each start.

Modes: succeed; wait (a checkpoint, then until SIGTERM); full_disk (a fault of the infrastructure); bad_data (a fault of
the data); vanish (kills itself with -9); stale (waits, and says so when another attempt has taken over).
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

mode, run = Path(sys.argv[1]).read_text().strip(), Path(sys.argv[2])
attempt = json.loads((run / "attempt.json").read_text())["number"]


def report(**event: object) -> None:
    with (run / "events.jsonl").open("a") as file:
        file.write(json.dumps({"time": time.time(), "attempt": attempt, **event}) + "\n")


def end(status: int, **event: object) -> None:
    report(type="finished", **event)
    sys.exit(status)


def stop(*_: object) -> None:
    (run / "signalled").write_text(str(time.time()))
    end(3, state="REVOKED", error_code="run.stopped", error_detail="stopped on request")


secrets = {"DATABASE_URL", "JWT_SECRET", "REDIS_URL"} & set(os.environ)
assert not secrets, f"the engine was told {secrets}"
signal.signal(signal.SIGTERM, stop)
report(type="stage", stage="training")
print(f"attempt {attempt} in mode {mode}", flush=True)
if mode == "wait":
    report(type="checkpoint", step=1, path="artifacts/checkpoints/step-000001", size_bytes=1)
    while True:
        time.sleep(0.02)
if mode == "vanish":
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "full_disk":
    end(1, state="FAILURE", error_code="storage.full", error_detail="no space left", retryable=True)
if mode == "bad_data":
    end(1, state="FAILURE", error_code="data.blocked", error_detail="42 rows have no label")
metrics = {"eval": {"accuracy": 0.75}, "train": {"runtime_seconds": 1.5}}
(run / "metrics.json").write_text(json.dumps(metrics))
proof = {"passed": True, "rows": 8, "label_agreement": 1.0, "max_abs_logit_diff": 1e-6}
receipt = {"run": run.name, "config_sha256": "", "data_version": "", "code_revision": "", "proof": proof, "files": {}}
(run / "receipt.json").write_text(json.dumps(receipt))
end(0, state="SUCCESS", accuracy=0.75)
