"""Plays the child that plans: `python stand_in_planner.py MODE WORK_DIRECTORY`; modes succeed, fail, vanish."""

import json
import os
import signal
import sys
from pathlib import Path

mode, work = sys.argv[1], Path(sys.argv[2])
attempt = json.loads((work / "attempt.json").read_text())["number"]
asked = json.loads((work / "work.json").read_text())["payload"]["config"]


def report(**event: object) -> None:
    with (work / "events.jsonl").open("a") as file:
        file.write(json.dumps({"time": 1.0, "attempt": attempt, **event}) + "\n")


if mode == "vanish":
    print("Illegal instruction", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "fail":
    detail = "there is too little memory (hint: choose a smaller model)"
    report(type="finished", state="FAILURE", error_code="run.out_of_memory", error_detail=detail)
    sys.exit(1)
decisions = [{"key": "learning_rate", "value": 0.001, "reason": "the default"}]
report(
    type="result",
    result={
        "plan": {"config": asked}, "decisions": decisions, "total_steps": 1200, "seconds_a_step": 0.0512,
        "estimated_seconds": 75.0, "estimated_memory_bytes": 640_000_000, "device": "cpu", "device_name": "a CPU",
    },
)  # fmt: skip
report(type="finished", state="SUCCESS")
