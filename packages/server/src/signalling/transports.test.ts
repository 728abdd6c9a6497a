import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { parseSipMessage, type SipRequest } from "@callfork/protocol/sip";
import { WebSocket } from "ws";
import {
  createResolver,
  createSipTransports,
  createSystemClock,
  type SipTransports,
  type SipTransportsOptions,
} from "../net/index.ts";
import { NO_OPENSSL, TestAuthority } from "../net/testing/certificates.ts";
import type { Log } from "../observe/index.ts";
import type { SipUserAgent } from "./options.ts";
import type { InviteFailure, InviteOptions } from "./types.ts";
import { createUserAgent } from "./user-agent.ts";

const LOCALHOST = "127.0.0.1";
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const SDP = { contentType: "application/sdp", bytes: Buffer.from("v=0\r\n") };

async function agent(
  t: TestContext,
  options: Omit<SipTransportsOptions, "log">,
): Promise<{ agent: SipUserAgent; transports: SipTransports }> {
  const clock = createSystemClock();
  const transports = await createSipTransports({ ...options, log, clock });
  const random = { bytes: (length: number) => randomBytes(length) };
  const resolver = createResolver({ lookup: async () => [LOCALHOST] });
  const made = createUserAgent({ transports, clock, random, resolver, log, userAgentName: "test" });
  t.after(async () => {
    await made.stop(100);
    await transports.close();
  });
  return { agent: made, transports };
}

test("an INVITE goes out with the certificate that it names, and trusts whom it names; the node's own are for all others", {
  skip: NO_OPENSSL,
}, async (t) => {
  const [ours, theirs] = [new TestAuthority(t), new TestAuthority(t, "Theirs")];
  const filesOf = ({ certificateFile, keyFile }: { certificateFile: string; keyFile: string }) => ({
    certificate: [certificateFile],
    key: [keyFile],
  });
  const listen = [{ transport: "tls", address: LOCALHOST, port: 0 }] as const;
  const callee = await agent(t, {
    listen,
    tls: { ...filesOf(theirs.issue("DNS:b.example.com")), ca: theirs.caFile, clientCertificates: "required" },
  });
  const caller = await agent(t, {
    listen,
    tls: { ...filesOf(ours.issue("DNS:a.example.com")), ca: ours.caFile },
  });
  const { port } = callee.transports.sentBy("tls", LOCALHOST);
  const seen: (readonly string[])[] = [];
  callee.agent.attach({
    onInvite: (invite) => {
      seen.push(invite.flow.tls?.identities ?? []);
      invite.reject(486);
    },
  });
  const { certificate, key } = theirs.issue("URI:sip:connector.example.com");
  const call = (tls: InviteOptions["tls"]): Promise<InviteFailure> =>
    new Promise((resolve) => {
      const requestUri = `sip:b@b.example.com:${port};transport=tls`;
      caller.agent.invite(
        {
          requestUri,
          from: "sip:a@a.example.com",
          to: "sip:b@b.example.com",
          body: SDP,
          ...(tls && { tls }),
        },
        { onAnswered: () => undefined, onFailed: resolve },
      );
    });
  assert.equal((await call({ certificate, key, ca: theirs.ca })).status, 486);
  assert.deepEqual(seen, [["connector.example.com"]]);
  assert.equal((await call(undefined)).transportReason, "certificate-untrusted");
  assert.equal((await call({ ca: theirs.ca })).transportReason, "handshake", "the node's own was shown");
  assert.equal((await call({ certificate, key })).transportReason, "certificate-untrusted");
  assert.equal(seen.length, 1);
});

test("[R3261-26.3.1-1] a call over TLS: sip with transport=tls and sips, Via and Contact say so, in-dialog requests stay on it", {
  skip: NO_OPENSSL,
}, async (t) => {
  const authority = new TestAuthority(t);
  const party = (domain: string): Omit<SipTransportsOptions, "log"> => {
    const { certificateFile, keyFile } = authority.issue(`URI:sip:${domain}`);
    const tls = { certificate: [certificateFile], key: [keyFile], ca: authority.caFile };
    return { listen: [{ transport: "tls", address: LOCALHOST, port: 0 }], tls };
  };
  const callee = await agent(t, party("b.example.com"));
  const caller = await agent(t, party("a.example.com"));
  const { port } = callee.transports.sentBy("tls", LOCALHOST);
  const { port: callerPort } = caller.transports.sentBy("tls", LOCALHOST);
  for (const [requestUri, scheme, parameters] of [
    [`sip:b@b.example.com:${port};transport=tls`, "sip", ";transport=tls"],
    [`sips:b@b.example.com:${port}`, "sips", ";transport=tls"],
  ] as const) {
    const ended = deferred<string>();
    const invited = deferred<SipRequest>();
    callee.agent.attach({
      onInvite: (invite) => {
        invited.resolve(invite.request);
        assert.equal(invite.flow.transport, "tls");
        invite.answer({ body: SDP }).attach({ onEnded: ({ by }) => ended.resolve(by) });
      },
    });
    const contact = await new Promise<string | undefined>((resolve, reject) => {
      caller.agent.invite(
        { requestUri, from: "sip:a@a.example.com", to: "sip:b@b.example.com", body: SDP },
        {
          onAnswered: (dialog, response) => {
            dialog.attach({ onEnded: () => {} });
            resolve(response.headers.get("Contact"));
            setImmediate(() => void dialog.bye());
            return undefined;
          },
          onFailed: (failure) => reject(new Error(failure.message)),
        },
      );
    });
    const request = await invited.promise;
    assert.match(
      request.headers.get("Via") ?? "",
      new RegExp(`^SIP/2\\.0/TLS 127\\.0\\.0\\.1:${callerPort};`),
    );
    assert.equal(request.headers.get("Contact"), `<${scheme}:127.0.0.1:${callerPort}${parameters}>`);
    assert.match(contact ?? "", new RegExp(`^<${scheme}:b@127\\.0\\.0\\.1:${port}`));
    assert.equal(await ended.promise, "remote");
  }
  const failed = await new Promise((resolve) => {
    const requestUri = `sips:b@other.example.com:${port}`;
    const given = { requestUri, from: "sip:a@a.example.com", to: requestUri, body: SDP };
    caller.agent.invite(given, { onAnswered: () => undefined, onFailed: resolve });
  });
  assert.deepEqual(
    { ...(failed as object), message: "", reason: "" },
    { status: 503, cause: "transport", transportReason: "certificate-name", message: "", reason: "" },
  );
});

test("[R7118-5-1] a browser calls: its .invalid addresses are never looked up, answers and our BYE take its WebSocket", async (t) => {
  const { agent: platform, transports } = await agent(t, {
    listen: [
      { transport: "udp", address: LOCALHOST, port: 0 },
      { transport: "ws", address: LOCALHOST, port: 0 },
    ],
  });
  platform.attach({
    onInvite: (invite) => {
      const dialog = invite.answer({ body: SDP });
      dialog.attach({ onAcknowledged: () => void dialog.bye(), onEnded: () => {} });
    },
  });
  const socket = new WebSocket(`ws://${LOCALHOST}:${transports.sentBy("ws", LOCALHOST).port}`, ["sip"]);
  t.after(() => socket.terminate());
  await once(socket, "open");
  // Without Content-Length: RFC 7118 §5.1 leaves it out.
  const request = (method: string, tag = ""): string =>
    [
      `${method} sip:b@example.com SIP/2.0`,
      `Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK${method}`,
      "From: <sip:a@example.com>;tag=1",
      `To: <sip:b@example.com>${tag}`,
      "Call-ID: browser",
      `CSeq: 1 ${method}`,
      "Contact: <sip:a@df7jal23ls0d.invalid;transport=ws>",
      "Max-Forwards: 70",
      ...(method === "INVITE" ? ["Content-Type: application/sdp", "", "v=0\r\n"] : ["", ""]),
    ].join("\r\n");
  socket.send(request("INVITE"));
  const bye = await new Promise<SipRequest>((resolve) => {
    socket.on("message", (data: Buffer) => {
      const parsed = parseSipMessage(data, { framing: "datagram" });
      assert.ok(parsed.ok);
      if (parsed.value.kind === "request") resolve(parsed.value);
      else if (parsed.value.status === 200) {
        assert.match(parsed.value.headers.get("Contact") ?? "", /;transport=ws>/);
        socket.send(request("ACK", `;tag=${/;tag=(\w+)/.exec(parsed.value.headers.get("To") ?? "")?.[1]}`));
      }
    });
  });
  assert.equal(bye.method, "BYE");
  assert.equal(bye.uri, "sip:a@df7jal23ls0d.invalid;transport=ws");
  assert.match(bye.headers.get("Via") ?? "", /^SIP\/2\.0\/WS 127\.0\.0\.1:/);
});

function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: (value) => resolve(value) };
}
