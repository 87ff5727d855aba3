"""The fast path: the same mathematics with less work, switched on for a model that is already assembled.

- LoRA linear: base and adapter in one autograd node that computes no gradient of frozen weights and adds the
  low-rank part in place.
- Matrix products with frozen weights by oneDNN on a CPU: MKL, which PyTorch takes for fp32, leaves AVX-512 unused on
  processors of other makers (2.1x on Zen 5, 1.0 to 1.2x with AVX2 alone).
- First token only: classification heads read the first token, so the last layer computes nothing for the others
  but their keys and values.
- Dropout masks from 16 random bits an element instead of a random float.

Each is exact up to rounding (dropout: probability rounded to 1/65536). `enable` says what took effect; an
architecture without a fast path keeps the plain one. Shapes: B texts, T tokens, H hidden, O outputs, R rank, N heads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

_INT64_MIN = torch.iinfo(torch.int64).min


@dataclass(frozen=True)
class FastPath:
    """What `enable` switched on."""

    lora_linears: int
    frozen_linears: int
    first_token_layer: bool
    dropouts: int

    def __str__(self) -> str:
        parts = [f"{self.lora_linears} fused LoRA layers"]
        if self.frozen_linears:
            parts.append(f"{self.frozen_linears} frozen layers by oneDNN")
        if self.first_token_layer:
            parts.append("last layer computed for the first token only")
        if self.dropouts:
            parts.append(f"{self.dropouts} dropouts from random bits")
        return ", ".join(parts)


def enable(model: PeftModel) -> FastPath:
    """Switch the fast path on for the modules of `model` that have one; parameters and their names stay as they are."""
    core: Any = model.get_base_model()
    linears = [module for module in model.modules() if isinstance(module, LoraLinear) and _is_plain_lora(module)]
    for linear in linears:
        _replace_forward(linear, _lora_linear_forward)
    on_cpu = next(model.parameters()).device.type == "cpu"
    frozen = enable_frozen(core) if on_cpu else 0
    dropouts = _enable_dropout(core) if on_cpu else 0
    if on_cpu and core.config._attn_implementation == "eager":  # noqa: SLF001, transformers has no public name for it
        core.set_attn_implementation(_ATTENTION)
    return FastPath(len(linears), frozen, _enable_first_token(core), dropouts)


def _replace_forward(module: nn.Module, forward: Callable[..., Tensor]) -> None:
    module.forward = MethodType(forward, module)


# --- products with frozen weights ----------------------------------------------------------------------------------


def _onednn_product() -> Callable[..., Tensor] | None:
    """oneDNN's fp32 linear layer, which PyTorch uses for compiled models, or None where this build has none."""
    if not torch.backends.mkldnn.is_available():
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


_ONEDNN = _onednn_product()


def _product(x_MH: Tensor, w_OH: Tensor, b_O: Tensor | None = None) -> Tensor:
    """x W^T + b, (M, O)."""
    if _ONEDNN is None or x_MH.device.type != "cpu" or not x_MH.dtype == w_OH.dtype == torch.float32:
        return F.linear(x_MH, w_OH, b_O)
    return _ONEDNN(x_MH.contiguous(), w_OH, b_O, "none", [], "")


class _FrozenLinearFunction(torch.autograd.Function):
    """y = x W^T + b, with the gradient of x alone."""

    @staticmethod
    def forward(ctx: Any, x_MH: Tensor, w_OH: Tensor, b_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(w_OH)
        return _product(x_MH, w_OH, b_O)

    @staticmethod
    def backward(ctx: Any, g_MO: Tensor) -> tuple[Tensor, None, None]:
        (w_OH,) = ctx.saved_tensors
        return _product(g_MO, w_OH.t()), None, None


def _frozen_linear_forward(module: nn.Linear, x: Tensor) -> Tensor:
    if torch.is_autocast_enabled(x.device.type):
        return F.linear(x, module.weight, module.bias)
    y_MO: Tensor = _FrozenLinearFunction.apply(  # type: ignore[no-untyped-call]
        x.reshape(-1, x.shape[-1]), module.weight, module.bias
    )
    return y_MO.view(*x.shape[:-1], y_MO.shape[-1])


def enable_frozen(core: nn.Module) -> int:
    """Let the frozen linear layers of a model on a CPU take oneDNN; returns how many do."""
    if _ONEDNN is None:
        return 0
    adapted = {id(m.get_base_layer()) for m in core.modules() if isinstance(m, LoraLinear)}
    frozen = [
        m
        for m in core.modules()
        if type(m) is nn.Linear and id(m) not in adapted and not any(p.requires_grad for p in m.parameters())
    ]
    for module in frozen:
        _replace_forward(module, _frozen_linear_forward)
    return len(frozen)


# --- LoRA linear -----------------------------------------------------------------------------------------------


class _LoraLinearFunction(torch.autograd.Function):
    """y = x W^T + b + s (d A^T) B^T, where d is x after adapter dropout (x itself without).

    Saves x, d and d A^T; the gradients of W and b, which are frozen, are never computed.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x_MH: Tensor,
        d_MH: Tensor | None,
        w_OH: Tensor,
        b_O: Tensor | None,
        a_RH: Tensor,
        b_OR: Tensor,
        s: float,
    ) -> Tensor:
        dropped_MH = x_MH if d_MH is None else d_MH
        u_MR = dropped_MH @ a_RH.t()
        y_MO = _product(x_MH, w_OH, b_O)
        y_MO.addmm_(u_MR, b_OR.t(), alpha=s)
        ctx.save_for_backward(dropped_MH, u_MR, w_OH, a_RH, b_OR)
        ctx.scaling, ctx.has_dropout = s, d_MH is not None
        return y_MO

    @staticmethod
    def backward(ctx: Any, g_MO: Tensor) -> tuple[Tensor | None, ...]:
        dropped_MH, u_MR, w_OH, a_RH, b_OR = ctx.saved_tensors
        gb_MR = (g_MO @ b_OR).mul_(ctx.scaling)
        grad_a, grad_b = gb_MR.t() @ dropped_MH, (g_MO.t() @ u_MR).mul_(ctx.scaling)
        grad_x = grad_d = None
        if ctx.needs_input_grad[0]:
            grad_x = _product(g_MO, w_OH.t())
            if not ctx.has_dropout:
                grad_x.addmm_(gb_MR, a_RH)
        if ctx.has_dropout and ctx.needs_input_grad[1]:
            grad_d = gb_MR @ a_RH
        return grad_x, grad_d, None, None, grad_a, grad_b, None


def _is_plain_lora(module: LoraLinear) -> bool:
    """Whether the layer is vanilla LoRA with one active adapter over an ordinary frozen linear layer."""
    adapters = module.active_adapters
    return (
        len(adapters) == 1
        and adapters[0] in module.lora_A
        and adapters[0] not in module.lora_variant
        and type(module.get_base_layer()) is nn.Linear
        and not module.lora_bias.get(adapters[0], False)
        and not module.fan_in_fan_out
    )


def _lora_linear_forward(module: LoraLinear, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Stand in for peft's forward; merged, disabled and autocast layers go the plain way."""
    if module.merged or module.disable_adapters or torch.is_autocast_enabled(x.device.type):
        plain: Tensor = LoraLinear.forward(module, x, *args, **kwargs)
        return plain
    adapter = module.active_adapters[0]
    base, dropout = module.get_base_layer(), module.lora_dropout[adapter]
    x_MH = x.reshape(-1, x.shape[-1])
    d_MH = dropout(x_MH) if module.training and not isinstance(dropout, nn.Identity) else None
    a_RH, b_OR = module.lora_A[adapter].weight, module.lora_B[adapter].weight
    y_MO: Tensor = _LoraLinearFunction.apply(  # type: ignore[no-untyped-call]
        x_MH, d_MH, base.weight, base.bias, a_RH, b_OR, module.scaling[adapter]
    )
    return y_MO.view(*x.shape[:-1], y_MO.shape[-1])


# --- last layer, first token -----------------------------------------------------------------------------------


def _attend(q_BTH: Tensor, k_BTH: Tensor, v_BTH: Tensor, mask: Tensor | None, num_heads: int, dropout: float) -> Tensor:
    """Scaled dot-product attention of the queries given; `mask` is additive or boolean, over all queries of a text."""

    def split(t: Tensor) -> Tensor:
        return t.view(*t.shape[:-1], num_heads, -1).transpose(1, 2)

    first_mask = None if mask is None else mask[:, :, :1]
    context = F.scaled_dot_product_attention(
        split(q_BTH), split(k_BTH), split(v_BTH), attn_mask=first_mask, dropout_p=dropout
    )
    merged_BTH: Tensor = context.transpose(1, 2).flatten(-2)
    return merged_BTH


def _bert_first_token(
    layer: nn.Module, hidden_BTH: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any
) -> Tensor:
    attention: Any = layer.attention
    inner = attention.self
    first_B1H = hidden_BTH[:, :1]
    dropout = inner.dropout.p if layer.training else 0.0
    context = _attend(
        inner.query(first_B1H),
        inner.key(hidden_BTH),
        inner.value(hidden_BTH),
        attention_mask,
        inner.num_attention_heads,
        dropout,
    )
    attended_B1H: Tensor = attention.output(context, first_B1H)
    result: Tensor = layer.feed_forward_chunk(attended_B1H)  # type: ignore[operator]
    return result


def _distilbert_first_token(
    layer: nn.Module, hidden_BTH: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any
) -> Tensor:
    inner: Any = layer.attention
    first_B1H = hidden_BTH[:, :1]
    dropout = inner.dropout.p if layer.training else 0.0
    context = _attend(
        inner.q_lin(first_B1H), inner.k_lin(hidden_BTH), inner.v_lin(hidden_BTH), attention_mask, inner.n_heads, dropout
    )
    block: Any = layer
    attended_B1H = block.sa_layer_norm(inner.out_lin(context) + first_B1H)
    result: Tensor = block.output_layer_norm(block.ffn(attended_B1H) + attended_B1H)
    return result


_FIRST_TOKEN: dict[str, Callable[..., Tensor]] = {
    "BertForSequenceClassification": _bert_first_token,
    "RobertaForSequenceClassification": _bert_first_token,
    "XLMRobertaForSequenceClassification": _bert_first_token,
    "CamembertForSequenceClassification": _bert_first_token,
    "DistilBertForSequenceClassification": _distilbert_first_token,
}


def _enable_first_token(core: nn.Module) -> bool:
    """Replace the last layer's forward where the head is known to read the first token alone."""
    forward = _FIRST_TOKEN.get(type(core).__name__)
    if forward is None:
        return False
    encoder: Any = core.base_model
    layers = encoder.transformer.layer if forward is _distilbert_first_token else encoder.encoder.layer
    _replace_forward(layers[-1], forward)
    return True


# --- attention on a CPU ------------------------------------------------------------------------------------------

_ATTENTION = "bit_dropout"


def _bit_dropout_attention(
    module: nn.Module,
    query_BNTD: Tensor,
    key_BNTD: Tensor,
    value_BNTD: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, Tensor]:
    """transformers' plain attention with our dropout; on a CPU its backward is faster than SDPA's."""
    scale = query_BNTD.shape[-1] ** -0.5 if scaling is None else scaling
    scores_BNTT = (query_BNTD * scale) @ key_BNTD.transpose(-1, -2)
    if attention_mask is not None:
        scores_BNTT += attention_mask
    weights_BNTT = torch.softmax(scores_BNTT, dim=-1)
    if module.training and dropout > 0:
        weights_BNTT = bit_dropout(weights_BNTT, dropout)
    return (weights_BNTT @ value_BNTD).transpose(1, 2).contiguous(), weights_BNTT


AttentionInterface.register(_ATTENTION, _bit_dropout_attention)
AttentionMaskInterface.register(_ATTENTION, eager_mask)


# --- dropout ---------------------------------------------------------------------------------------------------


class _MaskedScale(torch.autograd.Function):
    """x * mask * scale, where the mask is kept as booleans."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return (x * mask).mul_(scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return (grad * mask).mul_(ctx.scale), None, None


def bit_dropout(x: Tensor, p: float) -> Tensor:
    """Dropout whose mask takes 16 bits of the global generator an element; `p` is rounded to 1/65536."""
    threshold = round(p * 65536)
    count = x.numel()
    bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_(_INT64_MIN, None)
    mask = bits.view(torch.int16)[:count].view(x.shape) >= threshold - 32768
    dropped: Tensor = _MaskedScale.apply(x, mask, 65536 / (65536 - threshold))  # type: ignore[no-untyped-call]
    return dropped


def _dropout_forward(module: nn.Dropout, x: Tensor) -> Tensor:
    return bit_dropout(x, module.p) if module.training and 0 < module.p < 1 else x


def _enable_dropout(core: nn.Module) -> int:
    dropouts = [m for m in core.modules() if type(m) is nn.Dropout and 0 < m.p < 1]
    for dropout in dropouts:
        _replace_forward(dropout, _dropout_forward)
    return len(dropouts)
