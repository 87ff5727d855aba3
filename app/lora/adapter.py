"""The adapter: attach it to a base model, count it, save it so that plain peft loads it, load it back."""

import errno
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig as PeftLoraConfig
from peft import PeftModel, TaskType, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from app.domain.errors import ConfigError, ModelUnusable, StorageError
from app.domain.plan import TrainingPlan
from app.lora.quiet import quiet_transformers
from app.runs.files import read_json, storage_errors, write_bytes_atomic, write_json

ADAPTER_FILE = "adapter_model.safetensors"
LOAD_FILE = "load.json"

_VARIANTS: dict[str, dict[str, Any]] = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "pissa": {"init_lora_weights": "pissa"},
    "olora": {"init_lora_weights": "olora"},
    "gaussian": {"init_lora_weights": "gaussian"},
    "orthogonal": {"init_lora_weights": "orthogonal"},
}


@dataclass(frozen=True)
class ParameterTable:
    """How many parameters there are and which are trained; `groups` has one row a kind of module."""

    total: int
    trainable: int
    groups: list[dict[str, Any]]


def attach(model: PreTrainedModel, plan: TrainingPlan) -> PeftModel:
    """Freeze `model`, add LoRA to the planned layers and leave the head trainable.

    ConfigError names targets or heads that the architecture does not have.
    """
    _check_names(model, "lora.target_modules", plan.target_modules)
    _check_names(model, "lora.modules_to_save", plan.modules_to_save)
    asked = plan.config.lora
    config = PeftLoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=asked.r,
        lora_alpha=asked.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=asked.lora_dropout,
        target_modules=list(plan.target_modules),
        modules_to_save=list(plan.modules_to_save),
        base_model_name_or_path=plan.base.hub_id,
        revision=plan.config.model.revision,
        **_VARIANTS[asked.variant],
    )
    torch.manual_seed(plan.config.training.seed)
    peft_model = get_peft_model(model, config)
    _check_trainable(peft_model, plan)
    return peft_model


def _check_names(model: PreTrainedModel, key: str, names: Sequence[str]) -> None:
    modules = [name for name, _ in model.named_modules() if name]
    unknown = [n for n in names if not any(m == n or m.endswith(f".{n}") for m in modules)]
    if unknown:
        leaves = sorted(
            {m.rsplit(".", 1)[-1] for m, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
        )
        raise ConfigError(
            f"{key}: {type(model).__name__} has no module {', '.join(map(repr, unknown))}",
            hint=f"its linear layers are {', '.join(leaves)}; 'auto' chooses for you",
        )


def _check_trainable(model: PeftModel, plan: TrainingPlan) -> None:
    """Only adapter and head may learn, and the whole head must; anything else would be lost on saving."""
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    stray = [name for name in trained if "lora_" not in name and ".modules_to_save." not in name]
    heads_missing = [
        head for head in plan.base.head_modules if not any(f".{head}.modules_to_save." in n for n in trained)
    ]
    if stray or heads_missing:
        raise ModelUnusable(
            f"the parameters to train are not what was planned: stray {stray[:3]}, head missing {heads_missing}",
            hint="leave lora.modules_to_save at 'auto'; layers without pretrained weights must be trained and saved",
        )


def parameter_table(model: PeftModel) -> ParameterTable:
    """Count parameters by part: adapter by kind of layer, head, frozen encoder. Shared ones count once."""
    sizes: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        sizes[_part_of(name, parameter.requires_grad)] += parameter.numel()
    groups: list[dict[str, Any]] = [
        {"part": part, "parameters": size, "trained": not part.startswith("frozen")}
        for part, size in sorted(sizes.items(), key=lambda item: (item[0].startswith("frozen"), item[0]))
    ]
    total = sum(sizes.values())
    trainable = sum(row["parameters"] for row in groups if row["trained"])
    return ParameterTable(total, trainable, groups)


def _part_of(name: str, trained: bool) -> str:
    if ".modules_to_save." in name:
        return "head " + name.split(".modules_to_save.", maxsplit=1)[0].rsplit(".", 1)[-1]
    if "lora_" in name:
        return "LoRA " + name.split(".lora_", maxsplit=1)[0].rsplit(".", 1)[-1]
    if ".original_module." in name:
        return "frozen copy of the head's start"
    return "trained otherwise" if trained else "frozen encoder"


def adapter_state(model: PeftModel) -> dict[str, torch.Tensor]:
    """Trained tensors under the names peft saves them by, contiguous and on the CPU."""
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(state.items())}


def load_adapter_state(model: PeftModel, state: Mapping[str, torch.Tensor]) -> None:
    """Put trained tensors back; StorageError when names do not match the model's."""
    result: Any = set_peft_model_state_dict(model, dict(state))
    missing = [name for name in result.missing_keys if "lora_" in name or ".modules_to_save." in name]
    if missing or result.unexpected_keys:
        raise StorageError(
            f"the saved adapter does not fit the model: missing {missing[:3]}, unexpected {result.unexpected_keys[:3]}",
            code="adapter.mismatch",
        )


def save_final_model(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    directory: Path,
    *,
    labels: Sequence[str],
    max_length: int,
) -> None:
    """Write a standard PEFT adapter, the tokenizer, the label map and `predict.py`; replaces an earlier one whole."""
    temporary = directory.with_name(f".{directory.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    with written(directory):
        temporary.mkdir(parents=True)
        model.save_pretrained(str(temporary), safe_serialization=True, save_embedding_layers=False)
        tokenizer.save_pretrained(str(temporary))
        (temporary / "README.md").unlink(missing_ok=True)
    id2label = {str(index): name for index, name in enumerate(labels)}
    write_json(
        temporary / LOAD_FILE,
        {
            "id2label": id2label,
            "label2id": {name: int(index) for index, name in id2label.items()},
            "max_length": max_length,
        },
    )
    script = Path(__file__).with_name("predict_template.py").read_bytes()
    write_bytes_atomic(temporary / "predict.py", script)
    with storage_errors(directory):
        shutil.rmtree(directory, ignore_errors=True)
        temporary.rename(directory)


@dataclass(frozen=True)
class SavedAdapter:
    """What `final_model/` says of itself."""

    directory: Path
    labels: list[str]
    max_length: int | None
    base_model: str


def read_saved(directory: Path) -> SavedAdapter:
    """Read an adapter's own files; an adapter made elsewhere has no load.json, its labels are numbered then."""
    try:
        config = read_json(directory / "adapter_config.json")
    except StorageError as error:
        raise ModelUnusable(
            f"{directory} holds no PEFT adapter", hint="give the directory with adapter_config.json"
        ) from error
    base_model = str(config.get("base_model_name_or_path") or "")
    if (directory / LOAD_FILE).is_file():
        load = read_json(directory / LOAD_FILE)
        labels = [load["id2label"][str(index)] for index in range(len(load["id2label"]))]
        return SavedAdapter(directory, labels, int(load["max_length"]), base_model)
    return SavedAdapter(directory, _numbered_labels(directory), None, base_model)


def _numbered_labels(directory: Path) -> list[str]:
    """LABEL_0, LABEL_1, ...: as many as the saved head has outputs."""
    if not (directory / ADAPTER_FILE).is_file():
        raise ModelUnusable(f"{directory} has no {ADAPTER_FILE}", hint="only safetensors adapters are loaded")
    state = load_file(directory / ADAPTER_FILE)
    heads = [
        t for name, t in state.items() if name.endswith((".classifier.weight", ".out_proj.weight", ".score.weight"))
    ]
    if not heads:
        raise ModelUnusable(f"the adapter in {directory} carries no classification head")
    return [f"LABEL_{index}" for index in range(heads[-1].shape[0])]


def load_saved(saved: SavedAdapter, base_directory: Path) -> PeftModel:
    """Load a saved adapter onto its base model in fp32, ready to predict."""
    id2label = dict(enumerate(saved.labels))
    with quiet_transformers():
        base = AutoModelForSequenceClassification.from_pretrained(
            base_directory,
            num_labels=len(saved.labels),
            id2label=id2label,
            label2id={name: index for index, name in id2label.items()},
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
        )
        model = PeftModel.from_pretrained(base, str(saved.directory), is_trainable=False, use_safetensors=True)
    return model.eval()


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors as safetensors; StorageError when the disk refuses."""
    with written(path):
        save_file(dict(tensors), path)


@contextmanager
def written(path: Path) -> Iterator[None]:
    """As `storage_errors`, for writers in Rust too, which raise kinds of their own (tokenizers a plain Exception)."""
    with storage_errors(path):
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            number = re.search(r"\(os error (\d+)\)", str(error))
            if number is None and not isinstance(error, SafetensorError):
                raise
            raise OSError(int(number[1]) if number else errno.EIO, str(error)) from error
