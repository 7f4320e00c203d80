import { describe, expect, it } from "vitest";
import type { Memento } from "vscode";
import { keepConversation, keptConversation } from "./kept-conversation.ts";
import type { Turn } from "./turn.ts";

function memory(): Memento {
  const values = new Map<string, unknown>();
  return {
    keys: () => [...values.keys()],
    get: (name: string) => values.get(name),
    // As the editor does: through JSON.
    update: (name, value) => Promise.resolve(void values.set(name, value && JSON.parse(JSON.stringify(value)))),
  };
}

const turn = (id: number, state: Turn["state"]): Turn => ({ id, question: `${id}?`, state });

describe("a kept conversation", () => {
  it("comes back, an answer that was cut off as a stopped one", async () => {
    const kept = memory();
    const turns = [turn(1, { kind: "stopped", text: "a" }), turn(2, { kind: "running", text: "b", progress: null })];
    await keepConversation(kept, { id: "x", turns, roots: { 1: "file:///r" } });
    expect(keptConversation(kept)).toMatchObject({
      id: "x",
      turns: [turns[0], turn(2, { kind: "stopped", text: "b" })],
      roots: { 1: "file:///r" },
    });
  });

  it("is the newest turns only, and none once it was cleared", async () => {
    const kept = memory();
    const turns = Array.from({ length: 70 }, (_, id) => turn(id, { kind: "stopped", text: "" }));
    await keepConversation(kept, { id: "x", turns, roots: {} });
    expect(keptConversation(kept)?.turns.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, id) => id + 20));
    await keepConversation(kept, { id: "y", turns: [], roots: {} });
    expect(keptConversation(kept)).toBeNull();
  });

  it("of another version is left alone", async () => {
    const kept = memory();
    await kept.update("longsight.conversation", { version: "0.0.1", id: "x", turns: "?" });
    expect(keptConversation(kept)).toBeNull();
  });
});
