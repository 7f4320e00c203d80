"""The bundled model in PyTorch: SmolLM3's decoder (transformers' models/smollm3), with sliding-window layers that have
RoPE and full layers that have none. Its state dict has the names and shapes of transformers' SmolLM3ForCausalLM.
"""

import json
import math
import os
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


# How the daemon packs for this model; see daemon/prompt/profile.ts.
PROMPT_PROFILE = {
    "format": 1, "dialect": "anchor-tokens", "defaultContextTokens": 65536, "blockLines": 8, "digits": 128,
    "absentToken": "<|absent|>", "history": False,
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    vocabulary: int = 16384
    hidden: int = 384
    layers: int = 6
    heads: int = 6
    kv_heads: int = 3
    head: int = 64
    intermediate: int = 1024
    full_layers: tuple[int, ...] = (2, 4)  # no RoPE, all keys; the others: RoPE, the last `window` keys
    window: int = 512
    rope_theta: float = 10000.0
    eps: float = 1e-6
    context: int = 1048576  # what config.json allows; trained are 131,072, and no layer knows more than 512 positions


class Norm(nn.Module):
    def __init__(self, size: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight, self.eps).to(x.dtype)


def windowed_attention(q, k, v, window: int):
    """Causal attention in which query i sees keys i - window + 1 .. i. q, k, v: [batch, heads, length, head]."""
    batch, heads, length, size = q.shape
    if length <= window:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    blocks = length // window
    assert blocks * window == length, "a length is a multiple of the window"
    first = F.scaled_dot_product_attention(q[:, :, :window], k[:, :, :window], v[:, :, :window], is_causal=True)

    def by_block(x):
        return x.reshape(batch, heads, blocks, window, size).transpose(1, 2)

    def with_previous(x):
        x = by_block(x)
        return torch.cat((x[:, :-1], x[:, 1:]), dim=3).reshape(batch * (blocks - 1), heads, 2 * window, size)

    row = torch.arange(window, device=q.device)[:, None] + window
    column = torch.arange(2 * window, device=q.device)[None, :]
    mask = (row - column >= 0) & (row - column < window)
    rest = F.scaled_dot_product_attention(
        by_block(q)[:, 1:].reshape(batch * (blocks - 1), heads, window, size), with_previous(k), with_previous(v), attn_mask=mask
    )
    rest = rest.reshape(batch, blocks - 1, heads, window, size).transpose(1, 2).reshape(batch, heads, length - window, size)
    return torch.cat((first, rest), dim=2)


class Attention(nn.Module):
    def __init__(self, shape: Shape, layer: int):
        super().__init__()
        self.shape, self.full = shape, layer in shape.full_layers
        self.q_proj = nn.Linear(shape.hidden, shape.heads * shape.head, bias=False)
        self.k_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head, bias=False)
        self.v_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head, bias=False)
        self.o_proj = nn.Linear(shape.heads * shape.head, shape.hidden, bias=False)

    def forward(self, x, cos, sin):
        batch, length, _ = x.shape
        s = self.shape
        q = self.q_proj(x).view(batch, length, s.heads, s.head).transpose(1, 2)
        k = self.k_proj(x).view(batch, length, s.kv_heads, s.head).transpose(1, 2)
        v = self.v_proj(x).view(batch, length, s.kv_heads, s.head).transpose(1, 2)
        if not self.full:
            q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k = k.repeat_interleave(s.heads // s.kv_heads, dim=1)
        v = v.repeat_interleave(s.heads // s.kv_heads, dim=1)
        if self.full:
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            out = windowed_attention(q, k, v, s.window)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, s.heads * s.head))


def rotate(x, cos, sin):
    a, b = x.float().chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1).to(x.dtype)


class Mlp(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.down_proj = nn.Linear(shape.intermediate, shape.hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape: Shape, index: int):
        super().__init__()
        self.input_layernorm = Norm(shape.hidden, shape.eps)
        self.self_attn = Attention(shape, index)
        self.post_attention_layernorm = Norm(shape.hidden, shape.eps)
        self.mlp = Mlp(shape)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape, i) for i in range(shape.layers))
        self.norm = Norm(shape.hidden, shape.eps)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.weight.shape[1] ** -0.5)
        for layer in self.layers:
            layer.self_attn.o_proj.weight.data.mul_((2 * shape.layers) ** -0.5)
            layer.mlp.down_proj.weight.data.mul_((2 * shape.layers) ** -0.5)
        nn.init.normal_(self.embed_tokens.weight, std=0.04)

    def forward(self, ids):
        """ids [batch, length] -> normalised hidden states [batch, length, hidden]; logits = them times embed_tokens^T."""
        s = self.shape
        frequency = s.rope_theta ** (-torch.arange(0, s.head, 2, device=ids.device, dtype=torch.float32) / s.head)
        angle = torch.arange(ids.shape[1], device=ids.device, dtype=torch.float32)[:, None] * frequency
        cos, sin = angle.cos(), angle.sin()
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)

    def load(self, folder: str) -> None:
        """Reads what export wrote; config.json is taken to be of this shape."""
        from safetensors.torch import load_file

        tensors = load_file(os.path.join(folder, "model.safetensors"))
        self.load_state_dict({name.removeprefix("model."): value.float() for name, value in tensors.items()})

    def export(self, folder: str) -> None:
        """Writes config.json, generation_config.json, longsight.json and model.safetensors (bf16) of transformers' names."""
        from safetensors.torch import save_file

        s = self.shape
        os.makedirs(folder, exist_ok=True)
        config = {
            "architectures": ["SmolLM3ForCausalLM"], "model_type": "smollm3", "dtype": "bfloat16", "hidden_act": "silu",
            "hidden_size": s.hidden, "intermediate_size": s.intermediate, "num_hidden_layers": s.layers,
            "num_attention_heads": s.heads, "num_key_value_heads": s.kv_heads, "head_dim": s.head,
            "vocab_size": s.vocabulary, "max_position_embeddings": s.context, "rms_norm_eps": s.eps,
            "rope_theta": s.rope_theta, "rope_scaling": None, "attention_bias": False, "mlp_bias": False,
            "attention_dropout": 0.0, "tie_word_embeddings": True, "use_cache": True, "use_sliding_window": True,
            "sliding_window": s.window, "no_rope_layer_interval": 4,
            "no_rope_layers": [0 if i in s.full_layers else 1 for i in range(s.layers)],
            "layer_types": ["full_attention" if i in s.full_layers else "sliding_attention" for i in range(s.layers)],
            "initializer_range": 0.02, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        }  # fmt: skip
        write_json(folder, "config.json", config)
        write_json(folder, "longsight.json", PROMPT_PROFILE)
        write_json(folder, "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "do_sample": False})
        tensors = {f"model.{name}": value.detach().to("cpu", torch.bfloat16).contiguous() for name, value in self.state_dict().items()}
        save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})


def write_json(folder: str, name: str, value: dict) -> None:
    with open(os.path.join(folder, name), "w") as out:
        json.dump(value, out, indent=2)
        out.write("\n")


def parameter_count(model: nn.Module) -> int:
    return sum(math.prod(p.shape) for p in model.parameters())
