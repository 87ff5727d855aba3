"""Whether a training that is asked for over HTTP can run: everything that is known before a row or a weight is read.

All faults are found at once, each with a JSON pointer into the configuration.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.data import versioning
from app.db.repositories import workers
from app.db.session import Session
from app.domain import footprint
from app.domain.base_models import CATALOG, describe
from app.domain.data_version import DATA_NAME_PATTERN, NamedVersion, VersionManifest
from app.domain.errors import ConfigError, DataBlocked, Hidden, NotFound
from app.domain.plan import BaseModelFacts, DatasetProfile, Hardware, TokenFacts, TrainingPlan, make_plan
from app.domain.principal import Caller, Principal
from app.domain.task import TaskKind
from app.domain.train_config import AUTO, TrainConfig
from app.domain.wording import one_after_another, say
from app.services import data_sets_shared
from app.services.platform import Platform
from app.settings import Settings

Fault = tuple[str, str]
SPLITS = ("train", "eval", "test")
CHARACTERS_A_TOKEN = 3.0
"""On the low side for words of an alphabet: memory is rather estimated too high."""
MAX_THREADS = 1024
MAX_BATCH_TEXTS = 65_536


@dataclass(frozen=True)
class Admitted:
    """A configuration that can run; `versions` are the stored data sets it names, by split.

    `device` is the one it needs, None where any will do.
    """

    config: TrainConfig
    versions: Mapping[str, NamedVersion]
    memory_bytes: int
    device: str | None


def admit(platform: Platform, caller: Caller, config: TrainConfig, kind: TaskKind = TaskKind.TRAIN) -> Admitted:
    """Check a configuration against the installation, its workers for that kind and what its data is known to be.

    ConfigError with `places` for all that cannot be, DataBlocked where findings of the stored data forbid training.
    """
    principal = caller.account
    faults = [*_model_faults(config, platform.settings), *_size_faults(config)]
    with platform.installation.database.read() as session:
        versions, data_faults = _resolve(session, principal, config, platform.settings.results_dir)
        faults += _device_faults(workers.offered(session, kind), config)
    for hidden in [error for error, _ in data_faults if isinstance(error, Hidden)]:
        platform.audit.deny(caller, "access.denied", hidden.resource)
    faults += [fault for _, fault in data_faults]
    if faults:
        raise faulty(faults)
    results_dir = platform.settings.results_dir
    manifests = {split: versioning.read_manifest(named.version, results_dir) for split, named in versions.items()}
    _refuse_blocked(config, versions, manifests)
    try:
        plan = _rehearse(config, manifests)
    except ConfigError as error:
        raise faulty([(place, _with_hint(what, error.hint)) for place, what in error.places]) from error
    return Admitted(config, versions, _memory_bytes(plan), _device_of(config))


def faulty(faults: list[Fault]) -> ConfigError:
    """One error for all faults, each at its place."""
    shown = [say("{key}: {what}", key=place[1:].replace("/", "."), what=what) for place, what in faults]
    error = ConfigError(one_after_another(shown), hint="`GET /config/schema` lists every key and what it takes")
    error.places = faults
    return error


def _with_hint(what: str, hint: str) -> str:
    return say("{what}; {hint}", what=what, hint=hint) if hint else what


def _model_faults(config: TrainConfig, settings: Settings) -> Iterator[Fault]:
    name = config.model.name
    if name not in CATALOG and name not in settings.allowed_models:
        known = ", ".join((*CATALOG, *settings.allowed_models))
        yield (
            "/model/name",
            say(
                "{name!r} is no base model of this installation; expected one of {known}", name=name[:100], known=known
            ),
        )
    elif name == "minilm" and config.model.revision is not None:
        yield "/model/revision", "minilm is installed with this program and has no revisions; leave it out"


def _device_of(config: TrainConfig) -> Literal["cpu", "cuda", "mps"] | None:
    """The device a configuration needs: the one it names, an NVIDIA GPU for what only that can compute, or any."""
    asked = config.training.device
    if asked != AUTO:
        return asked
    return "cuda" if config.training.precision == "fp16" else None


def _device_faults(offered: Collection[str] | None, config: TrainConfig) -> Iterator[Fault]:
    """A device that no live worker has; where none is alive the work waits for one."""
    needed = _device_of(config)
    if needed is not None and offered is not None and needed not in offered:
        key = "device" if config.training.device == needed else "precision"
        yield (
            f"/training/{key}",
            say(
                "no worker of this installation has the device it needs, {needed}; here: {offered}",
                needed=needed,
                offered=", ".join(sorted(offered)),
            ),
        )


def _size_faults(config: TrainConfig) -> Iterator[Fault]:
    """Numbers that are valid and that no machine could serve; the rest is for the estimate of memory to say."""
    training = config.training
    limits = {
        "num_threads": MAX_THREADS,
        "per_device_train_batch_size": MAX_BATCH_TEXTS,
        "per_device_eval_batch_size": MAX_BATCH_TEXTS,
    }
    for key, limit in limits.items():
        value = getattr(training, key)
        if isinstance(value, int) and value > limit:
            yield f"/training/{key}", say("{value} is more than {limit}", value=value, limit=limit)


def _resolve(
    session: Session, principal: Principal, config: TrainConfig, results_dir: Path
) -> tuple[dict[str, NamedVersion], list[tuple[NotFound | None, Fault]]]:
    """The versions a configuration names, and what is wrong with those it names wrongly."""
    versions: dict[str, NamedVersion] = {}
    faults: list[tuple[NotFound | None, Fault]] = []
    for split in SPLITS:
        source, place = getattr(config.data, split), f"/data/{split}"
        if source is None:
            if split == "train":
                faults.append((None, (place, "no training data is named; expected NAME@VERSION of a stored data set")))
            continue
        if not re.fullmatch(rf"{DATA_NAME_PATTERN}@[0-9]{{1,9}}", source):
            what = say(
                "{source!r} is no stored data set; expected NAME@VERSION, as POST /datasets gives it",
                source=source[:100],
            )
            faults.append((None, (place, what)))
            continue
        try:
            versions[split] = data_sets_shared.resolve_for_training(session, principal, source, results_dir)
        except NotFound as error:
            faults.append((error, (place, _with_hint(error.message, error.hint))))
    return versions, faults


def _refuse_blocked(
    config: TrainConfig, versions: Mapping[str, NamedVersion], manifests: Mapping[str, VersionManifest]
) -> None:
    """DataBlocked as the run itself would raise it, for what is known of the stored versions."""
    allow, block = set(config.data.allow) - set(config.data.block), set(config.data.block)
    for split, manifest in manifests.items():
        for report in manifest.origin.reports.values():
            for finding in report.findings:
                blocks = finding.code in block or (finding.severity == "error" and finding.code not in allow)
                if blocks:
                    accept = say("take it out of data.block" if finding.code in block else "name it in data.allow")
                    raise DataBlocked(
                        say(
                            "{split}: {finding} ({code})",
                            split=versions[split],
                            finding=finding.told("message"),
                            code=finding.code,
                        ),
                        hint=say("{fix}; or accept it: {accept}", fix=finding.told("fix"), accept=accept),
                        reports={split: report},
                    )
    known = set(manifests["train"].labels)
    for split in ("eval", "test"):
        unknown = sorted(set(manifests[split].labels) - known) if split in manifests else []
        if unknown and "unknown_label" not in allow:
            raise DataBlocked(
                say(
                    "{split} has labels that {train} has not: {unknown}",
                    split=versions[split],
                    train=versions["train"],
                    unknown=", ".join(unknown[:10]),
                ),
                hint=say("take {split} data with the labels of the training data", split=split),
            )


def _rehearse(config: TrainConfig, manifests: Mapping[str, VersionManifest]) -> TrainingPlan:
    """The plan as far as it follows from what is known here; ConfigError for settings that do not fit each other."""
    name = config.model.name
    size = footprint.KNOWN_SIZES.get(name, footprint.UNKNOWN_SIZE)
    info = describe(name)
    base = BaseModelFacts(
        name=name,
        hub_id=info.hub_id,
        language=info.language,
        architecture="",
        fingerprint="",
        max_positions=size.max_positions,
        hidden_size=size.hidden_size,
        encoder_linears=["linear"],
        head_modules=[],
    )
    device = _device_of(config) or "cpu"
    hardware = Hardware(device=device, device_name=device, num_threads=1, memory_bytes=0)
    return make_plan(config, _profile(manifests), base, hardware)


def _profile(manifests: Mapping[str, VersionManifest]) -> DatasetProfile:
    train = manifests["train"]
    held_out = train.splits.get("eval", 0)
    num_train = train.splits.get("train", train.rows)
    return DatasetProfile(
        version=train.version,
        labels=list(train.labels),
        train_label_counts=list(train.labels.values()),
        num_train=max(1, num_train),
        num_eval=manifests["eval"].rows if "eval" in manifests else max(1, held_out),
        num_test=manifests["test"].rows if "test" in manifests else 0,
        tokens=_tokens(train),
    )


def _tokens(manifest: VersionManifest) -> TokenFacts:
    """Lengths in tokens as far as the stored profile tells them; else those of a paragraph."""
    lengths = manifest.origin.profile.get("tokens")
    share = 1.0
    if not lengths:
        lengths, share = manifest.origin.profile.get("characters"), 1 / CHARACTERS_A_TOKEN
    if not lengths:
        return TokenFacts(mean=64, p50=64, p99=256, longest=256)
    percentiles = {int(key): share * value for key, value in lengths["percentiles"].items()}
    p50, p99 = percentiles[50], percentiles[99]
    return TokenFacts(
        mean=share * lengths["mean"] + 2,
        p50=math.ceil(p50) + 2,
        p99=math.ceil(p99) + 2,
        longest=math.ceil(share * lengths["max"]) + 2,
    )


def _memory_bytes(plan: TrainingPlan) -> int:
    tokens, data = plan.data.tokens, plan.data
    return footprint.estimate_memory_bytes(
        footprint.KNOWN_SIZES.get(plan.base.name, footprint.UNKNOWN_SIZE),
        rank=plan.config.lora.r,
        batch_size=plan.train_batch_size,
        num_tokens=min(plan.max_length, tokens.longest),
        num_texts=data.num_train + data.num_eval + data.num_test,
        mean_tokens=tokens.mean,
    )
