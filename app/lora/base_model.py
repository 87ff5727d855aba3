"""Load a frozen encoder with a fresh classification head, and learn from it what a plan must know."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from app.domain.base_models import BaseModelInfo
from app.domain.errors import ModelUnusable
from app.domain.plan import BaseModelFacts
from app.lora.quiet import quiet_transformers
from app.models.base_models import LocatedModel
from app.runs.files import canonical_json, sha256_bytes, sha256_file


@dataclass(frozen=True)
class LoadedBase:
    """A base model in memory, and the facts a plan is made from."""

    model: PreTrainedModel
    facts: BaseModelFacts


def _load_config(directory: Path, labels: Sequence[str]) -> Any:
    id2label = dict(enumerate(labels))
    try:
        return AutoConfig.from_pretrained(
            directory,
            trust_remote_code=False,
            num_labels=len(labels),
            id2label=id2label,
            label2id={name: index for index, name in id2label.items()},
            problem_type="single_label_classification",
        )
    except (ValueError, OSError, KeyError) as error:
        raise ModelUnusable(
            f"transformers cannot read the architecture in {directory}: {str(error).splitlines()[0]}",
            hint="choose a model whose architecture transformers has built in; code of a model's own is never run",
        ) from error


def load_base(located: LocatedModel, labels: Sequence[str], seed: int, device: str = "cpu") -> LoadedBase:
    """Load the encoder in fp32; layers without pretrained weights are drawn from `seed`.

    On a CPU attention is the plain one, whose backward is faster there than that of SDPA.
    """
    config = _load_config(located.directory, labels)
    torch.manual_seed(seed)
    try:
        with quiet_transformers():
            model, report = AutoModelForSequenceClassification.from_pretrained(
                located.directory,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,
                attn_implementation="eager" if device == "cpu" else None,
                output_loading_info=True,
            )
    except (ValueError, OSError, KeyError, RuntimeError) as error:
        raise ModelUnusable(
            f"the base model in {located.directory} cannot be loaded for classification: {str(error).splitlines()[0]}",
            hint="choose an encoder (BERT, DistilBERT, RoBERTa, ALBERT, ...) with complete safetensors weights",
        ) from error
    model.name_or_path = model.config.name_or_path = located.info.hub_id  # what saved adapters refer to
    fresh = _fresh_parameters(report)
    heads = _head_modules(model, fresh)
    _refuse_unpretrained(model, fresh, heads, located.directory)
    return LoadedBase(model, _facts(model, heads, located.info, located.directory))


def _fresh_parameters(report: dict[str, Any]) -> set[str]:
    """Names of parameters that came from no file."""
    mismatched = {entry[0] if isinstance(entry, tuple) else entry for entry in report["mismatched_keys"]}
    return set(report["missing_keys"]) | mismatched


def _encoder_prefix(model: PreTrainedModel) -> str:
    return f"{model.base_model_prefix}."


def _head_modules(model: PreTrainedModel, fresh: set[str]) -> list[str]:
    """Modules that are trained in full: all outside the encoder, and parts of it without pretrained weights."""
    prefix = _encoder_prefix(model)
    heads = [
        name for name, child in model.named_children() if f"{name}." != prefix and any(True for _ in child.parameters())
    ]
    poolers = {name.removeprefix(prefix).split(".")[0] for name in fresh if name.startswith(prefix)}
    return heads + sorted(poolers & {"pooler"})


def _refuse_unpretrained(model: PreTrainedModel, fresh: set[str], heads: list[str], directory: Path) -> None:
    prefix = _encoder_prefix(model)
    missing = sorted(name for name in fresh if name.startswith(prefix) and not set(name.split(".")) & set(heads))
    if missing:
        raise ModelUnusable(
            f"{directory} lacks weights of the encoder itself: {', '.join(missing[:3])} ({len(missing)} in all)",
            hint="the files are incomplete, or of another architecture than config.json says",
        )


def _encoder_linears(model: PreTrainedModel, heads: list[str]) -> list[str]:
    """The encoder's linear layers that can carry an adapter, each kind named once by its path inside a layer."""
    kinds: dict[str, None] = {}
    for name, module in model.named_modules():
        inside = name.startswith(_encoder_prefix(model)) and "embedding" not in name
        if inside and isinstance(module, nn.Linear) and not set(name.split(".")) & {*heads, "pooler"}:
            parts = name.split(".")
            numbers = [index for index, part in enumerate(parts) if part.isdigit()]
            kinds[".".join(parts[numbers[-1] + 1 :]) if numbers else name] = None
    return list(kinds)


def fingerprint(directory: Path) -> str:
    """sha256 over config.json and every weight file: which base model exactly."""
    files = [directory / "config.json", *sorted(directory.glob("*.safetensors"))]
    return sha256_bytes(canonical_json({file.name: sha256_file(file) for file in files}))


def max_positions(model: PreTrainedModel) -> int:
    """Longest input in tokens; architectures that keep positions for padding (RoBERTa) lose those."""
    config = model.config
    positions = int(getattr(config, "max_position_embeddings", 512) or 512)
    embeddings = getattr(model.base_model, "embeddings", None)
    padding: int | None = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    if padding is not None:
        positions -= padding + 1
    return min(positions, 8192)


def _facts(model: PreTrainedModel, heads: list[str], info: BaseModelInfo, directory: Path) -> BaseModelFacts:
    return BaseModelFacts(
        name=info.name,
        hub_id=info.hub_id,
        language=info.language,
        architecture=type(model).__name__,
        fingerprint=fingerprint(directory),
        max_positions=max_positions(model),
        hidden_size=int(model.config.hidden_size),
        encoder_linears=_encoder_linears(model, heads),
        head_modules=heads,
    )
