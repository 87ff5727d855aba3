"""The fast path computes what the plain one does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from app.lora import fast
from app.lora.base_model import load_base
from app.lora.inference import pad, predict_logits
from app.models.base_models import locate

ARCHITECTURES = ["bert", "distilbert", "roberta", "albert", "bert-base-chinese"]
ROWS = [[2, 40, 41, 42, 3], [2, 50, 51, 3], [2, 60, 61, 62, 63, 64, 65, 3]]


def _adapted(directory: Path, *, dropout: float = 0.0, **options: Any) -> PeftModel:
    """A tiny encoder with LoRA whose B is not zero, so that the adapter counts."""
    base = load_base(locate(str(directory)), ["a", "b", "c"], seed=1)
    config = LoraConfig(
        task_type="SEQ_CLS",
        r=4,
        lora_alpha=8,
        lora_dropout=dropout,
        target_modules=base.facts.encoder_linears,
        modules_to_save=base.facts.head_modules,
        **options,
    )
    model = get_peft_model(base.model, config)
    torch.manual_seed(2)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def _loss_and_gradients(model: PeftModel) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    ids_BT, mask_BT = pad(ROWS, 0)
    model.zero_grad()
    output = model(input_ids=ids_BT, attention_mask=mask_BT, labels=torch.tensor([0, 1, 2]))
    output.loss.backward()
    return output.logits.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_and_gradients_are_those_of_the_plain_path(architecture: str, tiny_model: Callable[..., Path]) -> None:
    model = _adapted(tiny_model(architecture)).eval()
    logits, gradients = _loss_and_gradients(model)
    switched = fast.enable(model)
    fast_logits, fast_gradients = _loss_and_gradients(model)
    assert switched.lora_linears > 0
    torch.testing.assert_close(fast_logits, logits, atol=1e-5, rtol=1e-4)
    assert gradients.keys() == fast_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(fast_gradients[name], gradient, atol=1e-5, rtol=1e-3, msg=name)


@pytest.mark.parametrize(
    ("architecture", "expected"), [("bert", True), ("distilbert", True), ("roberta", True), ("albert", False)]
)
def test_only_known_architectures_compute_the_last_layer_for_one_token(
    architecture: str, expected: bool, tiny_model: Callable[..., Path]
) -> None:
    assert fast.enable(_adapted(tiny_model(architecture))).first_token_layer is expected


def test_frozen_layers_beside_the_adapted_ones_compute_the_same(tiny_model: Callable[..., Path]) -> None:
    base = load_base(locate(str(tiny_model("bert"))), ["a", "b", "c"], seed=1)
    config = LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query"], init_lora_weights=False)
    model = get_peft_model(base.model, config).eval()
    logits, gradients = _loss_and_gradients(model)
    switched = fast.enable(model)
    fast_logits, fast_gradients = _loss_and_gradients(model)
    assert switched.frozen_linears > 0
    torch.testing.assert_close(fast_logits, logits, atol=1e-5, rtol=1e-4)
    assert gradients.keys() == fast_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(fast_gradients[name], gradient, atol=1e-5, rtol=1e-3, msg=name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_product_takes_any_layout(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x_MH, w_OH = torch.randn(7, 5, dtype=dtype), torch.randn(3, 5, dtype=dtype)
    for x in (x_MH, x_MH.t().contiguous().t(), torch.ones(1, 5, dtype=dtype).expand(7, 5)):
        for w in (w_OH, w_OH.t().contiguous().t()):
            torch.testing.assert_close(fast._product(x, w), x @ w.t(), atol=1e-5, rtol=1e-5)


def test_variants_of_lora_keep_the_plain_path(tiny_model: Callable[..., Path]) -> None:
    model = _adapted(tiny_model("bert"), use_dora=True).eval()
    logits, _ = _loss_and_gradients(model)
    assert fast.enable(model).lora_linears == 0
    torch.testing.assert_close(_loss_and_gradients(model)[0], logits, atol=1e-5, rtol=1e-4)


def test_adapter_dropout_drops_before_the_adapter_alone(tiny_model: Callable[..., Path]) -> None:
    model = _adapted(tiny_model("bert"), dropout=0.5).train()
    fast.enable(model)
    linear = next(m for m in model.modules() if isinstance(m, fast.LoraLinear))
    x = torch.randn(7, linear.in_features, requires_grad=True)
    torch.manual_seed(3)
    dropped = linear.lora_dropout["default"](x)
    expected = linear.base_layer(x) + linear.lora_B["default"](linear.lora_A["default"](dropped)) * 2.0
    (expected_gradient,) = torch.autograd.grad(expected.square().sum(), x)
    torch.manual_seed(3)
    found = linear(x)
    (gradient,) = torch.autograd.grad(found.square().sum(), x)
    assert (dropped == 0).any()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(gradient, expected_gradient, atol=1e-4, rtol=1e-3)


def test_bit_dropout_drops_the_share_asked_for_and_keeps_the_mean() -> None:
    torch.manual_seed(4)
    x = torch.ones(1000, 1001, requires_grad=True)
    dropped = fast.bit_dropout(x, 0.1)
    dropped.sum().backward()
    assert abs((dropped == 0).float().mean().item() - 0.1) < 0.002
    assert abs(dropped.mean().item() - 1) < 0.002
    torch.testing.assert_close(x.grad, dropped.detach())


def test_bf16_autocast_takes_the_plain_way(tiny_model: Callable[..., Path]) -> None:
    model = _adapted(tiny_model("bert"))
    settings = {"pad_token_id": 0, "batch_size": 2, "precision": "bf16"}
    expected = predict_logits(model, ROWS, **settings)
    fast.enable(model)
    found = predict_logits(model, ROWS, **settings)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), atol=0.05, rtol=0.05)


def test_prediction_keeps_order_mode_and_generator(tiny_model: Callable[..., Path]) -> None:
    model = _adapted(tiny_model("bert")).train()
    state = torch.get_rng_state()
    together = predict_logits(model, ROWS, pad_token_id=0, batch_size=3)
    alone = [predict_logits(model, [row], pad_token_id=0, batch_size=1)[0] for row in ROWS]
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-5, rtol=1e-4)
