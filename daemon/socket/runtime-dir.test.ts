import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { allSocketPaths, socketPath } from "./address.ts";
import { ensureRuntimeDir, runtimeDirPath } from "./runtime-dir.ts";

let parent: string;

beforeEach(() => {
  parent = mkdtempSync(path.join(tmpdir(), "ls-"));
});

afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

describe("the runtime folder", () => {
  it("is named by the first variable that is set", () => {
    expect(runtimeDirPath({ LONGSIGHT_RUNTIME_DIR: "/a/b", XDG_RUNTIME_DIR: "/run/user/1" })).toBe("/a/b");
    expect(runtimeDirPath({ XDG_RUNTIME_DIR: "/run/user/1" })).toBe("/run/user/1/longsight");
    expect(runtimeDirPath({})).toBe(`/tmp/longsight-${String(process.getuid?.())}`);
  });

  it("is made private", async () => {
    const dir = path.join(parent, "new", "longsight");
    await ensureRuntimeDir(dir);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    await ensureRuntimeDir(dir);
  });

  it("is refused when others may enter it", async () => {
    const dir = path.join(parent, "open");
    mkdirSync(dir);
    chmodSync(dir, 0o750);
    await expect(ensureRuntimeDir(dir)).rejects.toMatchObject({
      code: "socket-not-ours",
      message: expect.stringMatching(/open is not private: others may enter it \(mode 750/) as string,
    });
  });

  it("is refused when it is a link, also to a private folder or to nowhere", async () => {
    mkdirSync(path.join(parent, "private"), { mode: 0o700 });
    symlinkSync(path.join(parent, "private"), path.join(parent, "link"));
    symlinkSync(path.join(parent, "nowhere"), path.join(parent, "dangling"));
    for (const name of ["link", "dangling"]) {
      await expect(ensureRuntimeDir(path.join(parent, name))).rejects.toMatchObject({
        code: "socket-not-ours",
        message: expect.stringContaining("symbolic link") as string,
      });
    }
  });

  it("is refused when it is a file", async () => {
    writeFileSync(path.join(parent, "file"), "");
    await expect(ensureRuntimeDir(path.join(parent, "file"))).rejects.toMatchObject({ code: "socket-not-ours" });
  });

  // Only root can make a folder that is somebody else's.
  it.runIf(process.getuid?.() === 0)("is refused when it is a stranger's", async () => {
    const { chownSync } = await import("node:fs");
    const dir = path.join(parent, "theirs");
    mkdirSync(dir, { mode: 0o700 });
    chownSync(dir, 65_534, 65_534);
    await expect(ensureRuntimeDir(dir)).rejects.toMatchObject({
      code: "socket-not-ours",
      message: expect.stringContaining("belongs to user 65534") as string,
    });
  });
});

describe("the socket's name", () => {
  it("holds the version", () => {
    expect(socketPath("/run/longsight", "1.2.3")).toBe("/run/longsight/daemon-1.2.3.sock");
  });

  it("is refused when the system would cut it off", () => {
    expect(() => socketPath(`/${"x".repeat(100)}`, "1.2.3")).toThrow(/too long for a socket/);
  });

  it("is found for every version, ours first", async () => {
    for (const name of ["daemon-0.9.0.sock", "daemon-1.0.0.sock", "daemon.log"])
      writeFileSync(path.join(parent, name), "");
    const names = (await allSocketPaths(parent, "1.0.0")).map((file) => path.basename(file));
    expect(names).toEqual(["daemon-1.0.0.sock", "daemon-0.9.0.sock"]);
  });
});
