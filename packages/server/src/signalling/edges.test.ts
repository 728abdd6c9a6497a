import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { topVia } from "@callfork/protocol/sip";
import { createResolver, createSipTransports, createSystemClock, type SipListener } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import type { IncomingInvite, SipDialog } from "./types.ts";
import { createUserAgent } from "./user-agent.ts";

const LOCALHOST = "127.0.0.1";
const EDGE = "127.0.0.2";
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

async function agent(t: TestContext, listen: readonly SipListener[]) {
  const clock = createSystemClock();
  const transports = await createSipTransports({ listen, log, clock });
  const random = { bytes: (length: number) => randomBytes(length) };
  const resolver = createResolver({ lookup: async () => [LOCALHOST] });
  const made = createUserAgent({ transports, clock, random, resolver, log, userAgentName: "test" });
  t.after(async () => {
    await made.stop(100);
    await transports.close();
  });
  return { agent: made, transports };
}

const both = (address: string, edge?: string): SipListener[] =>
  (["udp", "tcp"] as const).map((transport) => ({ transport, address, port: 0, edge }));

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

/** An INVITE that fits a datagram, and one that grows to TCP. */
for (const [size, transport] of [
  [10, "UDP"],
  [2_000, "TCP"],
] as const) {
  test(`a dialog begun at an edge stays there: INVITE over ${transport}, ACK, re-INVITE, answers, BYE`, async (t) => {
    const caller = await agent(t, [...both(LOCALHOST), ...both(EDGE, "dublin")]);
    const callee = await agent(t, both(LOCALHOST));
    const body = { contentType: "application/sdp", bytes: Buffer.alloc(size, 0x61) };
    let theirs: SipDialog | undefined;
    const seen: string[] = [];
    const [acknowledged, ended] = [deferred(), deferred()];
    let invite: IncomingInvite | undefined;
    callee.agent.attach({
      onInvite: (incoming) => {
        invite = incoming;
        theirs = incoming.answer({ body });
        theirs.attach({
          onAcknowledged: (ack) => {
            seen.push(`ACK ${topVia(ack)?.host}`);
            acknowledged.resolve();
          },
          onReinvite: (request) => {
            seen.push(
              `re-INVITE ${topVia(request)?.host} ${request.headers.get("Contact")?.split(/[:@;]/)[1]}`,
            );
            return { status: 200, body };
          },
          onEnded: ({ request }) => {
            seen.push(`BYE ${request && topVia(request)?.host}`);
            ended.resolve();
          },
        });
      },
    });
    const { port } = callee.transports.sentBy("udp", LOCALHOST);
    const route = callee.transports.sentBy(transport === "UDP" ? "udp" : "tcp", LOCALHOST).port;
    const ours = await new Promise<SipDialog>((resolve, reject) => {
      caller.agent.invite(
        {
          requestUri: `sip:b@${LOCALHOST}:${port}`,
          ...(transport === "TCP" && {
            destination: { transport: "tcp", address: LOCALHOST, port: route } as const,
          }),
          from: "sip:a@a.example.com",
          to: "sip:b@b.example.com",
          edge: "dublin",
          body,
        },
        {
          onAnswered: (dialog) => {
            dialog.attach({ onReinvite: () => ({ status: 200, body }), onEnded: () => {} });
            resolve(dialog);
            return undefined;
          },
          onFailed: ({ message }) => reject(new Error(message)),
        },
      );
    });
    await acknowledged.promise;
    assert.equal(invite!.flow.remoteAddress, EDGE);
    const via = topVia(invite!.request);
    assert.deepEqual([via?.host, via?.transport], [EDGE, transport]);
    assert.match(invite!.request.headers.get("Contact") ?? "", /<sip:127\.0\.0\.2:\d+/);
    assert.equal((await ours.reinvite({ body })).status, 200);
    const answer = await theirs!.reinvite({ body });
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("Contact") ?? "", /<sip:127\.0\.0\.2:\d+/);
    await ours.bye();
    await ended.promise;
    assert.deepEqual(seen, [`ACK ${EDGE}`, `re-INVITE ${EDGE} ${EDGE}`, `ACK ${EDGE}`, `BYE ${EDGE}`]);
  });
}

test("an edge without the transport that is asked for: the INVITE fails, it does not leave elsewhere", async (t) => {
  const caller = await agent(t, [
    ...both(LOCALHOST),
    { transport: "udp", address: EDGE, port: 0, edge: "dublin" },
  ]);
  const failure = await new Promise<{ message: string }>((resolve, reject) => {
    caller.agent.invite(
      {
        requestUri: `sip:b@${LOCALHOST}:9;transport=tcp`,
        from: "sip:a@a.example.com",
        to: "sip:b@b.example.com",
        edge: "dublin",
      },
      { onAnswered: () => void reject(new Error("answered")), onFailed: resolve },
    );
  });
  assert.match(failure.message, /tcp/i);
});
