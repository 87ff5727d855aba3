"""When a request is sent again, and after how long."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from app.client.faults import retry_after

OVERLOADED = frozenset({429, 503})
"""The server says it did not do it, and often when to ask again."""
GATEWAY_FAULTS = frozenset({502, 504})
"""Nobody knows whether it was done."""
IN_PROGRESS = "idempotency.in_progress"


@dataclass(frozen=True)
class Retrying:
    """`attempts` in all; pauses double from `first_seconds` to `longest_seconds`, each drawn from its upper half.

    A server that asks for more than `patience_seconds` is not waited for: whoever called decides.
    """

    attempts: int = 4
    first_seconds: float = 0.25
    longest_seconds: float = 8.0
    patience_seconds: float = 15.0
    draw: Callable[[], float] = random.random

    def pause(self, attempt: int) -> float:
        """Seconds before the attempt after number `attempt` (from 1)."""
        longest = min(self.longest_seconds, self.first_seconds * 2.0 ** (attempt - 1))
        return longest * (0.5 + 0.5 * self.draw())

    def after_fault(self, attempt: int, *, repeatable: bool) -> float | None:
        """Seconds until the next attempt after a broken connection; None to give up."""
        return self.pause(attempt) if repeatable and attempt < self.attempts else None

    def after_answer(self, response: httpx.Response, attempt: int, *, repeatable: bool) -> float | None:
        """Seconds until the next attempt after this answer; None where it stands."""
        if attempt >= self.attempts:
            return None
        status, asked = response.status_code, retry_after(response)
        if status in OVERLOADED and (repeatable or asked is not None):
            wait = max(asked or 0.0, self.pause(attempt))
            return wait if wait <= self.patience_seconds else None
        return self.pause(attempt) if repeatable and status in GATEWAY_FAULTS else None

    def while_in_progress(self, attempt: int) -> float | None:
        """Seconds until asking again for what an earlier sending of this very request is still making."""
        return max(1.0, self.pause(attempt)) if attempt < 10 * self.attempts else None


NEVER = Retrying(attempts=1)
