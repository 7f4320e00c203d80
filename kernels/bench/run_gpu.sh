#!/usr/bin/env bash
# Builds the CUDA backend with its tests and benchmarks, checks it, and times it beside PyTorch where that is installed.
# Needs a GPU and nvcc; no Node.
#   run_gpu.sh RESULTS [step...]
# Of the attention kernels, in one call of under ten minutes and without CMake (the default is all of these):
#   check sanitize variants dense sparse chosen peers
# Of everything else, with CMake; the last two in calls of their own:
#   others      tests of the other kernels and of whole models
#   sanitize_others  the same under compute-sanitizer: memcheck, and racecheck of our kernels, not of cuBLASLt's
#   operations  every other kernel against the machine's limits
#   followup    a question on a million cached tokens, end to end
#   prefill     32K to a million tokens end to end, dense and sparse: eight minutes on an H200
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
results=${1:?the folder for results}
shift
steps=" ${*:-check sanitize variants dense sparse chosen peers} "
wants() {
  for step in "$@"; do case "$steps" in *" $step "*) return 0 ;; esac done
  return 1
}
longest=${LONGSIGHT_BENCH_TOKENS:-131072}
arch=${LONGSIGHT_CUDA_ARCH:-arch=compute_90a,code=sm_90a}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
mkdir -p "$results"
cd "$here" || exit 1

# A step that hangs must not take the others' time.
step() {
  wants "$1" || return 0
  local limit=$2
  shift 2
  timeout -k 5 "$limit" "$@" 2>&1 || echo "FAILED or out of time ($?): $*"
}
nvidia-smi --query-gpu=name,driver_version,clocks.sm,power.limit --format=csv,noheader

# With LONGSIGHT_BIN, programs that were built before are run.
if wants others sanitize_others operations followup prefill; then
  bin=${LONGSIGHT_BIN:-$build/cmake/bin}
  if [ -z "${LONGSIGHT_BIN:-}" ]; then
    targets=(kernels_cuda_{copies,decode,elementwise,sample,mass,matmul,quantize_rows,fp8,blas_abi}_test cuda_{prefill,search,model}_test longsight-bench-{cuda,followup,prefill})
    { cmake -S . -B "$build/cmake" -DLONGSIGHT_TESTS=ON -DLONGSIGHT_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=90a-real &&
      cmake --build "$build/cmake" -j"$(nproc)" --target "${targets[@]}"; } > "$results/build_cmake.log" 2>&1 ||
      { tail "$results/build_cmake.log"; exit 1; }
  fi
  {
    for test in copies decode elementwise sample mass matmul quantize_rows fp8 blas_abi; do step others 120 "$bin/kernels_cuda_${test}_test"; done
    step others 60 "$bin/cuda_prefill_test"
    step others 60 "$bin/cuda_search_test"
    step others 120 "$bin/cuda_model_test" test/golden glm4-9b llama llama31 qwen2 qwen3 smollm3
    for test in copies decode elementwise sample mass matmul quantize_rows fp8; do
      step sanitize_others 60 compute-sanitizer --print-limit 3 --tool memcheck "$bin/kernels_cuda_${test}_test"
      [ "$test" = copies ] || step sanitize_others 60 compute-sanitizer --print-limit 3 --tool racecheck \
        --kernel-name kernel_substring=longsight "$bin/kernels_cuda_${test}_test"
    done
    step sanitize_others 120 compute-sanitizer --print-limit 3 --tool memcheck "$bin/cuda_model_test" test/golden llama --quick
    step operations 120 "$bin/longsight-bench-cuda"
    million=1000000
    step followup 120 "$bin/longsight-bench-followup" --shape qwen2.5-7b --cached "$million"
    step followup 120 "$bin/longsight-bench-followup" --shape llama-3-8b --kv fp8 --cached "$million"
    # The device's own word on its memory, beside what the engine planned.
    sample() { exec nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -lms 200 >> "$build/memory"; }
    most() { echo "at most $(sort -n "$build/memory" | tail -1) MiB of the device in use" && : > "$build/memory"; }
    if wants prefill; then
      sample &
      sampler=$!
    fi
    lengths=32768,131072,262144
    llama=("$bin/longsight-bench-prefill" --device cuda --shape llama-3-8b --kv fp8)
    qwen=("$bin/longsight-bench-prefill" --device cuda --shape qwen2.5-7b)
    step prefill 180 "${qwen[@]}" --mode sparse --lengths "$lengths,524288,$million"
    wants prefill && most
    step prefill 180 "${llama[@]}" --mode sparse --lengths "$lengths,524288,$million"
    wants prefill && most
    step prefill 120 "${llama[@]}" --mode dense --lengths "$lengths"
    # Dense attention of a whole model takes minutes there: two layers of it, and all layers are alike.
    step prefill 120 "${llama[@]}" --mode dense --lengths "524288,$million" --layers 2
    step prefill 120 "${qwen[@]}" --mode dense --lengths "$million" --layers 2
    step prefill 180 "${llama[@]}" --weights fp8 --mode sparse --lengths "$million"
    [ -z "${sampler:-}" ] || kill "$sampler"
  } | tee "$results/models.txt"
fi
wants check sanitize variants dense sparse chosen peers || exit 0

flags=(-std=c++20 -O3 -Ikernels -Ikernels/cuda -Itest/native -Inative -gencode "$arch")
library=(attention_prefill attention_prefill_sparse probe lines blocks recall tensor_map)
tests=(attention_prefill_test attention_sparse_test attention_probe_test attention_choice_test attention_long_test)
benches=(cuda_attention cuda_attention_index)
sources=("${library[@]/#/kernels/cuda/}" "${tests[@]/#/test/native/cuda/}" "${benches[@]/#/kernels/bench/}")
pids=()
for source in "${sources[@]}"; do
  nvcc "${flags[@]}" -Xptxas -v -c "$source.cu" -o "$build/$(basename "$source").o" 2> "$results/build_$(basename "$source").log" &
  pids+=($!)
done
for oracle in kernels/reference/attention kernels/reference/attention_sparse native/engine/line_choice; do
  g++ -std=c++20 -O2 -Ikernels -Inative -c "$oracle.cpp" -o "$build/host_$(basename "$oracle").o" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || { cat "$results"/build_*.log | grep -i error; exit 1; }; done
# The path of GPUs before Hopper, as PTX, so that any GPU runs it.
for source in attention_prefill attention_prefill_sparse probe; do
  nvcc -std=c++20 -O3 -Ikernels -Ikernels/cuda -gencode arch=compute_80,code=compute_80 -DLONGSIGHT_NO_HOPPER \
    -c "kernels/cuda/$source.cu" -o "$build/ampere_$source.o" &
  pids+=($!)
done
# For racecheck: see kernels/cuda/attention_pipeline.cuh.
for source in attention_prefill attention_prefill_sparse probe; do
  nvcc "${flags[@]}" -DLONGSIGHT_EVERY_LANE_ARRIVES -c "kernels/cuda/$source.cu" -o "$build/racecheck_$source.o" &
done
wait
objects=("${library[@]/#/$build/}")
objects=("${objects[@]/%/.o}")
for program in "${tests[@]}" "${benches[@]}"; do
  nvcc -gencode "$arch" -o "$build/$program" "$build/$program.o" "$build"/host_*.o "${objects[@]}" || exit 1
done
for test in attention_prefill_test attention_sparse_test attention_probe_test; do
  for variant in ampere racecheck; do
    nvcc -gencode "$arch" -o "$build/${test}_$variant" "$build/$test.o" "$build"/host_*.o "$build/${variant}"_*.o \
      "$build"/{lines,blocks,recall,tensor_map}.o || exit 1
  done
done
cat "$results"/build_*.log > "$results/build.log" && rm "$results"/build_*.log
grep -c ' 0 bytes spill stores' "$results/build.log" | sed 's/^/kernels without spills: /'
grep -E 'C75[0-9]+|[1-9][0-9]* bytes spill' "$results/build.log"
{
  for test in "${tests[@]}" attention_{prefill,sparse,probe}_test_ampere; do
    step check 30 "$build/$test"
  done
  for test in "${tests[@]:0:4}"; do
    step sanitize 40 compute-sanitizer --print-limit 3 --tool memcheck "$build/$test" --quick
    racecheck=$build/${test}_racecheck
    [ -x "$racecheck" ] || racecheck=$build/$test
    step sanitize 40 compute-sanitizer --print-limit 3 --tool racecheck "$racecheck" --quick
  done
  step variants 60 "$build/cuda_attention" variants
  step dense 60 "$build/cuda_attention" dense "$longest"
  step sparse 60 "$build/cuda_attention" sparse "$longest"
  for ((tokens = 131072; tokens <= longest; tokens *= 2)); do
    for rows in "$tokens" 32768; do step chosen 20 "$build/cuda_attention_index" "$tokens" "$rows"; done
  done
  step peers 40 python3 kernels/bench/peers/attention_torch.py 131072
} | tee "$results/attention.txt"
