#!/usr/bin/env bash
# Builds the CUDA attention kernels with their tests and benchmarks, checks them, and times them beside PyTorch's where
# that is installed: one call of under ten minutes on a machine with a GPU and nvcc; no CMake, no Node.
#   run_gpu.sh RESULTS [step...]        steps: check sanitize variants dense sparse chosen peers (default: all)
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
results=${1:?the folder for results}
shift
steps=" ${*:-check sanitize variants dense sparse chosen peers} "
longest=${LONGSIGHT_BENCH_TOKENS:-131072}
arch=${LONGSIGHT_CUDA_ARCH:-arch=compute_90a,code=sm_90a}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
mkdir -p "$results"
cd "$here" || exit 1

flags=(-std=c++20 -O3 -Ikernels -Ikernels/cuda -Itest/native -Inative -gencode "$arch")
library=(attention_prefill attention_prefill_sparse probe lines blocks tensor_map)
tests=(attention_prefill_test attention_sparse_test attention_probe_test attention_long_test)
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
      "$build"/{lines,blocks,tensor_map}.o || exit 1
  done
done
cat "$results"/build_*.log > "$results/build.log" && rm "$results"/build_*.log
grep -c ' 0 bytes spill stores' "$results/build.log" | sed 's/^/kernels without spills: /'
grep -E 'C75[0-9]+|[1-9][0-9]* bytes spill' "$results/build.log"
nvidia-smi --query-gpu=name,driver_version,clocks.sm,power.limit --format=csv,noheader

# A step that hangs must not take the others' time.
step() {
  case "$steps" in *" $1 "*) ;; *) return 0 ;; esac
  local limit=$2
  shift 2
  timeout -k 5 "$limit" "$@" 2>&1 || echo "FAILED or out of time ($?): $*"
}
{
  for test in "${tests[@]}" attention_{prefill,sparse,probe}_test_ampere; do
    step check 30 "$build/$test"
  done
  for test in "${tests[@]:0:3}"; do
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
