import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createResolver, createSipTransports, createSystemClock } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import { createUserAgent, type SipDialog, type SipUserAgent, type UserAgentHandlers } from "./index.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

async function agentOn(
  handlers: UserAgentHandlers,
): Promise<{ agent: SipUserAgent; port: number; close(): Promise<void> }> {
  const clock = createSystemClock();
  const transports = await createSipTransports({
    listen: [
      { transport: "udp", address: "127.0.0.1", port: 0 },
      { transport: "tcp", address: "127.0.0.1", port: 0 },
    ],
    log,
    clock,
  });
  const random = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };
  const resolver = createResolver();
  const agent = createUserAgent({ transports, clock, random, resolver, log, userAgentName: "test" });
  agent.attach(handlers);
  return {
    agent,
    port: transports.sentBy("udp", "127.0.0.1").port,
    close: async () => {
      await agent.stop(1_000);
      await transports.close();
    },
  };
}

function deferred<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: Error): void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((onResolved, onRejected) => {
    resolve = onResolved;
    reject = onRejected;
  });
  return { promise, resolve: (value) => resolve(value), reject: (error) => reject(error) };
}

// The callee's TCP port is another one, so the large INVITE is refused there and has to fall back to UDP.
for (const size of [200, 5_000]) {
  test(`a call over real sockets, its INVITE with a body of ${size} octets`, async () => {
    const body = { contentType: "application/octet-stream", bytes: new Uint8Array(size) };
    const flows: string[] = [];
    const ended = deferred<string>();
    const callee = await agentOn({
      onInvite(invite) {
        flows.push(invite.flow.transport);
        invite.provisional(180);
        invite.answer({ body }).attach({
          onReinvite: () => ({ status: 200, body }),
          onEnded: ({ by, cause }) => ended.resolve(`${by} ${cause}`),
        });
      },
    });
    const caller = await agentOn({ onInvite: (invite) => invite.reject(486) });
    const answered = deferred<SipDialog>();
    caller.agent.invite(
      {
        requestUri: `sip:callee@127.0.0.1:${callee.port}`,
        from: "sip:caller@example.com",
        to: "sip:callee@example.com",
        body,
      },
      {
        onAnswered: (dialog) => void answered.resolve(dialog) as undefined,
        onFailed: ({ message }) => answered.reject(new Error(message)),
      },
    );
    const dialog = await answered.promise;
    assert.equal((await dialog.reinvite({ body })).status, 200);
    await dialog.bye();
    assert.equal(await ended.promise, "remote bye");
    assert.deepEqual(flows, ["udp"]);
    await caller.close();
    await callee.close();
  });
}
