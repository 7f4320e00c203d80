/** What a key looks like inside a text. The forms are those that the issuers document for their own scanners. */
interface SecretForm {
  readonly name: string;
  readonly pattern: RegExp;
  /** Bits per character below which a match is a placeholder such as "AKIAXXXXXXXXXXXXXXXX". */
  readonly minEntropyBits: number;
}

const secretForms: readonly SecretForm[] = [
  {
    // A header alone stands in every program that reads keys; one with a line of base64 behind it is a key.
    name: "a private key",
    pattern:
      /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n|\\r|["'+,]|[A-Za-z-]+: [^\n]*\n)*([A-Za-z0-9+/=]{40,})/,
    minEntropyBits: 3.5,
  },
  { name: "an AWS access key", pattern: /\b((?:AKIA|ASIA)[A-Z2-7]{16})\b/, minEntropyBits: 3 },
  { name: "a GitHub token", pattern: /\b((?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36,})\b/, minEntropyBits: 3.5 },
  { name: "a GitHub token", pattern: /\b(github_pat_[A-Za-z0-9_]{60,})\b/, minEntropyBits: 3.5 },
  { name: "a GitLab token", pattern: /\b(glpat-[A-Za-z0-9_-]{20,})\b/, minEntropyBits: 3.3 },
  { name: "a Slack token", pattern: /\b(xox[abeoprs]-[A-Za-z0-9-]{20,})/, minEntropyBits: 3 },
  { name: "a Google API key", pattern: /\b(AIza[A-Za-z0-9_-]{35})\b/, minEntropyBits: 3.5 },
  { name: "a Stripe key", pattern: /\b((?:sk|rk)_live_[A-Za-z0-9]{20,})\b/, minEntropyBits: 3.5 },
  { name: "an npm token", pattern: /\b(npm_[A-Za-z0-9]{36})\b/, minEntropyBits: 3.5 },
  { name: "a model provider's key", pattern: /\b(sk-(?:ant|proj|svcacct)-[A-Za-z0-9_-]{32,})/, minEntropyBits: 3.5 },
  { name: "a Hugging Face token", pattern: /\b(hf_[A-Za-z0-9]{34,})\b/, minEntropyBits: 3.5 },
];

export interface FoundSecret {
  /** What it looks like; never the thing itself. */
  readonly name: string;
  /** From 1. */
  readonly line: number;
}

/** The first thing in a text that looks like a key, or null. */
export function findSecret(text: string): FoundSecret | null {
  for (const { name, pattern, minEntropyBits } of secretForms) {
    for (const match of text.matchAll(new RegExp(pattern, "g"))) {
      const key = match[1] ?? match[0];
      if (/EXAMPLE/i.test(key) || entropyBits(key) < minEntropyBits) continue;
      return { name, line: text.slice(0, match.index).split("\n").length };
    }
  }
  return null;
}

/** Shannon entropy of the characters' frequencies, in bits per character. */
export function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
