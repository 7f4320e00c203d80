#!/usr/bin/env bash
# Trains the large shape on one GPU and leaves the model under $OUT, cut into parts of 15 MB.
# usage: training/run_gpu.sh MINUTES [train.py arguments]   (needs PyTorch, tokenizers, safetensors; training/data/corpus.jsonl.xz)
set -euo pipefail
cd "$(dirname "$0")"
out=${OUT:?set OUT to a folder for the results}
minutes=$1
shift
work=${WORK:-/tmp/longsight-training}
mkdir -p "$work"
export TOKENIZERS_PARALLELISM=false PYTORCH_ALLOC_CONF=expandable_segments:True
nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
python3 train.py --corpus data/corpus.jsonl.xz --tokenizer ../models/bundled/tokenizer.json --shape large \
  --minutes "$minutes" --out "$work/model" --checkpoint "$work/model.pt" "$@" 2>&1 | tee "$out/train.log"
cp "$work"/model/*.json "$out/"
split -b 15000000 "$work/model/model.safetensors" "$out/model.safetensors."
