/** What any client may do to the daemon over its socket, well or badly. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { limits, messages, productVersion } from "../../daemon/protocol/index.ts";
import { RawClient } from "./raw-client.ts";
import { startTestDaemon, type TestDaemon } from "./test-daemon.ts";

let daemon: TestDaemon | undefined;
const clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await daemon?.remove();
  daemon = undefined;
});

async function start(): Promise<TestDaemon> {
  daemon = await startTestDaemon();
  return daemon;
}

async function connect(ready = true): Promise<RawClient> {
  const { address } = daemon ?? (await start());
  const client = ready ? await RawClient.ready(address) : await RawClient.connect(address);
  clients.push(client);
  return client;
}

describe("the handshake", () => {
  it("tells version, commands and health", async () => {
    const client = await connect(false);
    const { result } = await client.request("initialize", {
      capabilities: {},
      initializationOptions: { longsight: { version: productVersion } },
    });
    expect(result).toMatchObject({
      serverInfo: { name: "longsight", version: productVersion },
      capabilities: { experimental: { longsight: { version: productVersion, pid: process.pid } } },
    });
    client.send({ jsonrpc: "2.0", method: "initialized", params: {} });
    const health = await client.until((message) => message.method === "experimental/serverStatus");
    expect(health.params).toMatchObject({ health: "ok" });
  });

  it("refuses a client of another version, and says what to do", async () => {
    const client = await connect(false);
    const { error } = await client.request("initialize", {
      capabilities: {},
      initializationOptions: { longsight: { version: "9.9.9" } },
    });
    expect(error).toMatchObject({
      data: { code: "version-mismatch", next: expect.stringContaining("longsight stop") as string },
    });
    expect(error?.message).toContain("9.9.9");
    expect((await client.request("longsight/status")).error?.code).toBe(-32002);
  });

  it("comes before any request, once, and shutdown is the last one", async () => {
    const client = await connect(false);
    expect((await client.request("longsight/status")).error?.code).toBe(-32002);
    await client.request("initialize", { capabilities: {} });
    expect((await client.request("initialize", { capabilities: {} })).error?.code).toBe(-32600);
    expect((await client.request("shutdown")).result).toBeNull();
    expect((await client.request("longsight/status")).error?.code).toBe(-32600);
    client.send({ jsonrpc: "2.0", method: "exit" });
    await client.closed;
  });

  it.each([
    ["capabilities that are fine but a root that is no path", { rootUri: "file://other-host/x" }, /not a path/],
    ["options of the wrong type", { initializationOptions: 5 }, /object with named fields/],
    [
      "a version of the wrong type",
      { initializationOptions: { longsight: { version: 1 } } },
      /"version" must be a string/,
    ],
  ])("refuses %s", async (_what, params, message) => {
    const client = await connect(false);
    const { error } = await client.request("initialize", { capabilities: {}, ...params });
    expect(error?.code).toBe(-32602);
    expect(error?.message).toMatch(message);
  });
});

describe("requests", () => {
  it("answers an unknown method and an unknown command", async () => {
    const client = await connect();
    expect((await client.request("longsight/noSuchThing")).error).toMatchObject({ code: -32601 });
    expect((await client.request("textDocument/hover")).error).toMatchObject({ code: -32601 });
    const { error } = await client.request("workspace/executeCommand", { command: "longsight.fly" });
    expect(error?.message).toContain("longsight.ask");
  });

  it("serves every request that the protocol declares", async () => {
    const client = await connect();
    const served = messages.filter(({ kind, direction }) => kind === "request" && direction === "client-to-daemon");
    for (const { method } of served.filter((message) => !["longsight/stop", "shutdown"].includes(message.method))) {
      expect((await client.request(method)).error?.code, method).not.toBe(-32601);
    }
  });

  it("ignores notifications that it does not know, as LSP asks", async () => {
    const client = await connect();
    client.send({ jsonrpc: "2.0", method: "$/setTrace", params: { value: "off" } });
    client.send({ jsonrpc: "2.0", method: "textDocument/didOpen", params: {} });
    expect((await client.request("longsight/status")).result).toMatchObject({ connections: 1 });
  });

  it("mirrors status as a command", async () => {
    const client = await connect();
    const { result } = await client.request("workspace/executeCommand", { command: "longsight.status", arguments: [] });
    expect(result).toMatchObject({ version: productVersion, engine: { state: "stopped" } });
  });

  it.each([
    [{}, /"question" is empty/],
    [{ question: 5 }, /"question" must be a string, not 5/],
    [{ question: "q" }, /"repository" is missing/],
    [{ question: "q", repository: "relative/path" }, /"repository" must be an absolute path/],
    [{ question: "q", repository: "/x\0y" }, /NUL/],
    [{ question: "q", repository: "/x", contextTokens: -1 }, /"contextTokens" must be an integer from 256/],
    [{ question: "q", repository: "/x", contextTokens: 1e300 }, /"contextTokens"/],
    [{ question: "q", repository: "/x", maxTokens: 0.5 }, /"maxTokens"/],
    [{ question: "q", repository: "/x", temperature: "hot" }, /"temperature"/],
    [{ question: "q", repository: "/x", workDoneToken: {} }, /"workDoneToken"/],
    [{ question: "q".repeat(limits.maxQuestionLength + 1), repository: "/x" }, /at most 1000000/],
    [[], /named fields/],
  ])("refuses an ask with wrong params (%#)", async (params, message) => {
    const client = await connect();
    const { error } = await client.request("longsight/ask", params);
    expect(error).toMatchObject({ code: -32602, data: { code: "invalid-argument" } });
    expect(error?.message).toMatch(message);
  });

  it("tells that a folder is not there, and that the model is not", async () => {
    const client = await connect();
    const ask = (repository: string) => client.request("longsight/ask", { question: "q", repository });
    expect((await ask("/no/such/folder")).error).toMatchObject({ code: -33001, data: { code: "no-such-folder" } });
    expect((await ask("/etc/hostname")).error).toMatchObject({ data: { code: "no-such-folder" } });
    expect((await ask("/tmp")).error).toMatchObject({ code: -33010, data: { code: "model-file-missing" } });
  });

  it("refuses a second request with an id that is in use, without losing the first", async () => {
    const client = await connect();
    const twice = { jsonrpc: "2.0", id: "same", method: "longsight/status" };
    client.send(twice);
    client.send(twice);
    expect((await client.response("same")).result).toMatchObject({ connections: 1 });
    expect((await client.response(null)).error?.message).toMatch(/"same" belongs to a request/);
  });

  it("ignores cancels of requests that are over or never were", async () => {
    const client = await connect();
    client.cancel(4711);
    client.send({ jsonrpc: "2.0", method: "$/cancelRequest" });
    client.send({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id: {} } });
    const id = client.start("longsight/status");
    await client.response(id);
    client.cancel(id);
    expect((await client.request("longsight/status")).error).toBeUndefined();
  });
});

describe("bad frames", () => {
  it.each([
    ["not JSON", "Content-Length: 3\r\n\r\n{x}", -32700],
    ["not UTF-8", Buffer.concat([Buffer.from("Content-Length: 3\r\n\r\n"), Buffer.from([0x22, 0xff, 0x22])]), -32700],
    ["a batch", "Content-Length: 2\r\n\r\n[]", -32600],
    ["nested too deep", `Content-Length: 2000\r\n\r\n${"[".repeat(1000)}${"]".repeat(1000)}`, -32600],
  ])("answers a frame that is %s, and goes on", async (_what, bytes, code) => {
    const client = await connect();
    client.write(bytes);
    expect((await client.response(null)).error?.code).toBe(code);
    expect((await client.request("longsight/status")).error).toBeUndefined();
  });

  it.each([
    ["a missing length", "Foo: bar\r\n\r\n{}"],
    ["a negative length", "Content-Length: -1\r\n\r\n{}"],
    ["a doubled length", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"],
    ["a frame that is too big", `Content-Length: ${(1000 * limits.maxFrameBytes).toString()}\r\n\r\n{`],
    ["an endless header", "A".repeat(64 * 1024)],
  ])("answers %s and closes that connection, and no other", async (_what, bytes) => {
    const other = await connect();
    const client = await connect();
    client.write(bytes);
    const { error } = await client.response(null);
    expect(error?.code).toBe(-32600);
    expect(error?.message).toContain("The connection is closed.");
    await client.closed;
    await vi.waitFor(async () => {
      expect((await other.request("longsight/status")).result).toMatchObject({ connections: 1 });
    });
  });

  it("survives half a frame and a client that vanishes", async () => {
    const other = await connect();
    const client = await connect();
    client.write("Content-Length: 1000\r\n\r\n{");
    client.close();
    await client.closed;
    expect((await other.request("longsight/status")).error).toBeUndefined();
  });

  it("holds nothing for a client that sends requests and reads no answers", async () => {
    const other = await connect();
    const client = await connect();
    client.socket.pause();
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "x".repeat(100) });
    const frame = `Content-Length: ${body.length.toString()}\r\n\r\n${body}`;
    let refused = 0;
    for (let sent = 0; sent < 400 && refused < 5; sent++) {
      if (!client.socket.write(frame.repeat(1000))) {
        // Either side's buffers are full: wait a little for the daemon to take more.
        await new Promise((resolve) => setTimeout(resolve, 10));
        if (client.socket.writableNeedDrain) refused += 1;
      }
    }
    // The daemon stopped reading, so the client's own buffer keeps the rest.
    expect(refused).toBe(5);
    expect((await other.request("longsight/status")).error).toBeUndefined();
  });
});

describe("limits", () => {
  it("refuses connections beyond the most that are allowed", async () => {
    await start();
    for (let at = 0; at < limits.maxConnections; at++) await connect(false);
    const oneMore = await connect(false);
    expect((await oneMore.response(null)).error?.data?.code).toBe("queue-full");
    await oneMore.closed;
  });
});

describe("stop", () => {
  it("is served before the handshake, ends all connections and the daemon", async () => {
    const { daemon: running } = await start();
    const other = await connect();
    const client = await connect(false);
    expect((await client.request("longsight/stop")).result).toEqual({ pid: process.pid, version: productVersion });
    await Promise.all([client.closed, other.closed, running.stopped]);
    await expect(RawClient.connect(running.address)).rejects.toMatchObject({ code: "ENOENT" });
  });
});
