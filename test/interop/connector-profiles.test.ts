import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { NO_OPENSSL, TestAuthority } from "../../packages/server/src/net/testing/certificates.ts";
import { type Conversation, converse } from "./support/conversation.ts";
import { Owned } from "./support/owned.ts";
import { freePort } from "./support/ports.ts";
import { RawRecorder, type RawRecorderRequest } from "./support/raw-recorder.ts";
import { TestServer } from "./support/server.ts";
import { siprecBody } from "./support/siprec-message.ts";
import { until } from "./support/waiting.ts";

const PAGES = join(import.meta.dirname, "../../docs/connectors");
/** What stands in a page between this line and the end of its code block is what the platform sends. */
const MARK =
  "<!-- The INVITE of a call from Alice to Bob: test/interop/connector-profiles.test.ts writes it. -->";

const owned = new Owned();
let authority: TestAuthority;
let server: TestServer;
let tlsPort: number;
let call: Conversation;

/** Loopback addresses that nobody else listens on: there every port is free, those of profiles too. */
const ownAddress = (): string => `127.${randomInt(64, 250)}.${randomInt(1, 250)}.${randomInt(1, 250)}`;

interface Wanted {
  readonly profile: string;
  /** How its page calls the host of the recorder. */
  readonly host: string;
  readonly port: number;
  readonly isTls?: boolean;
  /** Of its SIP URI, with ADDRESS for the recorder's. */
  readonly sipUris: readonly string[];
  readonly connector?: Readonly<Record<string, string>>;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly more?: readonly string[];
}

/** A connector of that profile made by REST, a fork to it, and what its recorder got until the fork was stopped. */
async function requestsOf(wanted: Wanted): Promise<{ recorder: RawRecorder; address: string }> {
  const address = ownAddress();
  const { certificate, key } = authority.issue(`IP:${address}`);
  const tls = wanted.isTls === true ? { tls: { certificate, key, ca: authority.ca } } : {};
  const recorder = await RawRecorder.open(owned, { address, port: wanted.port, ...tls });
  const form = new URLSearchParams({
    UniqueName: `${wanted.profile}-${randomInt(1e9)}`,
    Profile: wanted.profile,
    ...wanted.connector,
  });
  for (const uri of wanted.sipUris) form.append("SipUri", uri.replace("ADDRESS", address));
  const { unique_name: connector } = await server.post<{ unique_name: string }>("/v1/Connectors", form);
  const path = `/2010-04-01/Accounts/${server.accountSid}/Calls/${call.callSid}/Siprec`;
  const fork = new URLSearchParams({ ConnectorName: connector });
  for (const [index, [name, value]] of Object.entries(wanted.parameters ?? {}).entries()) {
    fork.set(`Parameter${index + 1}.Name`, name);
    fork.set(`Parameter${index + 1}.Value`, value);
  }
  const { sid } = await server.post<{ sid: string }>(`${path}.json`, fork);
  await until("the fork being taken", async () => {
    const { start_time, error_message } = await server.get<Record<string, string | null>>(
      `${path}/${sid}.json`,
    );
    assert.equal(error_message, null);
    return start_time !== null;
  });
  await server.post(`${path}/${sid}.json`, { Status: "stopped" });
  await recorder.request("BYE");
  return { recorder, address };
}

/** The message with names in braces for all that differs from one time to the next. */
function shown({ bytes }: RawRecorderRequest, { host }: Wanted, address: string): string {
  const text = Buffer.from(bytes).toString("utf8").replaceAll("\r\n", "\n");
  const [, boundary = ""] = /boundary="?([^";\n]+)/.exec(text) ?? [];
  const ids = new Map<string, string>();
  const named = (id: string, kind: string): string => {
    const known = ids.get(id);
    if (known !== undefined) return known;
    const number = [...ids.values()].filter((value) => value.startsWith(`{${kind}`)).length + 1;
    ids.set(id, `{${kind} ${number}}`);
    return ids.get(id)!;
  };
  return text
    .replaceAll(boundary, "{boundary}")
    .replaceAll(address, host)
    .replaceAll(server.accountSid, "{AccountSid}")
    .replaceAll(call.callSid, "{CallSid}")
    .replace(/z9hG4bK[^;\n]+/g, "{branch}")
    .replace(/;tag=[^;\n]+/g, ";tag={tag}")
    .replace(/^Call-ID: .*$/m, "Call-ID: {Call-ID}")
    .replace(/^Content-Length: .*$/gm, "Content-Length: {length}")
    .replace(/^(User-Agent: callfork)\/.*$/m, "$1/{version}")
    .replace(/^o=- \d+ \d+/gm, "o=- {session} {version}")
    .replace(/^m=audio \d+/gm, "m=audio {port}")
    .replace(/^a=rtcp:\d+/gm, "a=rtcp:{port}")
    .replace(/inline:[A-Za-z0-9+/=]+/g, "inline:{key}")
    .replace(/(session|participant|stream|group)_id="([^"]+)"/g, (_all, kind: string, id: string) => {
      return `${kind}_id="${named(id, kind)}"`;
    })
    .replace(/(<(send|recv|group-ref)>)([^<]+)/g, (_all, tag: string, kind: string, id: string) => {
      return `${tag}${named(id, kind === "group-ref" ? "group" : "stream")}`;
    })
    .replace(/(<sipSessionID>)[^<]+/g, "$1{Session-ID}")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "{time}")
    .replace(/(alice|bob)@127\.0\.0\.1:\d+/g, "$1@phones.example.com")
    .replace(/127\.0\.0\.1:(?:\d+)/g, "192.0.2.1:{port}")
    .replaceAll("127.0.0.1", "192.0.2.1")
    .trimEnd();
}

/** The page says what was sent; with UPDATE_DOCS it is made to. */
function assertPage(wanted: Wanted, invite: RawRecorderRequest, address: string): void {
  const file = join(PAGES, `${wanted.profile}.md`);
  const page = readFileSync(file, "utf8");
  const start = page.indexOf(`${MARK}\n\n\`\`\`\n`);
  assert.ok(start >= 0, `${file} has no place for its INVITE`);
  const from = start + `${MARK}\n\n\`\`\`\n`.length;
  const until = page.indexOf("\n```\n", from);
  const text = shown(invite, wanted, address);
  if (process.env.UPDATE_DOCS) writeFileSync(file, `${page.slice(0, from)}${text}${page.slice(until)}`);
  else assert.equal(page.slice(from, until), text);
}

const invitesTo = (recorder: RawRecorder) => recorder.requests.filter(({ method }) => method === "INVITE");
const headersOf = ({ request }: RawRecorderRequest, name: string) => request.headers.lines(name);
const sdpOf = ({ request }: RawRecorderRequest): string => siprecBody(request).sdp ?? "";
const xmlOf = ({ request }: RawRecorderRequest): string =>
  Buffer.from(siprecBody(request).xml ?? []).toString();

describe("connector profiles: what recorders of each kind get, by REST and on the wire", {
  skip: NO_OPENSSL,
}, () => {
  before(async () => {
    authority = new TestAuthority(owned);
    const { certificateFile, keyFile } = authority.issue(
      "DNS:platform.example.com,URI:sip:platform.example.com",
    );
    tlsPort = await freePort();
    const port = await freePort();
    server = await TestServer.start(owned, {
      flags: [
        ...["--sip-listen", `udp:127.0.0.1:${port},tcp:127.0.0.1:${port},tls:127.0.0.1:${tlsPort}`],
        ...["--tls-certificate", certificateFile, "--tls-key", keyFile, "--tls-ca", authority.caFile],
        ...["--rtp-ports", "23900-24099"],
      ],
    });
    call = await converse(owned, server);
  });
  after(() => owned.release());

  it("generic: RFC 7866, and nothing else", async () => {
    const wanted: Wanted = {
      profile: "generic",
      host: "recorder.example.com",
      port: 5060,
      sipUris: ["sip:srs@ADDRESS;transport=tcp"],
      parameters: { agent: "Ann" },
    };
    const { recorder, address } = await requestsOf(wanted);
    const [invite] = invitesTo(recorder);
    assert.equal(recorder.requests[0]?.method, "INVITE");
    assert.deepEqual(headersOf(invite!, "Require"), ["siprec"]);
    assert.match(headersOf(invite!, "Contact")[0] ?? "", />;\+sip\.src$/);
    assert.match(sdpOf(invite!), /^m=audio \d+ RTP\/AVP /m);
    assert.match(xmlOf(invite!), /<Parameter name="agent" value="Ann"\/>/);
    assertPage(wanted, invite!, address);
  });

  it("google-agent-assist: TLS on port 5672, SDES with one suite, G.711, the conversation in Call-Info", async () => {
    const wanted: Wanted = {
      profile: "google-agent-assist",
      host: "us.telephony.goog",
      port: 5672,
      isTls: true,
      sipUris: ["sip:+15550100@ADDRESS"],
      parameters: { conversation: `projects/my-project/conversations/${call.callSid}` },
    };
    const { recorder, address } = await requestsOf(wanted);
    const [invite] = invitesTo(recorder);
    assert.equal(invite?.request.uri, `sip:+15550100@${address}:5672;transport=tls`);
    assert.deepEqual(headersOf(invite!, "Call-Info"), [
      `<http://dialogflow.googleapis.com/v2beta1/projects/my-project/conversations/${call.callSid}>` +
        ";purpose=Goog-ContactCenter-Conversation",
    ]);
    const sdp = sdpOf(invite!);
    assert.equal([...sdp.matchAll(/^m=audio \d+ RTP\/SAVP( 0| 8)+\r?$/gm)].length, 2);
    assert.equal([...sdp.matchAll(/^a=crypto:/gm)].length, 2);
    assert.equal([...sdp.matchAll(/^a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:/gm)].length, 2);
    assertPage(wanted, invite!, address);
  });

  it("dynamics-365: mutual TLS, SRTP, the account in a header field, role and display names in the metadata", async () => {
    const ours = authority.issue("URI:sip:src.example.com");
    const wanted: Wanted = {
      profile: "dynamics-365",
      host: "recorder.example.com",
      port: 5061,
      isTls: true,
      sipUris: ["sip:SRS@ADDRESS"],
      connector: { Certificate: ours.certificate, PrivateKey: ours.key, CertificateAuthority: authority.ca },
      parameters: { Role: "caller", CallerDisplayName: "Ann Agent" },
    };
    const { recorder, address } = await requestsOf(wanted);
    const [invite] = invitesTo(recorder);
    assert.equal(invite?.clientName, "URI:sip:src.example.com");
    assert.equal(invite?.request.uri, `sip:SRS@${address}:5061;transport=tls`);
    assert.deepEqual(headersOf(invite!, "X-AccountId"), [server.accountSid]);
    assert.match(sdpOf(invite!), /^m=audio \d+ RTP\/SAVP /m);
    const xml = xmlOf(invite!);
    for (const parameter of [
      /<Parameter name="Role" value="caller"\/>/,
      /<Parameter name="CallerDisplayName" value="Ann Agent"\/>/,
      /<Parameter name="CalleeDisplayName" value="[^"]+"\/>/,
    ]) {
      assert.match(xml, parameter);
    }
    assertPage(wanted, invite!, address);
  });

  it("amazon-chime: G.711 and nothing else; with secure=true over TLS with SRTP", async () => {
    const wanted: Wanted = {
      profile: "amazon-chime",
      host: "abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws",
      port: 5060,
      sipUris: ["sip:+15550100@ADDRESS;transport=tcp"],
    };
    const { recorder, address } = await requestsOf(wanted);
    const [invite] = invitesTo(recorder);
    assert.match(sdpOf(invite!), /^m=audio \d+ RTP\/AVP( 0| 8)+\r?$/m);
    assertPage(wanted, invite!, address);

    const secure = await requestsOf({
      ...wanted,
      port: 5061,
      isTls: true,
      sipUris: ["sip:+15550100@ADDRESS;secure=true"],
    });
    const [secured] = invitesTo(secure.recorder);
    assert.match(secured?.request.uri ?? "", /;transport=tls$/);
    assert.match(sdpOf(secured!), /^m=audio \d+ RTP\/SAVP( 0| 8)+\r?$/m);
  });

  it("sbc-recorder: OPTIONS first; a recorder that does not answer it gets no INVITE, the next one does", async () => {
    const wanted: Wanted = {
      profile: "sbc-recorder",
      host: "recorder-2.example.com",
      port: 5060,
      // Nobody listens there.
      sipUris: [`sip:srs@${ownAddress()}:5060;transport=tcp`, "sip:srs@ADDRESS;transport=tcp"],
    };
    const { recorder, address } = await requestsOf(wanted);
    assert.deepEqual(
      recorder.requests.slice(0, 3).map(({ method }) => method),
      ["OPTIONS", "INVITE", "ACK"],
    );
    const [options] = recorder.requests;
    assert.match(headersOf(options!, "Contact")[0] ?? "", />;\+sip\.src$/);
    assertPage(wanted, invitesTo(recorder)[0]!, address);
  });

  it("callfork: over TCP, with what the platform knows of the call", async () => {
    const wanted: Wanted = {
      profile: "callfork",
      host: "recorder.example.com",
      port: 5060,
      sipUris: ["sip:recorder@ADDRESS"],
      parameters: { agent: "Ann" },
    };
    const { recorder, address } = await requestsOf(wanted);
    const [invite] = invitesTo(recorder);
    assert.equal(invite?.request.uri, `sip:recorder@${address};transport=tcp`);
    const xml = xmlOf(invite!);
    assert.match(xml, /<Parameter name="agent" value="Ann"\/>/);
    assert.match(xml, new RegExp(`<Parameter name="CallSid" value="${call.callSid}"/>`));
    assertPage(wanted, invite!, address);
  });
});
