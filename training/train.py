"""Trains the bundled model for a given number of minutes, then measures it on packages kept out of training.

Contexts grow from 512 tokens to --longest as training proceeds; shorter ones stay in the mix to the end. Hidden matrices
are trained by Muon (momentum, orthogonalised; Jordan et al. 2024, scaled as in arXiv 2502.16982), the rest by AdamW.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import time
import zlib
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from circuits import write_circuits
from contexts import ContextBuilder, load_packages
from model import Decoder, Shape, parameter_count

# "large" is trained on one GPU in minutes; "small" on two CPU cores in an hour or two.
SHAPES = {
    "large": Shape(),
    "small": Shape(hidden=256, layers=4, heads=4, kv_heads=4, intermediate=384, full_layers=(2,), context=32768),
}
# (share of the training time by which this length is the longest, tokens)
STAGES = [(0.06, 512), (0.14, 1024), (0.24, 2048), (0.36, 4096), (0.5, 8192), (0.64, 16384), (0.78, 32768), (0.9, 65536), (1.0, 131072)]


class Contexts(IterableDataset):
    """Batches of `step_tokens` tokens; the context length follows the shared progress (0..1)."""

    def __init__(self, builder, progress, step_tokens: int, longest: int, seed: int):
        self.builder, self.progress, self.step_tokens, self.longest, self.seed = builder, progress, step_tokens, longest, seed

    def __iter__(self):
        worker = get_worker_info()
        rng = random.Random(self.seed * 1009 + (worker.id if worker else 0))
        while True:
            longest = next(length for end, length in STAGES if self.progress.value <= end)
            longest = min(longest, self.longest)
            lengths = [512 << i for i in range(20) if 512 << i <= longest]
            length = longest if rng.random() < 0.5 else rng.choice(lengths)
            built = [self.builder.build(rng, length) for _ in range(max(1, self.step_tokens // length))]
            yield torch.from_numpy(np.stack([b[0] for b in built])), torch.from_numpy(np.stack([b[1] for b in built]))


class Muon(torch.optim.Optimizer):
    def __init__(self, parameters, lr: float, momentum: float = 0.95, weight_decay: float = 0.02):
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = orthogonal(p.grad.lerp(buffer, group["momentum"]))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.to(p.dtype), alpha=-group["lr"] * 0.2 * math.sqrt(max(p.shape)))


def orthogonal(gradient: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest (semi-)orthogonal matrix, by Newton-Schulz with the quintic coefficients of Jordan et al. 2024."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = gradient.bfloat16() if gradient.is_cuda else gradient.float()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        g = x @ x.T
        x = a * x + (b * g + c * g @ g) @ x
    return x.T if tall else x


def supervised_loss(model, ids, weights):
    """Mean cross-entropy over the weighted positions; logits are made for these alone."""
    hidden = model(ids)[:, :-1]
    target, weight = ids[:, 1:], weights[:, 1:]
    chosen = weight > 0
    logits = hidden[chosen] @ model.embed_tokens.weight.T.to(hidden.dtype)
    losses = F.cross_entropy(logits.float(), target[chosen], reduction="none")
    return (losses * weight[chosen]).sum() / weight[chosen].sum()


@torch.no_grad()
def evaluate(model, builder, lengths, contexts_per_length, device, autocast):
    """Share of answers whose anchor (all four tokens) is right, by length and kind; absent: the first token is right."""
    model.eval()
    table = {}
    for length in lengths:
        rng = random.Random(length)
        right, total = defaultdict(int), defaultdict(int)
        for _ in range(contexts_per_length(length)):
            ids, _, spans, _ = builder.build(rng, length)
            tensor = torch.from_numpy(ids)[None].to(device)
            with autocast():
                hidden = model(tensor)[0]
                for first, last, kind in spans:
                    depth = 1 if kind == "absent" else 4
                    logits = hidden[first - 1 : last - 1] @ model.embed_tokens.weight.T.to(hidden.dtype)
                    hit = logits.argmax(-1) == tensor[0, first:last]
                    right[kind] += bool(hit[:depth].all())
                    total[kind] += 1
                    if kind != "absent":
                        right["quote"] += bool(hit[4:].all())
                        total["quote"] += 1
        table[length] = {kind: (round(100 * right[kind] / total[kind], 1), total[kind]) for kind in sorted(total)}
        print(f"eval {length}: " + "  ".join(f"{k} {v[0]}% of {v[1]}" for k, v in table[length].items()), flush=True)
    model.train()
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True, help="model folder to write")
    parser.add_argument("--checkpoint", help="read it if it is there, write it at the end")
    parser.add_argument("--shape", choices=SHAPES, default="large")
    parser.add_argument("--circuits", action="store_true", help="begin from circuits.py, not at random")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--continue-from", help="a model folder whose weights to begin with")
    parser.add_argument("--start", type=float, default=0.0, help="progress (0..1) to begin at, after a checkpoint")
    parser.add_argument("--quote-share", type=float, default=1.0, help="share of answers whose quote is trained on")
    parser.add_argument("--warm", type=float, default=0.02)
    parser.add_argument("--longest", type=int, default=131072)
    parser.add_argument("--step-tokens", type=int, default=65536)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--eval", type=int, nargs="*", default=[512, 2048, 8192, 32768, 131072])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.time()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = True
    phrasings = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "phrasings.json")))
    packages = load_packages(arguments.corpus)
    kept_out = {name for name in packages if zlib.crc32(name.encode()) % 25 == 0}
    builder = ContextBuilder({n: s for n, s in packages.items() if n not in kept_out}, arguments.tokenizer, phrasings["train"], quote_share=arguments.quote_share)
    judge = ContextBuilder({n: s for n, s in packages.items() if n in kept_out}, arguments.tokenizer, phrasings["test"], rename=False)
    torch.manual_seed(arguments.seed)
    model = Decoder(SHAPES[arguments.shape])
    if arguments.circuits:
        first_anchor = builder.digit0["F"]
        write_circuits(model, range(first_anchor, first_anchor + 4 * 128))
    if arguments.continue_from:
        model.load(arguments.continue_from)
    model = model.to(device)
    print(f"{parameter_count(model) / 1e6:.1f}M parameters on {device}; {len(packages) - len(kept_out)} packages, {len(kept_out)} kept out", flush=True)
    if arguments.checkpoint and os.path.exists(arguments.checkpoint):
        model.load_state_dict(torch.load(arguments.checkpoint, map_location=device))
        print("continuing from", arguments.checkpoint, flush=True)
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    muon = Muon(matrices, lr=arguments.lr)
    adam = torch.optim.AdamW(others, lr=arguments.lr, betas=(0.9, 0.95), weight_decay=0.0)
    progress = multiprocessing.Value("d", arguments.start)
    data = Contexts(builder, progress, arguments.step_tokens, arguments.longest, arguments.seed)
    loader = iter(DataLoader(data, batch_size=None, num_workers=arguments.workers, prefetch_factor=2 if arguments.workers else None))

    def autocast():
        return torch.autocast("cuda", dtype=torch.bfloat16, enabled=device == "cuda")

    budget, step, tokens, shown = arguments.minutes * 60, 0, 0, time.time()
    recent = defaultdict(list)
    trained = time.time()
    while (share := (time.time() - trained) / budget) < 1:
        progress.value = arguments.start + (1 - arguments.start) * share
        factor = min(1.0, (share + 1e-3) / arguments.warm) * (1.0 if share < 0.5 else 0.03 + 0.97 * (1 - share) / 0.5)
        for optimizer in (muon, adam):
            for group in optimizer.param_groups:
                group["lr"] = arguments.lr * factor
        ids, weights = next(loader)
        ids, weights = ids.to(device, non_blocking=True), weights.to(device, non_blocking=True)
        with autocast():
            loss = supervised_loss(model, ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        muon.step()
        adam.step()
        model.zero_grad(set_to_none=True)
        step += 1
        tokens += ids.numel()
        recent[ids.shape[1]].append(loss.detach())
        if time.time() - shown > 15:
            shown = time.time()
            text = " ".join(f"{length}:{torch.stack(losses).mean().item():.3f}" for length, losses in sorted(recent.items()))
            print(f"{share:5.1%} step {step} {tokens / 1e6:.1f}M tokens {tokens / (time.time() - trained) / 1e3:.0f}K/s loss {text}", flush=True)
            recent.clear()
    model.export(arguments.out)
    if arguments.checkpoint:
        torch.save(model.state_dict(), arguments.checkpoint)
    print(f"trained {step} steps, {tokens / 1e6:.1f}M tokens in {time.time() - trained:.0f} s", flush=True)
    del loader
    table = evaluate(model, judge, arguments.eval, lambda n: max(1, min(40, 262144 // n)), device, autocast)
    with open(os.path.join(arguments.out, "training.json"), "w") as out:
        json.dump({"steps": step, "tokens": tokens, "minutes": arguments.minutes, "eval": table, "seconds": time.time() - began}, out, indent=1)


if __name__ == "__main__":
    main()
