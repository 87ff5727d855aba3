"""`python -m app.train.verify RUN_DIR`: repeat the proof of a finished run; prints it as one JSON line.

Exit status: 0 the saved model answers as it did, 1 it does not or cannot be loaded.
"""

import sys
from pathlib import Path

from app.domain.errors import PlatformError, ProofFailed
from app.domain.manifest import Proof
from app.domain.plan import TrainingPlan
from app.models.base_models import locate
from app.runs.directory import RunDirectory
from app.runs.files import read_json
from app.train.proof import prove


def main(directory: Path) -> int:
    """Find the run's base model and let a fresh process score the saved adapter on it."""
    run = RunDirectory(directory)
    try:
        plan = TrainingPlan.model_validate(read_json(run.plan))
        base = locate(plan.config.model.name, plan.config.model.revision).directory
        proof = prove(run, base, num_threads=plan.num_threads)
    except ProofFailed as error:
        proof = Proof(passed=False, rows=0, label_agreement=0.0, max_abs_logit_diff=0.0, detail=error.message)
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(proof.model_dump_json())
    return 0 if proof.passed else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
