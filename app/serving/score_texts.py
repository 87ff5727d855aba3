"""`python -m app.serving.score_texts TEXTS OUT RUN_DIRECTORY`: a finished run's probabilities for texts.

TEXTS has one JSON string a line. OUT becomes a float32 .npy of shape (N, C): N texts, C labels in the order of the
run's. On stdout, one JSON object a line: `{"done", "total"}` in rows while it goes on, `{"error", "hint"}` where it
cannot.
"""

import json
import sys
from pathlib import Path

import numpy as np

from app.domain.errors import PlatformError
from app.runs.directory import RunDirectory
from app.serving.predictor import load_run
from app.settings import share_cores

ROWS_AT_ONCE = 512


def score(texts: Path, out: Path, run: RunDirectory) -> None:
    """Write the probabilities; what makes the run unusable is raised."""
    predictor = load_run(run)
    with texts.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    scores_NC = np.lib.format.open_memmap(out, mode="w+", dtype=np.float32, shape=(len(rows), len(predictor.labels)))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        answers = predictor.predict(rows[start : start + ROWS_AT_ONCE])
        _say({"done": start + len(answers), "total": len(rows)})
        for row, answer in enumerate(answers, start):
            scores_NC[row] = [answer.scores[label] for label in predictor.labels]
    scores_NC.flush()


def _say(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    """Score what the command line names; exit status 1 with the reason on stdout where that is not possible."""
    share_cores()
    texts, out, run = map(Path, sys.argv[1:])
    try:
        score(texts, out, RunDirectory(run))
    except PlatformError as error:
        _say({"error": error.message, "hint": error.hint})
        sys.exit(1)


if __name__ == "__main__":
    main()
