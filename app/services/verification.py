"""Repeat the proof of a finished run: its files are those of the receipt, and its saved model still answers alike."""

import json
import subprocess
import sys
from dataclasses import dataclass

from app.domain.errors import ProofFailed
from app.domain.manifest import Proof
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.runs.receipt import changed_files


@dataclass(frozen=True)
class Verification:
    """`changed` names files that are not what the receipt says; `proof` is what a fresh process measured."""

    changed: list[str]
    proof: Proof

    @property
    def passed(self) -> bool:
        """Whether everything still holds."""
        return not self.changed and self.proof.passed


def verify_run(run: RunDirectory) -> Verification:
    """Check files and model of a complete run; StorageError when it has no receipt."""
    changed = changed_files(run)
    command = [sys.executable, "-m", "app.train.verify", str(run.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    try:
        return Verification(changed, Proof.model_validate(json.loads(lines[-1])))
    except (IndexError, ValueError):
        complaint = done.stderr.strip().splitlines()
        raise ProofFailed(
            say(
                "the proof of {name!r} could not be repeated: {complaint}",
                name=run.name,
                complaint=complaint[-1] if complaint else "no answer",
            ),
            hint=(
                say("files that changed: {changed}", changed=", ".join(changed[:5]))
                if changed
                else "is the base model still there?"
            ),
        ) from None
