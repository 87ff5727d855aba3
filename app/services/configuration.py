"""YAML file + `--set` + options -> TrainConfig; every fault is found at once and named by file, line and key.

What the keys are and which values they take is declared in `domain.train_config` alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app.domain.data_version import DATA_NAME_PATTERN
from app.domain.errors import ConfigError
from app.domain.train_config import AUTO, DataConfig, TrainConfig
from app.domain.wording import say
from app.services.configuration_faults import check, look_up
from app.services.configuration_help import Key, is_group

MAX_FILE_BYTES = 200_000
MAX_DEPTH = 20

_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


@dataclass
class _Sources:
    """The values so far, where each key came from, and what is wrong with them."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def put(self, key: Key, value: Any, place: str) -> None:
        """Set a dotted key, making the groups above it."""
        group = self.values
        for part in key[:-1]:
            if not isinstance(group.get(part), dict):
                group[part] = {}
            group = group[part]
        group[key[-1]] = value
        self.places[key] = place

    def add(self, key: Key, values: Sequence[Any], place: str) -> None:
        """Append what a list at a dotted key lacks; what is there and no list stays, to be refused."""
        known = look_up(self.values, key)
        if known is None or isinstance(known, list):
            self.put(key, [*(known or []), *(value for value in values if value not in (known or []))], place)

    def place(self, key: Key) -> str:
        """Where a key, or the nearest group above it, was given."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.places:
                return self.places[key[:length]]
        return "configuration"


def load_config(
    path: Path | None = None, sets: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> TrainConfig:
    """Read a configuration; later sources win: file, then `--set key=value`, then `options` by dotted key.

    A list among the options is added to the list there is.
    Raises ConfigError with one line a problem, all of them.
    """
    sources = _Sources()
    if path is not None:
        _read_file(path, sources)
    for text in sets:
        _read_set(text, sources)
    for key, value in (options or {}).items():
        if isinstance(value, list):
            sources.add(tuple(key.split(".")), value, f"option for {key}")
        elif value is not None:
            sources.put(tuple(key.split(".")), value, f"option for {key}")
    config = None if sources.problems and not sources.values else _validate(sources)
    if sources.problems or config is None:
        raise _all_at_once(sorted(sources.problems, key=_by_line))
    return config


def ineffective_settings(config: TrainConfig) -> list[str]:
    """Settings that were given and cannot take effect beside the others, one sentence each."""
    training, data, model, lora = config.training, config.data, config.model, config.lora
    warnings: list[str] = []
    epochs_given = "num_train_epochs" in training.model_fields_set and training.num_train_epochs != AUTO
    if training.max_steps is not None and epochs_given:
        warnings.append(say("training.num_train_epochs has no effect: training.max_steps decides"))
    if data.eval is not None and "eval_fraction" in data.model_fields_set:
        warnings.append(say("data.eval_fraction has no effect: data.eval is given"))
    warnings += _without_effect_on_stored_data(data)
    if model.revision is not None and (model.name == "minilm" or Path(model.name).is_dir()):
        warnings.append(
            say("model.revision has no effect: {model} comes from this machine, not from the hub", model=model.name)
        )
    if training.fast_path and "fast_path" in training.model_fields_set and lora.lora_dropout > 0:
        warnings.append(say("training.fast_path has no effect: lora.lora_dropout is above 0"))
    if training.lr_scheduler_type == "constant_with_warmup" and training.warmup_steps == 0:
        warnings.append(
            say("training.lr_scheduler_type constant_with_warmup has no warm-up: training.warmup_steps is 0")
        )
    both = sorted(set(data.allow) & set(data.block))
    if both:
        warnings.append(say("data.allow has no effect for {codes}: data.block names it too", codes=", ".join(both)))
    return warnings


def _without_effect_on_stored_data(data: DataConfig) -> list[str]:
    """A stored version has its columns and its splits already; files given beside it have columns of their own."""
    if not re.fullmatch(rf"{DATA_NAME_PATTERN}@\d+", data.train or "") or Path(data.train or "").exists():
        return []
    keys = ["eval_fraction"] if data.eval is None else []
    if data.eval is None and data.test is None:
        keys += ["text_column", "label_column", "reading"]
    return [
        say("data.{key} has no effect: {data} is stored", key=key, data=data.train)
        for key in keys
        if key in data.model_fields_set
    ]


def _by_line(problem: str) -> tuple[int, str]:
    """Problems in a file in order of lines, then those of the command line."""
    match = re.match(r".+?:(\d+): ", problem)
    return (int(match[1]), "") if match else (MAX_FILE_BYTES, problem)


def _all_at_once(problems: Sequence[str]) -> ConfigError:
    count = f"{len(problems)} problems in the configuration:\n  " if len(problems) > 1 else ""
    return ConfigError(count + "\n  ".join(problems), hint="`finetune config schema` lists every key and what it takes")


# --- reading ---------------------------------------------------------------------------------------------------


def _read_file(path: Path, sources: _Sources) -> None:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(
                say(
                    "{path} has more than {max_file_bytes} bytes: that is no configuration",
                    path=path,
                    max_file_bytes=MAX_FILE_BYTES,
                )
            )
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            say("there is no file {path}", path=path), hint="config/ has one for each base model"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            say("{path} is not UTF-8 text (byte {start})", path=path, start=error.start), hint="save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(
            say("cannot read {path}: {strerror}", path=path, strerror=error.strerror),
            hint="name a YAML file; config/ has one for each base model",
        ) from error
    try:
        if refused := _refused_token(path, content):
            sources.problems.append(refused)
            return
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        if root is None:
            return
        if not isinstance(root, yaml.MappingNode):
            sources.problems.append(f"{path}:1: expected 'key: value' lines, found something else")
            return
        _read_mapping(root, (), path, sources)
    except yaml.YAMLError as error:
        sources.problems.append(_yaml_fault(path, error))


def _refused_token(path: Path, content: str) -> str | None:
    """What a small file can use to become a large one, or to keep the parser busy: aliases and deep nesting."""
    depth = 0
    for token in yaml.scan(content, Loader=yaml.SafeLoader):
        line = token.start_mark.line + 1
        if isinstance(token, yaml.AliasToken):
            return f"{path}:{line}: '*{token.value}': aliases are not used in a configuration"
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > MAX_DEPTH:
            return f"{path}:{line}: nested more than {MAX_DEPTH} deep"
    return None


def _read_mapping(node: yaml.MappingNode, prefix: Key, path: Path, sources: _Sources) -> None:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            sources.problems.append(f"{path}:{line}: a key must be a word")
            continue
        name = str(key_node.value)
        dotted = ".".join((*prefix, name))
        if name in seen:
            sources.problems.append(f"{path}:{line}: {dotted}: given twice, first in line {seen[name]}")
            continue
        seen[name] = line
        key = (*prefix, name)
        sources.put(key, {}, f"{path}:{line}")
        if isinstance(value_node, yaml.MappingNode):
            _read_mapping(value_node, key, path, sources)
            continue
        try:
            value = yaml.constructor.SafeConstructor().construct_document(value_node)
        except ValueError as error:
            sources.problems.append(f"{path}:{line}: {dotted}: {error}")
            continue
        if value is not None or not is_group(TrainConfig, key):  # a group whose keys are all commented out
            sources.put(key, value, f"{path}:{line}")


def _yaml_fault(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{path}:{mark.line + 1}" if mark else str(path)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if "\\t" in problem:
        problem = "a tab; YAML indents with spaces"
    return f"{place}: not YAML: {problem}"


def _read_set(text: str, sources: _Sources) -> None:
    dotted, separator, raw = text.partition("=")
    key = tuple(part.strip() for part in dotted.split("."))
    if not separator or not all(key):
        sources.problems.append(f"--set {text}: expected KEY=VALUE, for example --set lora.r=16")
        return
    try:
        value = yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError):
        value = raw
    sources.put(key, value, f"--set {text}")


# --- checking --------------------------------------------------------------------------------------------------


def _validate(sources: _Sources) -> TrainConfig | None:
    config, faults = check(sources.values)
    for fault in faults:
        place, dotted = sources.place(fault.key), ".".join(fault.key)
        if not dotted:
            sources.problems.append(f"{place}: {fault.message}")
        elif not any(f" {dotted}: " in known for known in sources.problems):
            sources.problems.append(f"{place}: {dotted}: {fault.message}")
    return config
