/** Real daemons in processes of their own: starting, racing, stopping, dying. */
import { type ChildProcess, execFile, fork, spawn } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { productVersion } from "../../daemon/protocol/version.ts";
import { connectIfRunning, connectOrSpawn, type ReadyReport } from "../../daemon/socket/connect-or-spawn.ts";
import { type Bundled, bundle } from "./bundled.ts";
import { RawClient } from "./raw-client.ts";
import { temporaryDir } from "./test-daemon.ts";

let bundled: Bundled;
let runtimeDir: string;
let env: NodeJS.ProcessEnv;
const children: ChildProcess[] = [];

beforeAll(async () => {
  bundled = await bundle();
});

afterAll(() => {
  bundled.remove();
});

beforeEach(() => {
  runtimeDir = temporaryDir();
  chmodSync(runtimeDir, 0o700);
  env = { ...process.env, LONGSIGHT_RUNTIME_DIR: runtimeDir };
  vi.stubEnv("LONGSIGHT_RUNTIME_DIR", runtimeDir);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await run("stop").catch(() => undefined);
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(runtimeDir, { recursive: true, force: true });
});

function place() {
  return { runtimeDir, version: productVersion, daemonPath: bundled.daemon };
}

function address(version = productVersion): string {
  return path.join(runtimeDir, `daemon-${version}.sock`);
}

async function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, [bundled.cli, ...args], { env });
}

/** Starts a daemon as connect-or-spawn does, and gives what it reports. */
function startDaemon(
  extra: NodeJS.ProcessEnv = {},
  program = bundled.daemon,
): { child: ChildProcess; report: Promise<ReadyReport> } {
  const child = fork(program, [], { env: { ...env, ...extra }, stdio: ["ignore", "ignore", "ignore", "ipc"] });
  children.push(child);
  const report = new Promise<ReadyReport>((resolve) => child.once("message", resolve));
  return { child, report };
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once("exit", resolve);
  });
}

describe("starting", () => {
  it("spawns a daemon on demand, once, with a private socket and log", async () => {
    expect(await connectIfRunning(place())).toBeNull();
    const first = await connectOrSpawn(place());
    const second = await connectOrSpawn(place());
    first.destroy();
    second.destroy();
    expect(lstatSync(address()).mode & 0o777).toBe(0o600);
    expect(lstatSync(path.join(runtimeDir, "daemon.log")).mode & 0o777).toBe(0o600);
    const { stdout } = await run("status", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ running: true, version: productVersion, socket: address() });
  });

  it("lets one of many starters win, and tells the others that one runs", async () => {
    const starters = Array.from({ length: 6 }, () => startDaemon());
    const reports = await Promise.all(starters.map(({ report }) => report));
    const ready = reports.filter((report) => report.kind === "ready");
    expect(ready).toHaveLength(1);
    for (const report of reports.filter((other) => other.kind === "failed")) {
      expect(report).toMatchObject({ code: "already-running" });
    }
    const client = await RawClient.ready(address());
    const { result } = await client.request("longsight/status");
    expect(result).toMatchObject({ pid: ready[0]?.kind === "ready" ? ready[0].pid : 0 });
    client.close();
    expect(readdirSync(runtimeDir).filter((name) => name.startsWith("starting-"))).toEqual([]);
  });

  it("lets many clients that all spawn end up with the same daemon", async () => {
    const sockets = await Promise.all(Array.from({ length: 4 }, () => connectOrSpawn(place())));
    for (const socket of sockets) socket.destroy();
    const { stdout } = await run("stop");
    expect(stdout.match(/Stopped the daemon/g)).toHaveLength(1);
    expect(existsSync(address())).toBe(false);
  });

  it("replaces a socket whose daemon was killed, and a claim whose starter was", async () => {
    const { child, report } = startDaemon();
    await report;
    child.kill("SIGKILL");
    await exitOf(child);
    expect(existsSync(address())).toBe(true);
    writeFileSync(path.join(runtimeDir, `starting-${String(child.pid)}-12345`), "");
    // A living process, but not the one that made the claim: its start time differs.
    writeFileSync(path.join(runtimeDir, `starting-${process.pid.toString()}-1`), "");
    const socket = await connectOrSpawn(place());
    socket.destroy();
    expect(readdirSync(runtimeDir).filter((name) => name.startsWith("starting-"))).toEqual([]);
  });

  it("leaves a socket alone that is in use by something else", async () => {
    const stranger = net.createServer();
    await new Promise<void>((resolve) => stranger.listen(address(), resolve));
    const { child, report } = startDaemon();
    expect(await report).toMatchObject({ kind: "failed", code: "already-running" });
    expect(await exitOf(child)).toBe(75);
    expect(existsSync(address())).toBe(true);
    stranger.close();
  });

  it("tells the starter why it cannot start", async () => {
    const { child, report } = startDaemon({ LONGSIGHT_IDLE_EXIT_SECONDS: "soon" });
    const failed = await report;
    expect(failed).toMatchObject({ kind: "failed", code: "invalid-argument" });
    expect(failed.kind === "failed" && failed.message).toContain("LONGSIGHT_IDLE_EXIT_SECONDS=soon");
    expect(await exitOf(child)).toBe(64);
  });

  it("tells what happened when the daemon's program is broken", async () => {
    const broken = path.join(runtimeDir, "broken.js");
    writeFileSync(broken, "process.exit(3)");
    await expect(connectOrSpawn({ ...place(), daemonPath: broken })).rejects.toMatchObject({
      code: "daemon-unreachable",
      message: expect.stringMatching(/exit code 3.*daemon\.log/) as string,
    });
  });

  it("refuses a runtime folder that others may enter", async () => {
    chmodSync(runtimeDir, 0o755);
    await expect(run("status")).rejects.toMatchObject({
      code: 77,
      stderr: expect.stringContaining("not private") as string,
    });
    chmodSync(runtimeDir, 0o700);
  });
});

describe("other versions", () => {
  it("tells a client that the peer on its socket is of another version", async () => {
    // As an upgrade in place would have it: the peer of our socket answers with its own version.
    const server = net.createServer((socket) => {
      socket.once("data", () => {
        const error = {
          code: -33040,
          message: "This daemon is version 0.0.1, the client is version x.",
          data: { code: "version-mismatch" },
        };
        const body = JSON.stringify({ jsonrpc: "2.0", id: 0, error });
        socket.end(`Content-Length: ${body.length.toString()}\r\n\r\n${body}`);
      });
    });
    await new Promise<void>((resolve) => server.listen(address(), resolve));
    await expect(run("status")).rejects.toMatchObject({
      code: 69,
      stderr: expect.stringMatching(/version 0\.0\.1[^]*longsight stop/) as string,
    });
    server.close();
  });

  it("stops daemons of every version", async () => {
    const socket = await connectOrSpawn(place());
    socket.destroy();
    // The same daemon under another version's name.
    const { renameSync } = await import("node:fs");
    renameSync(address(), address("0.0.1"));
    const { stdout } = await run("stop");
    expect(stdout).toContain("Stopped the daemon");
    expect((await run("stop")).stdout).toContain("No daemon is running");
  });
});

describe("ending", () => {
  it("ends when it has been idle, and removes its socket", async () => {
    const { child, report } = startDaemon({ LONGSIGHT_IDLE_EXIT_SECONDS: "0.2" });
    expect(await report).toMatchObject({ kind: "ready" });
    expect(await exitOf(child)).toBe(0);
    expect(existsSync(address())).toBe(false);
  });

  it("stays while a client is connected", async () => {
    const { child, report } = startDaemon({ LONGSIGHT_IDLE_EXIT_SECONDS: "0.2" });
    await report;
    const client = await RawClient.ready(address());
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect((await client.request("longsight/status")).error).toBeUndefined();
    client.close();
    expect(await exitOf(child)).toBe(0);
  });

  it("ends when its socket was taken away, and leaves its successor's alone", async () => {
    const { child, report } = startDaemon({ LONGSIGHT_IDLE_FREE_SECONDS: "0.1" });
    await report;
    rmSync(address());
    const next = startDaemon();
    expect(await next.report).toMatchObject({ kind: "ready" });
    expect(await exitOf(child)).toBe(0);
    const client = await RawClient.ready(address());
    expect((await client.request("longsight/status")).result).toMatchObject({ pid: next.child.pid });
    client.close();
  });

  it("ends when its installation was removed, so that another's daemon can take its place", async () => {
    const other = await bundle();
    const { child, report } = startDaemon({ LONGSIGHT_IDLE_FREE_SECONDS: "0.1" }, other.daemon);
    await report;
    const client = await RawClient.ready(address());
    other.remove();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await client.request("longsight/status")).error).toBeUndefined();
    client.close();
    expect(await exitOf(child)).toBe(0);
    expect(await startDaemon().report).toMatchObject({ kind: "ready" });
  });

  it("ends cleanly on SIGTERM, with its clients' connections closed", async () => {
    const { child, report } = startDaemon();
    await report;
    const client = await RawClient.ready(address());
    child.kill("SIGTERM");
    await client.closed;
    expect(await exitOf(child)).toBe(0);
    expect(existsSync(address())).toBe(false);
  });
});

describe("longsight lsp", () => {
  it("bridges an editor's pipes to the daemon, which it starts, and ends with them", async () => {
    const bridge = spawn(process.execPath, [bundled.cli, "lsp", "--stdio"], {
      env,
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(bridge);
    let output = "";
    bridge.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const send = (message: object): void => {
      const body = JSON.stringify({ jsonrpc: "2.0", ...message });
      bridge.stdin.write(`Content-Length: ${body.length.toString()}\r\n\r\n${body}`);
    };
    send({ id: 1, method: "initialize", params: { processId: null, capabilities: {}, rootUri: null } });
    send({ id: 2, method: "shutdown" });
    send({ method: "exit" });
    expect(await exitOf(bridge)).toBe(0);
    expect(output).toContain('"serverInfo":{"name":"longsight"');
    expect(output).toContain('"id":2,"result":null');
    expect(JSON.parse((await run("status", "--json")).stdout)).toMatchObject({ running: true });
  });
});

describe("the log", () => {
  it("tells starts and stops", async () => {
    mkdirSync(runtimeDir, { recursive: true });
    (await connectOrSpawn(place())).destroy();
    await run("stop");
    const log = readFileSync(path.join(runtimeDir, "daemon.log"), "utf8");
    expect(log).toMatch(/info listening on .*sock, version/);
    expect(log).toMatch(/info stopping: a client asked for it/);
  });
});
