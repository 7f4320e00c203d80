import { describe, expect, it } from "vitest";
import { findNode, versionOf } from "./node-runtime.ts";

const desktop = { setting: "", execPath: "/opt/editor/editor", electron: "39.2.0", versionOf: () => null };

describe("the Node that runs the daemon", () => {
  it("is the setting's before all others", () => {
    expect(findNode({ ...desktop, setting: "/n/node" })).toMatchObject({ command: "/n/node", origin: "setting" });
  });

  it("is the server's own where the editor runs on Node", () => {
    expect(findNode({ ...desktop, execPath: "/s/node", electron: undefined })).toEqual({
      command: "/s/node",
      env: {},
      origin: "editor's node",
    });
  });

  it("is the one on the PATH in a desktop editor, when it is recent enough", () => {
    expect(findNode({ ...desktop, versionOf: () => "v20.17.0" })).toMatchObject({ command: "node", env: {} });
    expect(findNode({ ...desktop, versionOf: () => "v24.1.0" })).toMatchObject({ command: "node" });
  });

  it("else is the desktop editor itself, told to be Node", () => {
    for (const version of [null, "v20.16.9", "v18.20.0", "nonsense"]) {
      expect(findNode({ ...desktop, versionOf: () => version }), String(version)).toEqual({
        command: "/opt/editor/editor",
        env: { ELECTRON_RUN_AS_NODE: "1" },
        origin: "editor",
      });
    }
  });

  it("asks a command for its version", () => {
    expect(versionOf(process.execPath)).toBe(process.version);
    expect(versionOf("/nowhere/node")).toBeNull();
  });
});
