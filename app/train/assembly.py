"""Everything a run needs in memory, put together from its configuration: data, tokens, base model, plan, adapter."""

from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from peft import PeftModel
from pydantic import ValidationError
from transformers import PreTrainedTokenizerBase

from app.data.prepare import PreparedData, load_prepared, prepare
from app.data.readability import BaseTokenizer
from app.domain.data_report import DataReport
from app.domain.errors import ConfigError, Conflict
from app.domain.events import ParametersCounted, Planned, StageChanged, Warned
from app.domain.plan import BaseModelFacts, DatasetProfile, TrainingPlan, make_plan
from app.domain.ports import RunContext
from app.domain.task import Stage
from app.domain.train_config import AUTO, TrainConfig
from app.lora import fast
from app.lora.adapter import attach, parameter_table
from app.lora.base_model import LoadedBase, load_base
from app.lora.hardware import choose_device, detect
from app.lora.tokenization import Encoded, cut, encode, load_tokenizer
from app.models.base_models import locate
from app.runs.directory import RunDirectory
from app.runs.environment import describe_environment
from app.runs.files import read_json, read_record, sha256_file, write_json
from app.train.preprocess import TokenizedSplit, token_facts


@dataclass(frozen=True)
class Assembly:
    """A run ready to train; `splits` has train, eval and perhaps test."""

    plan: TrainingPlan
    plan_sha256: str
    report: DataReport
    splits: dict[str, TokenizedSplit]
    tokenizer: PreTrainedTokenizerBase
    base_directory: Path
    model: PeftModel


def assemble(run: RunDirectory, context: RunContext) -> Assembly:
    """Validate, plan, load and attach; writes data_report.json, plan.json and environment.json where absent."""
    config = read_config(run)
    context.report(StageChanged(stage=Stage.VALIDATING))
    data = _load_data(run, config)
    context.report(StageChanged(stage=Stage.PREPARING))
    located = locate(config.model.name, config.model.revision)
    tokenizer = load_tokenizer(located.directory)
    whole = {name: encode(tokenizer, part.texts, None) for name, part in data.splits.items()}
    device = choose_device(_planned_device(run) or config.training.device)
    base = load_base(located, data.report.identity.labels, config.training.seed, device)
    plan = _load_or_make_plan(run, config, data, whole["train"], base)
    context.report(Planned(plan=plan.model_dump(mode="json")))
    torch.set_num_threads(plan.num_threads)
    splits = {
        name: TokenizedSplit(part, cut(tokenizer, part.texts, whole[name], plan.max_length))
        for name, part in data.splits.items()
    }
    _warn_of_truncation(splits, plan, context)
    model = _attach(base, plan, context)
    return Assembly(plan, sha256_file(run.plan), data.report, splits, tokenizer, located.directory, model)


def read_config(run: RunDirectory) -> TrainConfig:
    """The configuration of a run; ConfigError when config.yaml was changed into something else."""
    try:
        return TrainConfig.model_validate(yaml.safe_load(run.config.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(
            f"{run.config} cannot be read: {error}", hint="it must stay as the run was started"
        ) from error


def _load_data(run: RunDirectory, config: TrainConfig) -> PreparedData:
    if run.data_report.is_file():
        return load_prepared(read_record(run.data_report, DataReport), run.results_dir)
    located = locate(config.model.name, config.model.revision)
    asked = config.model.max_length
    longest = located.max_positions if asked == AUTO else asked
    base = BaseTokenizer(located.info.name, located.tokenizer_file, longest) if located.tokenizer_file else None
    data = prepare(config.data, config.training.seed, run.results_dir, base)
    write_json(run.data_report, data.report.model_dump(mode="json"))
    return data


def _load_or_make_plan(
    run: RunDirectory, config: TrainConfig, data: PreparedData, train: Encoded, base: LoadedBase
) -> TrainingPlan:
    """The plan on disk, where there is one, else a new one for this machine."""
    identity = data.report.identity
    if run.plan.is_file():
        plan = read_record(run.plan, TrainingPlan)
        _check_plan_fits(plan, identity.version, base.facts)
    else:
        profile = DatasetProfile(
            version=identity.version,
            labels=identity.labels,
            train_label_counts=identity.train_label_counts,
            num_train=identity.num_train,
            num_eval=identity.num_eval,
            num_test=identity.num_test,
            tokens=token_facts(train),
        )
        cache = run.results_dir / "cache"
        probe = config.training.precision == AUTO
        hardware = detect(config.training.device, base.facts.hidden_size, cache, probe=probe)
        plan = make_plan(config, profile, base.facts, hardware)
        write_json(run.plan, plan.model_dump(mode="json"))
    if not run.environment.is_file():
        write_json(run.environment, describe_environment())
    return plan


def _planned_device(run: RunDirectory) -> str | None:
    """The device of the plan on disk; this machine must have it, whatever the configuration says."""
    return str(read_json(run.plan)["device"]) if run.plan.is_file() else None


def _check_plan_fits(plan: TrainingPlan, version: str, base: BaseModelFacts) -> None:
    if plan.data.version != version:
        raise Conflict(
            "the data is not what the plan was made for: its content has changed",
            hint="give the same files, or train without --plan",
            code="plan.other_data",
        )
    if plan.base.fingerprint != base.fingerprint:
        raise Conflict(
            f"the base model {base.name!r} is not the one the plan was made for: its files differ",
            hint="fetch the same revision, or train without --plan",
            code="plan.other_model",
        )


def _attach(base: LoadedBase, plan: TrainingPlan, context: RunContext) -> PeftModel:
    model = attach(base.model, plan)
    model.to(plan.device)
    if plan.config.training.fast_path:
        fast.enable(model)
    table = parameter_table(model)
    context.report(ParametersCounted(total=table.total, trainable=table.trainable, groups=table.groups))
    return model


def _warn_of_truncation(splits: dict[str, TokenizedSplit], plan: TrainingPlan, context: RunContext) -> None:
    for name, split in splits.items():
        count, total = split.encoded.num_truncated, len(split.examples.texts)
        if count:
            context.report(
                Warned(
                    code="truncated",
                    message=f"{count} of {total} {name} texts are cut to {plan.max_length} tokens",
                    hint="raise model.max_length if their ends matter",
                )
            )
