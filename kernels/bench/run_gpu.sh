#!/usr/bin/env bash
# Builds the CUDA backend with its tests and benchmarks, checks it, and times it beside PyTorch where that is installed: in
# one call of under ten minutes on a machine of sixteen cores. Needs a GPU, nvcc and CMake; no Node.
#   run_gpu.sh RESULTS [step...]
# What it prints goes to RESULTS/<date>-<card>.txt as well. The steps, of which the default is all but the last two:
#   check       every test, at one time; prefill attention's on the path of GPUs before Hopper too
#   sanitize    compute-sanitizer's memcheck and racecheck of the tests, on small shapes, at one time
#   attention   prefill attention, dense and sparse, the latter with its choice of lines too
#   peers       the same in PyTorch, and the path before Hopper
#   operations  every other kernel against the machine's limits
#   followup    a question on a million cached tokens, and decoding with less, end to end
#   million     a million tokens of Llama-3-8B's shape, sparse, end to end
#   prefill     32K to a million tokens end to end, dense and sparse: eight minutes on an H200
#   variants    tile sizes of prefill attention
# With LONGSIGHT_BIN, programs that were built before are run; LONGSIGHT_BENCH_TOKENS: the longest of step attention.
set -u
cd "$(dirname "$0")/../.." || exit 1
results=$(realpath -m "${1:?the folder for results}")
shift
steps=" ${*:-check sanitize attention peers operations followup million} "
longest=${LONGSIGHT_BENCH_TOKENS:-131072}
million=1000000
golden=$PWD/test/golden
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
mkdir -p "$results"
nvidia-smi -L > /dev/null || { echo "run_gpu.sh: nvidia-smi shows no GPU; this is for a machine that has one" >&2; exit 1; }

wants() { case "$steps" in *" $1 "*) return 0 ;; esac; return 1; }
# So that a step that hangs does not take the others' time.
run() {
  local limit=$1
  shift
  timeout -k 5 "$limit" "$@" 2>&1 || echo "FAILED or out of time ($?): $*"
}
# In the background: a test's last line.
check() {
  local log
  log=$(mktemp -p "$logs")
  run 120 "$@" > "$log"
  grep -E 'FAILED|skipped|passed' "$log" | tail -3 | sed "s|^|$(basename "$1"): |"
}
# The same under compute-sanitizer: its verdict, and between which kernels it saw hazards. Those of cuBLASLt's kernels (nvjet_)
# are not ours to mend.
sanitize() {
  local tool=$1 program log
  shift
  log=$(mktemp -p "$logs")
  program=$(printf '%s\n' "$@" | grep -m1 '_test')
  run 150 compute-sanitizer --print-limit 1000 --tool "$tool" --report-api-errors no "$@" > "$log"
  echo "$tool $(basename "$program"): $(grep -oE '(FAILED|[A-Z]+ SUMMARY:).*' "$log" | tr '\n' ' ')" \
    "$(grep -oE 'access at [^(+]*' "$log" | sort | uniq -c | sort -rn | head -4 | tr -s '\n ' ' ')"
}

bin=${LONGSIGHT_BIN:-$logs/build/bin}
if [ -z "${LONGSIGHT_BIN:-}" ]; then
  { cmake -S . -B "$logs/build" -DLONGSIGHT_TESTS=ON -DLONGSIGHT_CUDA=ON -DLONGSIGHT_CUDA_VARIANTS=ON \
      -DCMAKE_CUDA_ARCHITECTURES=90a-real "-DCMAKE_CUDA_FLAGS=-Xptxas -v" &&
    cmake --build "$logs/build" -j"$(nproc)"; } > "$results/build.log" 2>&1 || { tail "$results/build.log"; exit 1; }
fi
bench=$bin/longsight-bench

steps() {
  if wants check; then
    for test in "$bin"/kernels_cuda_*_test "$bin"/kernels_cuda_*_test_ampere "$bin"/cuda_{prefill,search}_test; do
      check "$test" &
    done
    check "$bin/cuda_model_test" "$golden" glm4-9b llama llama31 qwen2 qwen3 smollm3 &
    wait
  fi
  if wants sanitize; then
    for name in prefill sparse probe choice; do sanitize memcheck "$bin/kernels_cuda_attention_${name}_test" --quick & done
    for name in prefill sparse probe; do sanitize racecheck "$bin/kernels_cuda_attention_${name}_test_racecheck" --quick & done
    sanitize racecheck "$bin/kernels_cuda_attention_choice_test" --quick &
    for tool in memcheck racecheck; do
      for name in decode elementwise mass matmul quantize_rows fp8; do sanitize "$tool" "$bin/kernels_cuda_${name}_test" & done
      # Without the sort, CUB's, which takes minutes under racecheck.
      sanitize "$tool" --kernel-name-exclude kernel_substring=RadixSort "$bin/kernels_cuda_sample_test" --quick &
    done
    for name in kernels_cuda_copies cuda_prefill cuda_search; do sanitize memcheck "$bin/${name}_test" & done
    sanitize memcheck "$bin/cuda_model_test" "$golden" llama --quick &
    wait
  fi
  if wants variants; then run 60 "$bench-cuda-attention" variants; fi
  if wants attention; then
    run 60 "$bench-cuda-attention" dense "$longest"
    run 60 "$bench-cuda-attention" sparse "$longest"
    for ((tokens = 131072; tokens <= longest; tokens *= 2)); do
      for rows in "$tokens" 32768; do run 20 "$bench-cuda-attention-index" "$tokens" "$rows"; done
    done
  fi
  if wants peers; then
    run 40 python3 kernels/bench/peers/attention_torch.py "$longest"
    echo "the path before Hopper, its PTX on this GPU:"
    run 30 "$bench-cuda-attention_ampere" dense 32768
    run 30 "$bench-cuda-attention_ampere" sparse 131072
  fi
  if wants operations; then run 120 "$bench-cuda"; fi
  if wants followup; then
    run 60 "$bench-followup" --shape qwen2.5-7b --cached "$million"
    run 60 "$bench-followup" --shape llama-3-8b --kv fp8 --cached "$million"
    run 60 "$bench-followup" --shape llama-3-8b --kv fp8 --weights fp8 --cached "65536,$million"
    for shape in 24,896,14,2,64,4864,151936 28,1536,12,2,128,8960,151936 llama-3-8b; do
      run 60 "$bench-followup" --shape "$shape" --cached 4096,65536 --decode 150
    done
  fi
  llama=("$bench-prefill" --device cuda --shape llama-3-8b --kv fp8)
  if wants million; then run 120 "${llama[@]}" --mode sparse --lengths "131072,$million"; fi
  if wants prefill; then prefill; fi
}

prefill() {
  # The device's own word on its memory, beside what the engine planned.
  nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -lms 200 >> "$logs/memory" &
  local sampler=$! lengths=32768,131072,262144
  most() { echo "at most $(sort -n "$logs/memory" | tail -1) MiB of the device in use" && : > "$logs/memory"; }
  local qwen=("$bench-prefill" --device cuda --shape qwen2.5-7b)
  run 180 "${qwen[@]}" --mode sparse --lengths "$lengths,524288,$million" && most
  run 180 "${llama[@]}" --mode sparse --lengths "$lengths,524288,$million" && most
  run 120 "${llama[@]}" --mode dense --lengths "$lengths"
  # Dense attention of a whole model takes minutes there: two layers of it, and all layers are alike.
  run 120 "${llama[@]}" --mode dense --lengths "524288,$million" --layers 2
  run 120 "${qwen[@]}" --mode dense --lengths "$million" --layers 2
  run 180 "${llama[@]}" --weights fp8 --mode sparse --lengths "$million"
  kill "$sampler"
}

card=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1 | tr -cs 'A-Za-z0-9\n' '-')
{
  date -u '+%F %H:%M UTC'
  nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv,noheader
  if [ -f "$results/build.log" ]; then
    grep -c ' 0 bytes spill stores' "$results/build.log" | sed 's/^/kernels without spills: /'
    grep -E 'C75[0-9]+|[1-9][0-9]* bytes spill' "$results/build.log"
  fi
  steps
} 2>&1 | tee "$results/$(date -u +%F)-${card:-no-card}.txt"
