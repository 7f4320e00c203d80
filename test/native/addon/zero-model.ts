/**
 * A SmolLM3 whose weights are all zero, in a sparse file: it takes no disk, but as long as a real one of its size, so that there is
 * time to cancel, kill and measure.
 */
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import path from "node:path";

export interface ZeroModelShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly ffn: number;
  readonly vocabulary: number;
  /** Of all layers; null: none. */
  readonly slidingWindow: number | null;
}

/** As large as the bundled model, so as slow. */
export const slowShape: ZeroModelShape = {
  layers: 6,
  hidden: 512,
  heads: 8,
  kvHeads: 2,
  headSize: 64,
  ffn: 1536,
  vocabulary: 1024,
  slidingWindow: null,
};

/** bf16 KV. */
export const kvBytesPerToken = (shape: ZeroModelShape): number => shape.layers * 2 * shape.kvHeads * shape.headSize * 2;

export function writeZeroModel(dir: string, shape: ZeroModelShape): void {
  const config = {
    architectures: ["SmolLM3ForCausalLM"],
    hidden_size: shape.hidden,
    intermediate_size: shape.ffn,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headSize,
    vocab_size: shape.vocabulary,
    max_position_embeddings: 1 << 20,
    rms_norm_eps: 1e-6,
    rope_theta: 500000,
    tie_word_embeddings: true,
    no_rope_layers: Array.from({ length: shape.layers }, () => 1),
    use_sliding_window: shape.slidingWindow !== null,
    sliding_window: shape.slidingWindow,
    layer_types: Array.from({ length: shape.layers }, () =>
      shape.slidingWindow === null ? "full_attention" : "sliding_attention",
    ),
  };
  writeFileSync(path.join(dir, "config.json"), JSON.stringify(config));
  const header: Record<string, unknown> = {};
  let end = 0;
  const add = (name: string, ...size: number[]): void => {
    const begin = end;
    end += size.reduce((a, b) => a * b, 2);
    header[name] = { dtype: "BF16", shape: size, data_offsets: [begin, end] };
  };
  const { hidden, ffn } = shape;
  add("model.embed_tokens.weight", shape.vocabulary, hidden);
  add("model.norm.weight", hidden);
  for (let layer = 0; layer < shape.layers; layer++) {
    const prefix = `model.layers.${layer}`;
    add(`${prefix}.input_layernorm.weight`, hidden);
    add(`${prefix}.post_attention_layernorm.weight`, hidden);
    add(`${prefix}.self_attn.q_proj.weight`, shape.heads * shape.headSize, hidden);
    add(`${prefix}.self_attn.k_proj.weight`, shape.kvHeads * shape.headSize, hidden);
    add(`${prefix}.self_attn.v_proj.weight`, shape.kvHeads * shape.headSize, hidden);
    add(`${prefix}.self_attn.o_proj.weight`, hidden, shape.heads * shape.headSize);
    add(`${prefix}.mlp.gate_proj.weight`, ffn, hidden);
    add(`${prefix}.mlp.up_proj.weight`, ffn, hidden);
    add(`${prefix}.mlp.down_proj.weight`, hidden, ffn);
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path.join(dir, "model.safetensors"), "w");
  writeSync(file, Buffer.concat([length, json]));
  ftruncateSync(file, 8 + json.length + end);
  closeSync(file);
}
