"""An initialisation that writes the circuit of "find the name, cite its anchor" into the first three layers.

Attention that looks back by a fixed offset and attention that matches what was looked up (an induction head, Olsson et
al. 2022, arXiv 2209.11895) take a randomly initialised model most of its training to find. Here layer 0 starts with
heads that read the two tokens before, layer 1 with one that reads the nearest anchor and one that gathers the words of
the question, and layer 2, which has no RoPE and sees everything, with heads that match those words and read the anchor
found. Every weight is trained from there; noise of the usual initialisation is added to all.
"""

import torch

from model import Decoder

SLOT = 44  # dimensions of one looked-up token in the residual stream
NOISE = 0.35


@torch.no_grad()
def write_circuits(model: Decoder, anchor_ids: range, seed: int = 1) -> None:
    shape = model.shape
    assert shape.hidden >= 4 * SLOT + 60 and shape.heads >= 4 and shape.head >= 64 and shape.heads // shape.kv_heads <= 2
    rng = torch.Generator().manual_seed(seed)

    def random(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns, generator=rng) / rows**0.5

    for name, p in model.named_parameters():
        if p.ndim == 2 and "embed" not in name:
            p.mul_(NOISE * (0.25 if "o_proj" in name else 1.0))

    # The residual stream: a constant, a mark of anchors, the token's own code, then what heads look up.
    constant, mark = 0, 1
    code = slice(2, shape.hidden - 4 * SLOT)
    one_back, two_back, asked, anchor = (slice(shape.hidden - (4 - i) * SLOT, shape.hidden - (3 - i) * SLOT) for i in range(4))
    width = code.stop - code.start
    embedding = torch.zeros(shape.vocabulary, shape.hidden)
    embedding[:, code] = torch.randn(shape.vocabulary, width, generator=rng) / width**0.5
    embedding[:, constant] = 0.5
    embedding[anchor_ids.start : anchor_ids.stop, mark] = 0.7
    model.embed_tokens.weight.copy_(embedding + 0.01 * torch.randn(embedding.shape, generator=rng))
    shrink = random(SLOT, width)  # a token's code as it lies in a slot

    half = shape.head // 2
    frequency = shape.rope_theta ** (-torch.arange(half).float() / half)
    group = shape.heads // shape.kv_heads
    # What a norm makes of the stream grows with the root of its width; the gains below were set at a width of 256.
    wide = (shape.hidden / 256) ** 0.5

    def rows(index: int) -> slice:
        return slice(index * shape.head, (index + 1) * shape.head)

    def query(layer: int, index: int) -> torch.Tensor:
        return model.layers[layer].self_attn.q_proj.weight[rows(index)]

    def key_value(layer: int, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        attention = model.layers[layer].self_attn
        return attention.k_proj.weight[rows(index // group)], attention.v_proj.weight[rows(index // group)]

    def output(layer: int, index: int) -> torch.Tensor:
        return model.layers[layer].self_attn.o_proj.weight[:, rows(index)]

    def look_back(layer: int, heads: range, offsets: list[int], gain: float, pairs: slice, key_dimension: int) -> None:
        """Heads with scores of gain^2 * sum over the pairs of cos(frequency * (distance - offset)), from constant inputs."""
        for index, offset in zip(heads, offsets):
            for i in range(half)[pairs]:
                query(layer, index)[i, constant] += gain / wide * torch.cos(frequency[i] * offset)
                query(layer, index)[i + half, constant] -= gain / wide * torch.sin(frequency[i] * offset)
        for index in own_keys(heads):
            for i in range(half)[pairs]:
                key_value(layer, index)[0][i, key_dimension] += gain / wide

    def own_keys(heads: range) -> list[int]:
        """The heads that stand for their group: the others share their K and V."""
        return [index for index in heads if index == heads[0] or index % group == 0]

    # Normalised inputs are some 13 times (layer 0), 10 times (layer 1) and 8 times (layer 2) what the stream holds.
    identity = torch.eye(SLOT)
    back = range(0, 2)
    look_back(0, back, [1, 2], 1.05, slice(0, 8), constant)
    for index in own_keys(back):
        key_value(0, index)[1][:SLOT, code] += shrink
    for index, slot in zip(back, (one_back, two_back)):
        output(0, index)[slot, :SLOT] += identity * 0.7 / 13 / wide
    look_back(1, range(0, 1), [0], 1.5, slice(14, 18), mark)
    key_value(1, 0)[1][:SLOT, code] += shrink
    output(1, 0)[anchor, :SLOT] += identity * 1.6 / 10 / wide

    # What identifies a name at its last token: the token and the two before it, each turned its own way.
    turns = [random(shape.head, SLOT) for _ in range(3)]
    name_code = torch.zeros(shape.head, shape.hidden)
    name_code[:, code] = turns[0] @ shrink
    name_code[:, one_back] = turns[1] * 1.2
    name_code[:, two_back] = turns[2] * 0.8
    squeeze = random(SLOT, shape.head)
    gather = range(2, 4)
    look_back(1, gather, [4, 7], 0.7, slice(2, 8), constant)
    for index in own_keys(gather):
        key_value(1, index)[1].add_(name_code)
    for index in gather:
        output(1, index)[asked, :] += squeeze * 0.8 / 10 / wide
    match = range(0, 2)
    for index in own_keys(match):
        key, value = key_value(2, index)
        key += name_code / wide
        value[:SLOT, anchor] += identity
    for index in match:
        query(2, index)[:, asked] += squeeze.T * 0.9 / wide
        output(2, index)[code, :SLOT] += shrink.T * 1.2 / 8 / wide

    # Quoting: find where the last two tokens stood under the cited anchor, and read what came next.
    q, (k, v) = query(2, 2), key_value(2, 2)
    q[:, code] += turns[0] @ shrink * 0.5 / wide
    q[:, one_back] += turns[1] * 0.6 / wide
    q[:, anchor] += turns[2] * 0.4 / wide
    k[:, one_back] += turns[0] * 0.6 / wide
    k[:, two_back] += turns[1] * 0.6 / wide
    k[:, anchor] += turns[2] * 0.4 / wide
    expand = random(shape.head, width)
    v[:, code] += expand
    output(2, 2)[code, :] += expand.T * 1.2 / 8 / wide
