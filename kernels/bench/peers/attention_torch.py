"""PyTorch's attention on this GPU, for comparison: causal, bf16, 32 query heads on 8 KV heads of 128."""

import sys

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention


def median_ms(work, runs):
    work()
    times = []
    for _ in range(runs):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return sorted(times)[len(times) // 2]


def main(longest):
    print(f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {torch.cuda.get_device_name()}")
    tokens = 8192
    while tokens <= longest:
        q = torch.randn(1, 32, tokens, 128, device="cuda", dtype=torch.bfloat16)
        k, v = (torch.randn(1, 8, tokens, 128, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        flops = 4 * 128 * 32 * tokens * (tokens + 1) / 2
        for name, backend, most in (("cuDNN", SDPBackend.CUDNN_ATTENTION, longest), ("flash", SDPBackend.FLASH_ATTENTION, 32768)):
            if tokens > most:
                continue
            with sdpa_kernel(backend):
                ms = median_ms(lambda: scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True), 3 if tokens > 65536 else 9)
            print(f"peer  {name:28} {tokens:8} tokens {tokens:7} rows {ms:10.3f} ms {flops / ms / 1e9:7.1f} TFLOP/s", flush=True)
        tokens *= 2


main(int(sys.argv[1]) if len(sys.argv) > 1 else 131072)
