"""Ask a finished run about one text."""

import httpx

from app.client.endpoint import Endpoint, Noun, body_of, endpoint
from app.schemas.inference import ExplainResponse, PredictResponse, RunText

TIMEOUT = httpx.Timeout(connect=5.0, read=120.0, write=60.0, pool=10.0)
"""The first question to a run waits until its model is in memory."""


class Inference(Noun):
    """`/predict` and `/explain`. ServiceUnavailable where the models do not answer."""

    @endpoint("POST", "/predict")
    def predict(self, at: Endpoint, run: str, text: str) -> PredictResponse:
        """The label of one text, with the probability of each."""
        body = body_of(RunText, run=run, text=text)
        return at().with_(harmless=True, timeout=TIMEOUT).json(body).as_(PredictResponse)

    @endpoint("POST", "/explain")
    def explain(self, at: Endpoint, run: str, text: str) -> ExplainResponse:
        """An estimate of which words of it mattered for that, by leaving out one at a time."""
        body = body_of(RunText, run=run, text=text)
        return at().with_(harmless=True, timeout=TIMEOUT).json(body).as_(ExplainResponse)
