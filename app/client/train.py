"""Ask for a training, or for the plan of one."""

from collections.abc import Mapping
from typing import Any

from app.client.endpoint import Endpoint, Noun, endpoint
from app.domain.train_config import TrainConfig
from app.schemas.tasks import Accepted
from app.schemas.train import ConfigCheck

AnyConfig = TrainConfig | Mapping[str, Any]
"""A configuration, or the values of one that the server shall judge."""


class Training(Noun):
    """`/train` and `/plan`."""

    @endpoint("POST", "/train")
    def submit(
        self, at: Endpoint, config: AnyConfig, *, name: str | None = None, priority: int = 0, key: str | None = None
    ) -> Accepted:
        """Train on a stored data set; accepted means that it was checked and will run.

        `key` is the Idempotency-Key, where the caller has one that outlives this process.
        """
        return at().query(name=name, priority=priority or None).once(key).json(_values(config)).as_(Accepted)

    @endpoint("POST", "/plan")
    def plan(self, at: Endpoint, config: AnyConfig, *, key: str | None = None) -> Accepted:
        """Resolve every `auto` where the training would run; the task's `result` is the plan. `key` as in `submit`."""
        return at().once(key).json(_values(config)).as_(Accepted)


class Config(Noun):
    """`/config`."""

    @endpoint("GET", "/config/schema")
    def schema(self, at: Endpoint) -> dict[str, Any]:
        """The JSON Schema of a TrainConfig."""
        return at().as_(dict[str, Any])

    @endpoint("POST", "/config/validate")
    def validate(self, at: Endpoint, config: AnyConfig) -> ConfigCheck:
        """Check a configuration as `submit` would, and train nothing."""
        return at().with_(harmless=True).json(_values(config)).as_(ConfigCheck)


def _values(config: AnyConfig) -> Mapping[str, Any]:
    """What was set, as JSON: a default that was not set stays the server's."""
    return config.model_dump(mode="json", exclude_unset=True) if isinstance(config, TrainConfig) else config
