import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture, rtpStreams } from "./support/capture.ts";
import { Owned } from "./support/owned.ts";
import { without, withoutCapture } from "./support/programs.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";

const CALLS = 20;
const owned = new Owned();
let server: TestServer;

describe("twenty calls at five a second, with audio both ways", {
  skip: without("sipp") || withoutCapture(),
}, () => {
  before(async () => {
    server = await TestServer.start(owned, { flags: ["--rtp-ports", "21000-21999"] });
  });
  after(() => owned.release());

  it("all succeed, and no RTP packet is lost between the parties", async (t) => {
    const callee = await Sipp.start(t, { scenario: "uas-answers.xml", calls: CALLS });
    await server.number("twenty", {
      twiml: `<Response><Dial answerOnBridge="true"><Sip>sip:bob@127.0.0.1:${callee.port}</Sip></Dial></Response>`,
    });
    const capture = await Capture.start(t, "udp portrange 21000-21999");
    const caller = await Sipp.start(t, {
      scenario: "uac-hangs-up.xml",
      target: { port: server.sipPort, user: "twenty" },
      calls: CALLS,
      rate: 5,
      pauseMs: 2_000,
    });
    await Promise.all([caller.succeeded(), callee.succeeded()]);

    const streams = rtpStreams(await capture.stop());
    const isOurs = (port: number): boolean => port >= 21_000 && port <= 21_999;
    const received = streams.filter(({ to }) => isOurs(to));
    const sent = streams.filter(({ from }) => isOurs(from));
    // Each call: both parties send to us, and we send to both.
    assert.equal(received.length, 2 * CALLS);
    assert.equal(sent.length, 2 * CALLS);
    assert.deepEqual([...new Set(streams.map(({ payload }) => payload))], ["g711U"]);
    assert.equal(sum(sent, "lost") + sum(received, "lost"), 0);
    assert.ok(sum(sent, "packets") >= 0.9 * sum(received, "packets"));
    assert.ok(sum(sent, "packets") >= 2 * CALLS * 60, `${sum(sent, "packets")} packets`);

    const calls = await server.twilio().calls.list({ limit: 100 });
    assert.deepEqual([...new Set(calls.map(({ status }) => status))], ["completed"]);
    assert.equal(calls.length, 2 * CALLS);
  });
});

function sum(
  rows: readonly { readonly packets: number; readonly lost: number }[],
  field: "packets" | "lost",
): number {
  return rows.reduce((total, row) => total + row[field], 0);
}
