import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectTcp, createServer as createTcpServer, type Server } from "node:net";
import { type TestContext, test } from "node:test";
import { connect, createServer, type SecureVersion, type TLSSocket } from "node:tls";
import type { SipTransportsOptions } from "./sip-transports.ts";
import { NO_OPENSSL, TestAuthority, type TestCertificate } from "./testing/certificates.ts";
import { freePort, gone, hasReason, LOCALHOST, octets, open, request } from "./testing/transports.ts";
import type { SipDestination } from "./types.ts";

const skip = NO_OPENSSL;
const TLS_LISTENER = [{ transport: "tls", address: LOCALHOST, port: 0 }] as const;

type TlsOptions = SipTransportsOptions["tls"] & object;

const filesOf = (...certificates: TestCertificate[]): Pick<TlsOptions, "certificate" | "key"> => ({
  certificate: certificates.map(({ certificateFile }) => certificateFile),
  key: certificates.map(({ keyFile }) => keyFile),
});

interface World {
  readonly authority: TestAuthority;
  readonly server: Awaited<ReturnType<typeof open>>;
  readonly client: Awaited<ReturnType<typeof open>>;
  readonly to: SipDestination;
}

/** A server for sip.example.com and a client, both trusting one authority. */
async function world(
  t: TestContext,
  {
    server = {},
    client = {},
    limits = {},
  }: {
    server?: Partial<TlsOptions>;
    client?: Partial<TlsOptions>;
    limits?: SipTransportsOptions["limits"];
  } = {},
  authority = new TestAuthority(t),
): Promise<World> {
  const { caFile: ca } = authority;
  const own = filesOf(authority.issue("DNS:sip.example.com"));
  const options = { listen: TLS_LISTENER, ...(limits && { limits }) };
  const opened = await open(t, { ...options, tls: { ...own, ca, ...server } });
  const dialing = await open(t, { listen: [], tls: { certificate: [], key: [], ca, ...client } });
  const { port } = opened.transports.sentBy("tls", LOCALHOST);
  const to = { transport: "tls", address: LOCALHOST, port, tls: { serverName: "sip.example.com" } } as const;
  return { authority, server: opened, client: dialing, to };
}

test("[R7866-12-1] TLS 1.2 and 1.3 are spoken both ways, 1.1 is refused", { skip }, async (t) => {
  const { server, client, to, authority } = await world(t);
  await client.transports.send(octets(request("x")), to);
  const heard = await server.message();
  assert.equal(heard.text, request("x"));
  assert.equal(heard.flow.transport, "tls");
  assert.deepEqual([heard.flow.tls?.protocol, heard.flow.tls?.authorized], ["TLSv1.3", false]);
  await server.transports.send(octets(request("back")), heard.flow);
  const back = await client.message();
  assert.equal(back.text, request("back"));
  assert.equal(back.flow.tls?.authorized, true);
  assert.deepEqual(back.flow.tls?.identities, ["sip.example.com"]);

  const old = await handshake(to.port, authority, "TLSv1.2");
  assert.equal(old, "TLSv1.2");
  assert.match(await handshake(to.port, authority, "TLSv1.1"), /ERR_SSL|ECONNRESET/);
});

test("[R7866-12-2] no NULL, no RC4, no key exchange without forward secrecy: openssl s_client finds none", {
  skip,
}, async (t) => {
  const { to } = await world(t);
  for (const [version, ciphers] of [
    ["-tls1_2", "NULL"],
    ["-tls1_2", "RC4"],
    ["-tls1_2", "3DES"],
    ["-tls1_2", "kRSA"],
    ["-tls1_2", "ECDHE-ECDSA-AES256-SHA384"],
    ["-tls1_1", "ALL"],
    ["-tls1", "ALL"],
  ] as const) {
    const result = await sClient(to.port, [version, "-cipher", `${ciphers}:@SECLEVEL=0`]);
    assert.doesNotMatch(result, /Cipher is (?!\(NONE\))/, `${version} ${ciphers}`);
  }
  assert.match(await sClient(to.port, ["-tls1_2"]), /Cipher is ECDHE-ECDSA-AES256-GCM-SHA384/);
  assert.match(await sClient(to.port, ["-tls1_3"]), /Cipher is TLS_AES_256_GCM_SHA384/);
});

test("[R5922-7.3-1] a server whose certificate is for somebody else, expired, of a stranger, or no TLS at all: the connection is closed and the reason told", {
  skip,
}, async (t) => {
  const { to, client, authority } = await world(t);
  const other = { ...to, tls: { serverName: "other.example.com" } };
  await assert.rejects(client.transports.send(octets("x"), other), hasReason("certificate-name"));
  await assert.rejects(client.transports.send(octets("x"), other), { publicCode: 11235 });

  const expired = await world(
    t,
    { server: filesOf(authority.issue("DNS:sip.example.com", { days: -1 })) },
    authority,
  );
  await assert.rejects(expired.client.transports.send(octets("x"), expired.to), {
    reason: "certificate-expired",
    publicCode: 11236,
  });

  const stranger = new TestAuthority(t, "Somebody else");
  const strange = { ...to, tls: { ...to.tls!, ca: stranger.ca } };
  await assert.rejects(client.transports.send(octets("x"), strange), {
    reason: "certificate-untrusted",
    publicCode: 11237,
  });

  const plain = createTcpServer((socket) =>
    socket.on("error", () => {}).end("SIP/2.0 400 Bad Request\r\n\r\n"),
  );
  const port = await listening(t, plain);
  await assert.rejects(client.transports.send(octets("x"), { ...to, port }), {
    reason: "handshake",
    publicCode: 11220,
  });
  const refused = await freePort();
  await assert.rejects(client.transports.send(octets("x"), { ...to, port: refused }), hasReason("refused"));
});

test("[R7866-12.1-1] client certificates required: a good one passes, none, expired and unknown ones do not", {
  skip,
}, async (t) => {
  const authority = new TestAuthority(t);
  const required = { server: { clientCertificates: "required" } } as const;
  const good = authority.issue("URI:sip:src.example.com");
  const { server, client, to } = await world(t, { ...required, client: filesOf(good) }, authority);
  await client.transports.send(octets(request("x")), to);
  const { flow } = await server.message();
  assert.deepEqual([flow.tls?.authorized, flow.tls?.identities], [true, ["src.example.com"]]);

  const stranger = new TestAuthority(t, "Somebody else");
  for (const certificate of [
    undefined,
    authority.issue("URI:sip:src.example.com", { days: -1 }),
    stranger.issue("URI:sip:src.example.com"),
  ]) {
    const nobody = await open(t, {
      listen: [],
      tls: { ...(certificate ? filesOf(certificate) : filesOf()), ca: authority.caFile },
    });
    // With TLS 1.3 the client is through before the server has looked: the connection is closed behind the message.
    await nobody.transports.send(octets(request("nobody")), to).then(
      () => nobody.closed(),
      (error: { reason?: string }) =>
        assert.ok(["handshake", "closed"].includes(error.reason ?? ""), error.reason),
    );
  }
  await client.transports.send(octets(request("still")), to);
  assert.equal((await server.message()).text, request("still"), "nothing of the others came through");
});

test("[R5922-7.4-1] client certificates optional: one without, or with a stranger's, is nobody", {
  skip,
}, async (t) => {
  const authority = new TestAuthority(t);
  const { server, client, to } = await world(t, { server: { clientCertificates: "optional" } }, authority);
  await client.transports.send(octets(request("x")), to);
  assert.deepEqual((await server.message()).flow.tls?.identities, []);
  const stranger = new TestAuthority(t, "Somebody else").issue("URI:sip:src.example.com");
  const liar = await open(t, { listen: [], tls: { ...filesOf(stranger), ca: authority.caFile } });
  await liar.transports.send(octets(request("y")), to);
  const { flow } = await server.message();
  assert.deepEqual([flow.tls?.authorized, flow.tls?.identities], [false, []]);
});

test("connections are shared within one context and not between contexts: each peer sees the certificate meant for it", {
  skip,
}, async (t) => {
  const authority = new TestAuthority(t);
  const { server, client, to } = await world(t, { server: { clientCertificates: "required" } }, authority);
  const [a, b] = [authority.issue("URI:sip:a.example.com"), authority.issue("URI:sip:b.example.com")];
  const as = ({ certificate, key }: TestCertificate): SipDestination => ({
    ...to,
    tls: { ...to.tls!, certificate, key },
  });
  const flows = [];
  for (const one of [a, b, a]) {
    await client.transports.send(octets(request("x")), as(one));
    const { flow } = await server.message();
    flows.push(flow);
    await server.transports.send(octets(request("back")), flow);
    const { flow: dialled } = await client.message();
    // What closes one of them is no news for those who use the other.
    assert.deepEqual(
      [a, b].map((each) => client.transports.carries?.(dialled, as(each))),
      [a, b].map((each) => each === one),
    );
  }
  assert.deepEqual(
    flows.map(({ tls }) => tls?.identities[0]),
    ["a.example.com", "b.example.com", "a.example.com"],
  );
  assert.equal(flows[0]?.id, flows[2]?.id);
  assert.notEqual(flows[0]?.id, flows[1]?.id);
});

test("several certificates: the name that the client asks for picks one, the first is for all others", {
  skip,
}, async (t) => {
  const authority = new TestAuthority(t);
  const [one, two] = [authority.issue("DNS:one.example.com"), authority.issue("DNS:two.example.com")];
  const { client, server, to } = await world(t, { server: filesOf(one, two) }, authority);
  for (const serverName of ["one.example.com", "two.example.com"]) {
    await client.transports.send(octets(request("x")), { ...to, tls: { serverName } });
    await server.message();
  }
  const third = { ...to, tls: { serverName: "three.example.com" } };
  await assert.rejects(client.transports.send(octets("x"), third), /for one\.example\.com, not for three/);
});

test("a renewed certificate serves new connections without a restart; half a change leaves the old one", {
  skip,
}, async (t) => {
  const authority = new TestAuthority(t);
  const certificate = authority.issue("DNS:sip.example.com");
  const { client, server, to } = await world(
    t,
    { server: filesOf(certificate), limits: { certificateCheckMs: 5 } },
    authority,
  );
  await client.transports.send(octets(request("old")), to);
  const { flow } = await server.message();
  authority.issue("DNS:new.example.com", { to: certificate });
  const renewed = { ...to, tls: { serverName: "new.example.com" } };
  for (;;) {
    const sent = await client.transports.send(octets(request("new")), renewed).then(
      () => true,
      (error) => hasReason("certificate-name")(error) && false,
    );
    if (sent) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await server.message()).text, request("new"));
  await server.transports.send(octets(request("on the old one")), flow);
  assert.equal((await client.message()).text, request("on the old one"));
});

test("[R5922-4.1-1] the server name goes out with the handshake, an address does not", {
  skip,
}, async (t) => {
  const authority = new TestAuthority(t);
  const { certificate, key } = authority.issue("DNS:sip.example.com,IP:127.0.0.1");
  const names: (string | false | null)[] = [];
  const server = createServer({ cert: certificate, key }, (socket) => {
    names.push(socket.servername);
    socket.destroy();
  });
  const port = await listening(t, server);
  const client = await open(t, { listen: [], tls: { certificate: [], key: [], ca: authority.caFile } });
  for (const serverName of ["sip.example.com", LOCALHOST]) {
    const to = { transport: "tls", address: LOCALHOST, port, tls: { serverName } } as const;
    await client.transports.send(octets("x"), to).catch(() => {});
    await client.closed();
  }
  assert.deepEqual(names, ["sip.example.com", false]);
});

test("[R5923-8.2-1] a peer's connection carries our requests to its alias only when its certificate was verified and names it", {
  skip,
}, async (t) => {
  const authority = new TestAuthority(t);
  const ours = filesOf(authority.issue("DNS:sip.example.com"));
  const tls = { ...ours, ca: authority.caFile, clientCertificates: "optional" } as const;
  const server = await open(t, { listen: TLS_LISTENER, tls, limits: { connectTimeoutMs: 2_000 } });
  const { port } = server.transports.sentBy("tls", LOCALHOST);
  const to = { transport: "tls", address: LOCALHOST, port, tls: { serverName: "sip.example.com" } } as const;
  const own = filesOf(authority.issue("DNS:peer.example.com"));
  const peer = await open(t, { listen: [], tls: { ...own, ca: authority.caFile } });
  const nobody = await open(t, { listen: [], tls: { ...filesOf(), ca: authority.caFile } });
  const [dead, alias] = [1, 2]; // nothing listens there
  await nobody.transports.send(octets(request("nobody")), to);
  server.transports.aliasFlow?.((await server.message()).flow, dead);
  await peer.transports.send(octets(request("peer")), to);
  server.transports.aliasFlow?.((await server.message()).flow, alias);
  const back = (aliasPort: number, serverName: string): SipDestination => ({
    transport: "tls",
    address: LOCALHOST,
    port: aliasPort,
    tls: { serverName },
  });
  await server.transports.send(octets(request("back")), back(alias, "peer.example.com"));
  assert.equal((await peer.message()).text, request("back"));
  await assert.rejects(
    server.transports.send(octets("x"), back(alias, "other.example.com")),
    hasReason("refused"),
  );
  await assert.rejects(
    server.transports.send(octets("x"), back(dead, "peer.example.com")),
    hasReason("refused"),
  );
});

test("a TLS handshake that is never finished is given up, and does not keep others out", {
  skip,
}, async (t) => {
  const { client, server, to } = await world(t, { limits: { handshakeTimeoutMs: 50, maxConnections: 3 } });
  const silent = Array.from({ length: 6 }, () => connectTcp(to.port, LOCALHOST).on("error", () => {}));
  t.after(() => silent.forEach((socket) => void socket.destroy()));
  const left = Promise.all(silent.map((socket) => gone(socket)));
  await client.transports.send(octets(request("x")), to);
  assert.equal((await server.message()).text, request("x"));
  await left;
});

test("a certificate that cannot be used is refused at start, and says why", { skip }, async (t) => {
  const authority = new TestAuthority(t);
  const [a, b] = [authority.issue("DNS:a.example.com"), authority.issue("DNS:b.example.com")];
  for (const [tls, message] of [
    [{ certificate: [a.certificateFile], key: [b.keyFile] }, /is not the key of/],
    [{ certificate: [`${a.certificateFile}.gone`], key: [a.keyFile] }, /ENOENT/],
    [{ certificate: [a.keyFile], key: [a.keyFile] }, /holds no certificate in PEM/],
  ] as const) {
    await assert.rejects(open(t, { listen: TLS_LISTENER, tls }), { code: "TLS_MATERIAL", message });
  }
});

async function handshake(port: number, authority: TestAuthority, version: SecureVersion): Promise<string> {
  const socket: TLSSocket = connect({
    port,
    host: LOCALHOST,
    servername: "sip.example.com",
    ca: authority.ca,
    minVersion: version,
    maxVersion: version,
    ciphers: "DEFAULT:@SECLEVEL=0",
  });
  try {
    await once(socket, "secureConnect");
    return socket.getProtocol() ?? "";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "";
  } finally {
    socket.destroy();
  }
}

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, LOCALHOST);
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : 0;
}

/** What openssl's client prints; asynchronous, since the server is in this process. */
async function sClient(port: number, args: readonly string[]): Promise<string> {
  const child = spawn("openssl", ["s_client", "-connect", `${LOCALHOST}:${port}`, ...args]);
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += String(chunk);
  });
  child.stdin.on("error", () => {});
  child.stdin.end();
  await once(child, "close");
  return output;
}
