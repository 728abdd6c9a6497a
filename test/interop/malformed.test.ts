import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { SeededRandom } from "@callfork/testkit";
import { Owned } from "./support/owned.ts";
import { without } from "./support/programs.ts";
import { overTcp, RawSip } from "./support/raw-sip.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";

const owned = new Owned();
let server: TestServer;

const SDP =
  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

const SDP_TYPE = { "Content-Type": "application/sdp" };

/** The server still answers, and nothing it met was an error of its own. */
async function assertUnharmed(sip: RawSip): Promise<void> {
  assert.equal((await sip.ask("OPTIONS")).status, 200);
  assert.equal(server.child.isOver, false);
  const errors = server.child.stdout
    .split("\n")
    .filter((line) => /"level":"error"(?!.*"msg":"alert:)/.test(line));
  assert.deepEqual(errors, []);
}

const open = async (t: TestContext): Promise<RawSip> => await RawSip.open(t, server.sipPort);

interface Refused {
  readonly what: string;
  readonly status: number;
  readonly method: string;
  readonly user?: string;
  readonly uri?: string;
  readonly change?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
}

describe("messages that no RFC allows", () => {
  before(async () => {
    server = await TestServer.start(owned);
    const dial = "<Sip>sip:nobody@127.0.0.1:9</Sip></Dial></Response>";
    await server.number("pauses", { twiml: '<Response><Pause length="5"/></Response>' });
    await server.number("dials", { twiml: `<Response><Dial answerOnBridge="true">${dial}` });
    await server.number("answers", { twiml: `<Response><Dial>${dial}` });
  });
  after(() => owned.release());

  const refused: readonly Refused[] = [
    {
      what: "a From that is no address",
      status: 400,
      method: "OPTIONS",
      change: { From: "<sip:raw@127.0.0.1;tag=1" },
    },
    { what: "a CSeq of another method", status: 400, method: "OPTIONS", change: { CSeq: "1 INVITE" } },
    { what: "a CSeq beyond 2^31", status: 400, method: "OPTIONS", change: { CSeq: "4294967296 OPTIONS" } },
    { what: "two Call-IDs", status: 400, method: "OPTIONS", change: { "call-id": "another" } },
    {
      what: "a Content-Length beyond the datagram",
      status: 400,
      method: "OPTIONS",
      change: { "Content-Length": "9999" },
    },
    {
      what: "a Content-Length below zero",
      status: 400,
      method: "OPTIONS",
      change: { "Content-Length": "-1" },
    },
    { what: "a Request-URI with spaces", status: 400, method: "OPTIONS", uri: "sip:some body@127.0.0.1" },
    {
      what: "a scheme that nobody serves",
      status: 416,
      method: "INVITE",
      uri: "nobodyKnowsThis:totallyopaque",
    },
    { what: "an unknown method", status: 501, method: "NEWMETHOD" },
    {
      what: "an extension that nobody knows",
      status: 420,
      method: "INVITE",
      change: { Require: "no-such-extension" },
    },
    {
      what: "no hop left for a call that is dialled on",
      status: 483,
      method: "INVITE",
      user: "dials",
      change: { "Max-Forwards": "0" },
    },
    {
      what: "a session description that is none",
      status: 400,
      method: "INVITE",
      user: "pauses",
      change: SDP_TYPE,
      body: "v=what?\r\n",
    },
    {
      what: "no codec that anybody has",
      status: 488,
      method: "INVITE",
      user: "answers",
      change: SDP_TYPE,
      body: SDP.replace("AVP 0", "AVP 3"),
    },
    {
      what: "a body that nobody reads",
      status: 415,
      method: "INVITE",
      user: "pauses",
      change: { "Content-Type": "application/x-nobody" },
      body: "?",
    },
    {
      what: "a multipart without its boundary",
      status: 400,
      method: "INVITE",
      user: "pauses",
      change: { "Content-Type": "multipart/mixed" },
      body: "--x\r\n\r\n--x--",
    },
    {
      what: "a BYE outside of any dialog",
      status: 481,
      method: "BYE",
      change: { To: "<sip:somebody@127.0.0.1>;tag=unknown" },
    },
    { what: "a CANCEL of nothing", status: 481, method: "CANCEL" },
  ];
  for (const { what, status, method, change, body, user, uri } of refused) {
    it(`${what}: ${status}`, async (t) => {
      const sip = await open(t);
      const target = uri ?? `sip:${user ?? "nobody"}@127.0.0.1:${server.sipPort}`;
      const answer = await sip.ask(method, { start: `${method} ${target} SIP/2.0`, ...change }, body);
      assert.equal(answer.status, status, answer.reason);
      await assertUnharmed(sip);
    });
  }

  it("a version that is not there yet: 505", async (t) => {
    const sip = await open(t);
    const answer = await sip.ask("OPTIONS", { start: "OPTIONS sip:somebody@127.0.0.1 SIP/7.0" });
    assert.equal(answer.status, 505);
    await assertUnharmed(sip);
  });

  it("what is no SIP gets no answer and does no harm", async (t) => {
    const sip = await open(t);
    const silent = [{ Via: undefined }, { From: undefined }, { To: undefined }].map((change) =>
      sip.request("INVITE", change),
    );
    const stray = sip.request("OPTIONS", { start: "SIP/2.0 200 OK" });
    for (const bytes of [
      "",
      "\r\n\r\n",
      "\0\0\0\0",
      "GET / HTTP/1.1\r\n\r\n",
      "x".repeat(60_000),
      ...silent.map(({ text }) => text),
      stray.text,
    ]) {
      await sip.send(bytes);
    }
    await assertUnharmed(sip);
    for (const { branch } of [...silent, stray]) assert.equal(sip.answersTo(branch), 0);
  });

  it("an ACK of nothing gets no answer", async (t) => {
    const sip = await open(t);
    const ack = sip.request("ACK");
    await sip.send(ack.text);
    await assertUnharmed(sip);
    assert.equal(sip.answersTo(ack.branch), 0);
  });

  it("a request that comes octet by octet over TCP is one request", async (t) => {
    const { text } = (await open(t)).request("OPTIONS");
    const octets = [...text.replace("SIP/2.0/UDP", "SIP/2.0/TCP")];
    const { received } = await overTcp(server.sipPort, octets, (text) => text.includes("\r\n\r\n"));
    assert.match(received, /^SIP\/2\.0 200 /);
  });

  it("two requests in one segment get two answers", async (t) => {
    const sip = await open(t);
    const both = [sip.request("OPTIONS"), sip.request("OPTIONS")];
    const text = both.map((each) => each.text.replace("SIP/2.0/UDP", "SIP/2.0/TCP")).join("");
    const { received } = await overTcp(
      server.sipPort,
      [text],
      (text) => (text.match(/^SIP\/2\.0 200 /gm) ?? []).length === 2,
    );
    for (const { branch } of both) assert.ok(received.includes(branch));
  });

  it("a TCP stream that is no SIP, or whose framing is lost, is closed", async (t) => {
    const sip = await open(t);
    const lost = sip
      .request("OPTIONS", { "Content-Length": "-5" })
      .text.replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    for (const bytes of ["x".repeat(300_000), lost]) {
      const { closed } = await overTcp(server.sipPort, [bytes], () => false);
      assert.equal(closed, true);
    }
    await assertUnharmed(sip);
  });

  it("500 datagrams of random octets, and of requests with random octets in them, change nothing", {
    skip: without("sipp"),
  }, async (t) => {
    const sip = await open(t);
    const random = new SeededRandom(5060);
    for (let i = 0; i < 500; i++) {
      const noise = random.bytes(i);
      if (i % 2 === 0) {
        await sip.send(noise);
        continue;
      }
      const bytes = Buffer.from(sip.request(i % 3 === 0 ? "INVITE" : "OPTIONS", SDP_TYPE, SDP).text);
      for (const at of noise.subarray(0, 1 + (i % 12))) bytes[(at * 251 + i * 17) % bytes.length] = at;
      await sip.send(bytes);
    }
    await assertUnharmed(sip);

    const callee = await Sipp.start(t, { scenario: "uas-answers.xml" });
    await server.number("after", {
      twiml: `<Response><Dial answerOnBridge="true"><Sip>sip:bob@127.0.0.1:${callee.port}</Sip></Dial></Response>`,
    });
    const target = { port: server.sipPort, user: "after" };
    const caller = await Sipp.start(t, { scenario: "uac-hangs-up.xml", target, pauseMs: 200 });
    await Promise.all([caller.succeeded(), callee.succeeded()]);
  });
});
