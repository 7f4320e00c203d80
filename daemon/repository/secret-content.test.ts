import fc from "fast-check";
import { expect, test } from "vitest";
import { entropyBits, findSecret } from "./secret-content.ts";

// Made up here, and joined so that scanners of this repository do not take them for real.
const secrets: readonly (readonly [string, string])[] = [
  ["an AWS access key", "AKIA" + "Q3EGRZX7MNB2KLTV"],
  ["a GitHub token", "ghp_" + "a8Fk2LmQ9xZr4TtYv7Wc1BnD5sHj3GpE6uKd"],
  ["a GitLab token", "glpat-" + "x9_Kd72hQmPzR4tLw8Yv"],
  ["a Slack token", "xoxb-" + "2847362910-8372615940-aBcXyZq7"],
  ["a Google API key", "AIza" + "SyD3k9Fh2LmQ8xZr4TtYv7Wc1BnD5sHj3Gp"],
  ["an npm token", "npm_" + "a8Fk2LmQ9xZr4TtYv7Wc1BnD5sHj3GpE6uKd"],
  ["a private key", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA3k9Fh2LmQ8xZr4TtYv7Wc1BnD5sHj3GpQ7\n"],
  ["a private key", '"-----BEGIN ' + 'PRIVATE KEY-----\\nMIIEowIBAAKCAQEA3k9Fh2LmQ8xZr4TtYv7Wc1BnD5sHj3GpQ7\\n"'],
];

test.each(secrets)("finds %s, and tells its line but not its value", (name, secret) => {
  const found = findSecret(`first line\nconst key = ${secret};\n`);
  expect(found).toEqual({ name, line: 2 });
});

test.each([
  "AKIA" + "IOSFODNN7EXAMPLE", // AWS's own documentation
  "AKIAXXXXXXXXXXXXXXXX",
  "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
  'if (text.startsWith("-----BEGIN PRIVATE KEY-----")) throw new Error("a key");',
  "integrity: sha512-Qm9iYnkgVGFibGVzIHdhcyBoZXJlLCBhbmQgaGUgd2FzIGhhcHB5Lg==",
])("placeholders, detectors and checksums are no secrets: %s", (text) => {
  expect(findSecret(text)).toBeNull();
});

test("words of prose are never secrets", () => {
  const word = fc.constantFrom("token", "key", "the", "AKIA", "secret", "ghp", "password", "=", ":", "\n");
  fc.assert(
    fc.property(fc.array(word), (words) => {
      expect(findSecret(words.join(" "))).toBeNull();
    }),
  );
});

test("entropy in bits per character", () => {
  expect(entropyBits("aaaa")).toBe(0);
  expect(entropyBits("abab")).toBe(1);
  expect(entropyBits("abcdefgh")).toBe(3);
});
