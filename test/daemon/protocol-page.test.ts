/** daemon/PROTOCOL.md says what the source says, and nothing else. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as protocol from "../../daemon/protocol/index.ts";

const { commands, errorCatalogue, limits, messages, productVersion, rpcErrors } = protocol;
const page = readFileSync(new URL("../../daemon/PROTOCOL.md", import.meta.url), "utf8");

/** The rows of the table below a heading, cell by cell. */
function table(heading: string): string[][] {
  const section = page.slice(page.indexOf(`## ${heading}\n`)).split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

describe("PROTOCOL.md", () => {
  it("has every message with its direction and kind, in the source's order", () => {
    const wanted = messages.map(({ method, direction, kind }) => [method, direction.replaceAll("-", " "), kind]);
    expect(table("Messages").map((row) => row.slice(0, 3))).toEqual(wanted);
  });

  it("lists every message that a file of the protocol declares", () => {
    const declared: string[] = [];
    for (const value of Object.values<unknown>(protocol)) {
      if (typeof value === "object" && value !== null && "direction" in value && "method" in value) {
        declared.push(String(value.method));
      }
    }
    expect(messages.map(({ method }) => method).sort()).toEqual(declared.sort());
  });

  it("has every error with its number and exit code", () => {
    const wanted = Object.entries(errorCatalogue).map(([code, { rpc, exit }]) => [
      code,
      rpc.toString(),
      exit.toString(),
    ]);
    expect(table("Errors")).toEqual(wanted);
    for (const number of Object.values(rpcErrors)) expect(page).toContain(number.toString());
  });

  it("has every limit with its value", () => {
    const wanted = Object.entries(limits).map(([name, value]) => [name, value.toString()]);
    const byName = (first: string[], second: string[]) => String(first[0]).localeCompare(String(second[0]));
    expect(
      table("Limits")
        .map((row) => row.slice(0, 2))
        .sort(byName),
    ).toEqual(wanted.sort(byName));
  });

  it("has every command, and each mirrors a request", () => {
    const requests = messages.filter(({ kind }) => kind === "request").map(({ method }) => method);
    for (const [command, method] of Object.entries(commands)) {
      expect(page).toContain(`\`${command}\``);
      expect(requests).toContain(method);
    }
  });

  it.each([
    ["ask", 20],
    ["context", 30],
    ["evidence", 7],
    ["summarize", 20],
  ])("names every field of the params and results of %s", (file, least) => {
    const source = readFileSync(new URL(`../../daemon/protocol/${file}.ts`, import.meta.url), "utf8");
    const fields = [...source.matchAll(/^ {2}readonly (\w+)\??:/gm)].map((match) => match[1] ?? "");
    expect(fields.length).toBeGreaterThanOrEqual(least);
    for (const field of fields) expect(page, field).toMatch(new RegExp(`[\`"]${field}[\`"]`));
  });
});

describe("the protocol's room", () => {
  it("imports nothing but its own files", () => {
    const folder = fileURLToPath(new URL("../../daemon/protocol", import.meta.url));
    for (const name of readdirSync(folder).filter((file) => file.endsWith(".ts"))) {
      const imports = readFileSync(`${folder}/${name}`, "utf8").matchAll(/from "([^"]+)"/g);
      for (const [, target] of imports) expect(target, name).toMatch(/^\.\/[\w-]+\.ts$/);
    }
  });

  it("has package.json's version", () => {
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(productVersion).toBe(manifest.version);
  });
});
