"""What a loaded model says about one text, as the bodies of the inference service; one person after the other."""

import time
from typing import TYPE_CHECKING

import anyio.to_thread
from anyio import CapacityLimiter

from app.runs.directory import RunDirectory
from app.schemas.inference import ExplainResponse, PredictResponse, WordEffect
from app.serving import explanation

if TYPE_CHECKING:  # that module loads torch, which waits for the first question
    from app.serving.predictor import Predictor


def predict(predictor: "Predictor", text: str) -> PredictResponse:
    """Classify one text."""
    start = time.perf_counter()
    answer = predictor.predict([text])[0]
    return PredictResponse(
        label=answer.label,
        probability=answer.probability,
        latency_ms=_ms_since(start),
        base_model=predictor.base_model,
        language=predictor.language,
        label_name=answer.label_name,
        scores=answer.scores,
        model=predictor.name,
        truncated=answer.truncated,
    )


def explain(predictor: "Predictor", text: str) -> ExplainResponse:
    """Classify one text, and estimate which of its words mattered."""
    start = time.perf_counter()
    found = explanation.explain(predictor, text)
    words = [
        WordEffect(text=text[word.start : word.end], start=word.start, end=word.end, effect=word.effect)
        for word in found.words
    ]
    return ExplainResponse(
        model=predictor.name,
        label=found.answer.label,
        label_name=found.answer.label_name,
        probability=found.answer.probability,
        words=words,
        num_words=found.num_words,
        truncated=found.answer.truncated,
        latency_ms=_ms_since(start),
    )


class Ready:
    """A loaded model: it answers one person at a time and explains to one at a time; no thread waits for a turn."""

    def __init__(self, predictor: "Predictor") -> None:
        self._predictor = predictor
        self._answers, self._explanations = CapacityLimiter(1), CapacityLimiter(1)

    async def predict(self, text: str) -> PredictResponse:
        """As `predict`."""
        return await anyio.to_thread.run_sync(predict, self._predictor, text, limiter=self._answers)

    async def explain(self, text: str) -> ExplainResponse:
        """As `explain`."""
        return await anyio.to_thread.run_sync(explain, self._predictor, text, limiter=self._explanations)


def load(run: RunDirectory) -> Ready:
    """The model of a complete run, after its files were checked; the first call of a process loads torch."""
    from app.serving.predictor import load_run

    return Ready(load_run(run))


def _ms_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 1)
