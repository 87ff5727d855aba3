"""How fast training goes: time, rows and real tokens, over all attempts and since the last look."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.runs.checkpoints import read_manifest


@dataclass(frozen=True)
class Pace:
    """What the training loop did over all attempts; tokens are real ones, never padding."""

    steps: int = 0
    train_seconds: float = 0.0
    samples: int = 0
    tokens: int = 0


def pace_of(checkpoint: Path) -> Pace:
    """The pace up to a checkpoint."""
    manifest = read_manifest(checkpoint)
    return Pace(manifest.step, manifest.train_seconds, manifest.samples, manifest.tokens)


@dataclass(frozen=True)
class Lap:
    """Rates since the last lap, and the seconds that remain at the mean pace of this attempt."""

    samples_per_second: float
    tokens_per_second: float
    eta_seconds: float


class Meter:
    """Counts time, rows and real tokens of the training loop."""

    def __init__(self, earlier: Pace, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._earlier = earlier
        self._start = self._lap_start = clock()
        self._samples = self._tokens = self._lap_samples = self._lap_tokens = 0
        self._first_step: int | None = None
        self._last_step = earlier.steps

    def pace(self) -> Pace:
        """The whole loop so far, earlier attempts included."""
        return Pace(
            steps=self._last_step,
            train_seconds=self._earlier.train_seconds + self._clock() - self._start,
            samples=self._earlier.samples + self._samples,
            tokens=self._earlier.tokens + self._tokens,
        )

    def count(self, samples: int, tokens: int) -> None:
        """Note one device batch."""
        self._samples += samples
        self._tokens += tokens

    def skip(self) -> None:
        """Leave the time since the last lap out of the next one's rates: it was not spent on steps."""
        self._lap_start = self._clock()

    def lap(self, step: int, total_steps: int, steps: int) -> Lap:
        """Rates over the last `steps` steps, and the time that remains at the mean pace of this attempt."""
        now = self._clock()
        seconds = max(now - self._lap_start, 1e-9)
        self._last_step = step
        if self._first_step is None:
            self._first_step = step - steps
        lap = Lap(
            samples_per_second=(self._samples - self._lap_samples) / seconds,
            tokens_per_second=(self._tokens - self._lap_tokens) / seconds,
            eta_seconds=(now - self._start) / (step - self._first_step) * (total_steps - step),
        )
        self._lap_start, self._lap_samples, self._lap_tokens = now, self._samples, self._tokens
        return lap
