import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { supportedArchitectures } from "../../daemon/sessions/model-folders.ts";

it("`model list` names the families that the engine has", () => {
  const families = readFileSync(new URL("../../native/engine/families/families.cpp", import.meta.url), "utf8");
  const names = [...families.matchAll(/\{"(\w+)", Read\w+\}/g)].map((match) => match[1]);
  expect(names.length).toBeGreaterThan(3);
  expect([...supportedArchitectures].sort()).toEqual([...names].sort());
});
