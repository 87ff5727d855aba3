"""Base models of every kind: heads, targets, saving, and adapters made elsewhere."""

import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from app.domain.errors import ModelUnusable, StorageError
from app.lora.adapter import load_saved, read_saved, save_final_model
from app.lora.base_model import load_base
from app.lora.inference import predict_logits
from app.models.base_models import locate


@pytest.mark.parametrize(
    ("architecture", "heads", "targets"),
    [
        ("bert", {"classifier"}, {"attention.self.query", "attention.output.dense", "intermediate.dense"}),
        ("distilbert", {"pre_classifier", "classifier"}, {"attention.q_lin", "attention.out_lin", "ffn.lin1"}),
        ("roberta", {"classifier"}, {"attention.self.value", "output.dense"}),
        ("albert", {"classifier"}, {"attention.query", "attention.dense", "ffn", "ffn_output"}),
    ],
)
def test_heads_and_targets_are_found_for_each_architecture(
    architecture: str, heads: set[str], targets: set[str], tiny_model: Callable[..., Path]
) -> None:
    facts = load_base(locate(str(tiny_model(architecture))), ["a", "b"], seed=0).facts
    assert set(facts.head_modules) >= heads
    assert set(facts.encoder_linears) >= targets
    assert not any("classifier" in name or "embedding" in name for name in facts.encoder_linears)


def test_positions_kept_for_padding_are_not_counted(tiny_model: Callable[..., Path]) -> None:
    assert load_base(locate(str(tiny_model("roberta"))), ["a", "b"], seed=0).facts.max_positions == 512


def test_an_encoder_with_missing_weights_is_refused(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    from safetensors.torch import save_file

    directory = tmp_path / "model"
    shutil.copytree(tiny_model("bert"), directory)
    weights = load_file(directory / "model.safetensors")
    weights.pop(next(name for name in weights if "layer.1.output.dense.weight" in name))
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnusable, match="lacks weights of the encoder"):
        load_base(locate(str(directory)), ["a", "b"], seed=0)


def test_an_adapter_made_elsewhere_loads_and_answers(
    assets: Path, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    """The public adapter fits a model of distilbert-base-uncased's shape: its tensors arrive unchanged."""
    from transformers import DistilBertConfig, DistilBertModel

    base = tmp_path / "distilbert"
    shutil.copytree(tiny_model("distilbert"), base)
    torch.manual_seed(0)
    DistilBertModel(DistilBertConfig()).save_pretrained(base)
    source = assets / "models" / "lora-adapter-distilbert-emotion"
    saved = read_saved(source)
    assert len(saved.labels) == 6
    model = load_saved(saved, base)
    stored = load_file(source / "adapter_model.safetensors")
    name = next(n for n in stored if n.endswith("q_lin.lora_A.weight"))
    loaded = dict(model.named_parameters())[name.replace("lora_A.weight", "lora_A.default.weight")]
    torch.testing.assert_close(loaded.detach(), stored[name].float())
    head = dict(model.named_parameters())["base_model.model.classifier.modules_to_save.default.weight"]
    torch.testing.assert_close(head.detach(), stored["base_model.model.classifier.weight"].float())
    logits = predict_logits(model, [[101, 2023, 102]], pad_token_id=0, batch_size=1)
    assert logits.shape == (1, 6)


def test_a_disk_that_refuses_the_model_is_the_disks_fault(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer

    base = load_base(locate(str(tiny_model("bert"))), ["a", "b"], seed=0)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model("bert"))
    model = get_peft_model(base.model, LoraConfig(task_type="SEQ_CLS", r=2))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match="cannot write"):
            save_final_model(model, tokenizer, tmp_path / "final", labels=["a", "b"], max_length=16)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "final").exists()
