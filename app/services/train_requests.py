"""A TrainConfig as it was sent: all that is wrong with it at once, with a JSON pointer for each fault."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from app.domain.errors import ConfigError, PlatformError
from app.domain.principal import Caller
from app.domain.task import TaskState
from app.domain.train_config import TrainConfig
from app.schemas.problem import ProblemPlace
from app.schemas.tasks import Accepted
from app.schemas.train import ConfigCheck
from app.services import submission
from app.services.admission import admit, faulty
from app.services.configuration import MAX_DEPTH, ineffective_settings
from app.services.configuration_faults import Fault, check
from app.services.platform import Platform
from app.services.task_views import find_task

Place = tuple[str, str]
MAX_VALUES = 1000
MAX_SHOWN = 200
"""Characters of a key that a client sent."""


def submit(platform: Platform, caller: Caller, values: Any, *, name: str | None, priority: int) -> Accepted:
    """Accept a training; ConfigError with every fault of the body, or what `submit_training` raises."""
    config = read_config(platform, caller, values)
    submitted = submission.submit_training(platform, caller, config, name=name, priority=priority)
    return Accepted(task_id=submitted.task_id, experiment=submitted.experiment, status=TaskState.PENDING)


def submit_plan(platform: Platform, caller: Caller, values: Any) -> Accepted:
    """Accept the work of resolving a plan where it would run."""
    task_id = submission.submit_plan(platform, caller, read_config(platform, caller, values))
    return Accepted(task_id=task_id, experiment=None, status=TaskState.PENDING)


def recover(platform: Platform, effects: Sequence[str]) -> Accepted | None:
    """The answer to a request that has made a task, by the resources it has changed; None where it made none."""
    for effect in effects:
        kind, _, task_id = effect.partition(":")
        if kind == "task":
            return Accepted(
                task_id=task_id, experiment=find_task(platform, task_id).experiment, status=TaskState.PENDING
            )
    return None


def check_config(platform: Platform, caller: Caller, values: Any) -> ConfigCheck:
    """Check a body as a training would, and accept nothing."""
    try:
        config = read_config(platform, caller, values)
        admit(platform, caller, config)
    except PlatformError as error:
        if not isinstance(error, ConfigError) and error.code != "data.blocked":
            raise
        places = error.places or [("/data/train", error.message)]
        problems = [ProblemPlace(pointer=pointer, detail=what) for pointer, what in places]
        return ConfigCheck(valid=False, config=None, problems=problems, warnings=[])
    return ConfigCheck(valid=True, config=config, problems=[], warnings=ineffective_settings(config))


def read_config(platform: Platform, caller: Caller, values: Any) -> TrainConfig:
    """The configuration a body holds.

    ConfigError with a place for each fault. What is right of it is checked against the installation as well, so that
    nobody meets those faults only after mending the others.
    """
    if _depth(values) > MAX_DEPTH:
        raise faulty([("", f"nested more than {MAX_DEPTH} deep")])
    if _num_values(values) > MAX_VALUES:
        raise faulty([("", f"more than {MAX_VALUES} keys and values")])
    config, faults = check(values)
    if config is not None:
        return config
    places = list(_places(faults))
    rest, _ = check(_without(values, faults))
    if rest is not None:
        places += _more(platform, caller, rest, known=[pointer for pointer, _ in places])
    raise faulty(places)


def _places(faults: Sequence[Fault]) -> Iterator[Place]:
    for fault in faults:
        pointer = "".join("/" + part[:MAX_SHOWN].replace("~", "~0").replace("/", "~1") for part in fault.key)
        yield pointer, fault.message


def _without(values: Any, faults: Sequence[Fault]) -> Any:
    """The values that have no fault of their own."""
    rest = copy.deepcopy(values)
    for fault in faults:
        group = rest
        for part in fault.key[:-1]:
            group = group.get(part) if isinstance(group, dict) else None
        if fault.key and isinstance(group, dict):
            group.pop(fault.key[-1], None)
    return rest


def _more(platform: Platform, caller: Caller, config: TrainConfig, known: Sequence[str]) -> list[Place]:
    try:
        admit(platform, caller, config)
    except ConfigError as error:
        return [place for place in error.places if not _is_told(place[0], known)]
    except PlatformError:
        pass  # worth telling when the rest is right
    return []


def _is_told(pointer: str, known: Sequence[str]) -> bool:
    """Whether a place, or the group it is in, is among those that are known."""
    return any(pointer == one or pointer.startswith(one + "/") for one in known)


def _depth(values: Any) -> int:
    """How deep lists and objects are nested; counted no further than necessary."""
    depth, level = 0, [values]
    while level and depth <= MAX_DEPTH:
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if isinstance(child, dict | list)
        ]
        depth += 1
    return depth


def _num_values(values: Any) -> int:
    """How many keys and values there are in all; of what is not nested too deeply."""
    if isinstance(values, dict):
        return len(values) + sum(map(_num_values, values.values()))
    return 1 + sum(map(_num_values, values)) if isinstance(values, list) else 1
