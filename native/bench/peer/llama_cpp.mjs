// llama.cpp's CPU prefill on the model that longsight-bench-model runs by default: the same shape, uniform random
// weights of the same range, the same token ids. Prints tokens per second, timing the evaluation alone, and the
// processor seconds that it took, which tell on a shared machine how much of the wall time the threads really ran.
//
// llama.cpp comes prebuilt with the npm package node-llama-cpp, installed in a folder of its own, outside this project:
//
//   mkdir /tmp/llama-cpp && cd /tmp/llama-cpp && npm init -y && npm install --ignore-scripts node-llama-cpp@3.22.1
//   node native/bench/peer/llama_cpp.mjs --from /tmp/llama-cpp --lengths 4096,16384
//
// On AVX2 compare with `--weights f16 --kv f16`, there about three times as fast as bf16. One difference remains when the
// figures are laid side by side: of the last layer ours computes only K and V, llama.cpp also its attention.
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const shape = { layers: 6, hidden: 512, heads: 8, kvHeads: 2, headSize: 64, ffn: 1536, vocabulary: 16384 };

/** GGUF's numbers for a tensor's type and for the whole file's (`ggml_type` and `llama_ftype` in ggml-org/llama.cpp). */
const weightFormats = {
  bf16: { tensorType: 30, fileType: 32, encode: (/** @type {number} */ bits) => bits >>> 16 },
  f16: { tensorType: 1, fileType: 1, encode: halfFromFloatBits },
};
const alignment = 32;

/** Truncates an fp32 bit pattern to fp16; below fp16's smallest normal number it becomes zero. */
function halfFromFloatBits(/** @type {number} */ bits) {
  const exponent = ((bits >>> 23) & 0xff) - 112; // fp32's bias 127 to fp16's 15
  return exponent <= 0 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

/** Fills matrices one after another, values within +-1 / sqrt(columns), as random_model.cpp does. */
function randomMatrices(/** @type {(bits: number) => number} */ encode) {
  let state = 1;
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  return (/** @type {number} */ rows, /** @type {number} */ columns) =>
    Uint16Array.from({ length: rows * columns }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
      float[0] = ((state >>> 8) * 2 ** -23 - 1) / Math.sqrt(columns);
      return encode(bits[0]);
    });
}

/** @returns {{ name: string, rows?: number, columns: number }[]} every tensor in file order; no rows: a norm's vector */
function tensorList() {
  const { hidden, ffn, vocabulary } = shape;
  const query = shape.heads * shape.headSize;
  const kv = shape.kvHeads * shape.headSize;
  const layers = Array.from({ length: shape.layers }, (_, layer) =>
    [
      { name: "attn_norm", columns: hidden },
      { name: "attn_q", rows: query, columns: hidden },
      { name: "attn_k", rows: kv, columns: hidden },
      { name: "attn_v", rows: kv, columns: hidden },
      { name: "attn_output", rows: hidden, columns: query },
      { name: "ffn_norm", columns: hidden },
      { name: "ffn_gate", rows: ffn, columns: hidden },
      { name: "ffn_up", rows: ffn, columns: hidden },
      { name: "ffn_down", rows: hidden, columns: ffn },
    ].map((tensor) => ({ ...tensor, name: `blk.${layer}.${tensor.name}.weight` })),
  );
  return [
    { name: "token_embd.weight", rows: vocabulary, columns: hidden },
    ...layers.flat(),
    { name: "output_norm.weight", columns: hidden },
    { name: "output.weight", rows: vocabulary, columns: hidden },
  ];
}

const uint32 = (/** @type {number} */ value) => Buffer.from(Uint32Array.of(value).buffer);
const uint64 = (/** @type {number} */ value) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const float32 = (/** @type {number} */ value) => Buffer.from(Float32Array.of(value).buffer);
const string = (/** @type {string} */ text) => Buffer.concat([uint64(Buffer.byteLength(text)), Buffer.from(text)]);
const padding = (/** @type {number} */ bytes) => Buffer.alloc((alignment - (bytes % alignment)) % alignment);

/** A vocabulary that loads: llama.cpp wants one though token ids go in as they are. Bytes start at id 3, as in Llama's. */
function vocabulary() {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  const fixed = ["<unk>", "<s>", "</s>", ...bytes];
  const tokens = Array.from({ length: shape.vocabulary }, (_, i) => fixed[i] ?? `token${i}`);
  const [normal, unknown, control, byte] = [1, 2, 3, 6]; // llama_token_type
  const types = tokens.map((_, i) => [unknown, control, control][i] ?? (i < fixed.length ? byte : normal));
  return { tokens, types };
}

/** Key-value entries, each with GGUF's number for its value's type: 4 uint32, 6 float32, 8 string, 9 array. */
function metadata(/** @type {number} */ fileType, /** @type {number} */ contextLength) {
  const text = (/** @type {string} */ key, /** @type {string} */ value) => [string(key), uint32(8), string(value)];
  const count = (/** @type {string} */ key, /** @type {number} */ value) => [string(key), uint32(4), uint32(value)];
  const real = (/** @type {string} */ key, /** @type {number} */ value) => [string(key), uint32(6), float32(value)];
  const array = (/** @type {string} */ key, /** @type {number} */ type, /** @type {Buffer[]} */ items) =>
    [string(key), uint32(9), uint32(type), uint64(items.length)].concat(items);
  const { tokens, types } = vocabulary();
  return [
    text("general.architecture", "llama"),
    count("general.file_type", fileType),
    count("llama.block_count", shape.layers),
    count("llama.context_length", contextLength),
    count("llama.embedding_length", shape.hidden),
    count("llama.feed_forward_length", shape.ffn),
    count("llama.attention.head_count", shape.heads),
    count("llama.attention.head_count_kv", shape.kvHeads),
    real("llama.attention.layer_norm_rms_epsilon", 1e-6),
    count("llama.rope.dimension_count", shape.headSize),
    real("llama.rope.freq_base", 500000),
    count("llama.vocab_size", shape.vocabulary),
    text("tokenizer.ggml.model", "llama"),
    array("tokenizer.ggml.tokens", 8, tokens.map(string)),
    array("tokenizer.ggml.token_type", 5, types.map(uint32)), // 5: int32
  ];
}

/** Writes the model as GGUF version 3 (docs/gguf.md in ggml-org/ggml). */
function writeModel(/** @type {string} */ file, /** @type {"bf16" | "f16"} */ weights, /** @type {number} */ context) {
  const { tensorType, fileType, encode } = weightFormats[weights];
  const entries = metadata(fileType, context);
  const tensors = tensorList();
  let offset = 0;
  const infos = tensors.flatMap(({ name, rows, columns }) => {
    const dimensions = rows === undefined ? [columns] : [columns, rows]; // the fastest-running first
    const bytes = rows === undefined ? columns * 4 : rows * columns * 2;
    const type = rows === undefined ? 0 : tensorType; // 0: fp32
    const info = [string(name), uint32(dimensions.length), ...dimensions.map(uint64), uint32(type), uint64(offset)];
    offset += bytes + padding(bytes).length;
    return info;
  });
  const start = [Buffer.from("GGUF"), uint32(3), uint64(tensors.length), uint64(entries.length)];
  const header = Buffer.concat([...start, ...entries.flat(), ...infos]);
  const nextMatrix = randomMatrices(encode);
  const output = openSync(file, "w");
  try {
    writeSync(output, Buffer.concat([header, padding(header.length)]));
    for (const { rows, columns } of tensors) {
      const values = rows === undefined ? new Float32Array(columns).fill(1) : nextMatrix(rows, columns);
      const data = Buffer.from(values.buffer);
      writeSync(output, Buffer.concat([data, padding(data.length)]));
    }
  } finally {
    closeSync(output);
  }
}

const { values: options } = parseArgs({
  options: {
    from: { type: "string" },
    lengths: { type: "string", default: "4096,16384" },
    threads: { type: "string", default: "2" },
    batch: { type: "string", default: "512" },
    weights: { type: "string", default: "bf16" },
    kv: { type: "string", default: "bf16" },
  },
});
const lengths = options.lengths.split(",").map(Number);
const [threads, batchSize] = [Number(options.threads), Number(options.batch)];
const valid = [...lengths, threads, batchSize].every((value) => Number.isInteger(value) && value > 0);
if (!options.from || !valid || ![options.weights, options.kv].every((format) => format in weightFormats)) {
  console.error(
    "usage: llama_cpp.mjs --from FOLDER [--lengths N,N] [--threads N] [--batch N] [--weights bf16|f16] [--kv bf16|f16]",
  );
  process.exit(2);
}

const entry = path.join(path.resolve(options.from), "node_modules", "node-llama-cpp", "dist", "index.js");
const { getLlama } = await import(pathToFileURL(entry).href);
const folder = mkdtempSync(path.join(tmpdir(), "longsight-peer-"));
try {
  const modelPath = path.join(folder, "random.gguf");
  writeModel(modelPath, options.weights, Math.max(...lengths) + batchSize);
  const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: "error" });
  const model = await llama.loadModel({ modelPath, useMmap: false });
  console.log(`llama.cpp ${llama.llamaCppRelease.release}, ${llama.systemInfo}`);
  console.log(`${threads} threads, batch ${batchSize}, weights ${options.weights}, KV ${options.kv}, flash attention`);
  for (const length of lengths) {
    const context = await model.createContext({
      contextSize: length + batchSize,
      batchSize,
      threads,
      flashAttention: true,
      experimentalKvCacheKeyType: options.kv.toUpperCase(),
      experimentalKvCacheValueType: options.kv.toUpperCase(),
    });
    const sequence = context.getSequence();
    const tokens = Array.from({ length }, (_, i) => (i * 7919) % shape.vocabulary);
    await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(0, batchSize)); // first use allocates
    await sequence.clearHistory();
    const [start, startCpu] = [performance.now(), process.cpuUsage()];
    await sequence.evaluateWithoutGeneratingNewTokens(tokens);
    const seconds = (performance.now() - start) / 1e3;
    const { user, system } = process.cpuUsage(startCpu);
    const machine = `${((user + system) / 1e6).toFixed(1)} processor seconds, load average ${loadavg()[0].toFixed(2)}`;
    console.log(`prefill  ${length} tokens  ${(length / seconds).toFixed(1)} tokens/s  (${machine})`);
    await context.dispose();
  }
  await llama.dispose();
} finally {
  rmSync(folder, { recursive: true });
}
