import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture, tshark } from "./support/capture.ts";
import { converse } from "./support/conversation.ts";
import { Owned } from "./support/owned.ts";
import { without, withoutCapture } from "./support/programs.ts";
import { openEars } from "./support/recorder-ears.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";
import { until } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;

/** Lines of tshark's fields, split. */
const fields = (
  file: string,
  recorderPort: number,
  filter: string,
  ...names: readonly string[]
): string[][] =>
  tshark(
    file,
    ...["-d", `tcp.port==${recorderPort},sip`, "-Y", filter, "-T", "fields", "-E", "occurrence=a"],
    ...names.flatMap((name) => ["-e", name]),
  )
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t"));

describe("a pause on the wire", { skip: without("sipp") || withoutCapture() }, () => {
  before(async () => {
    server = await TestServer.start(owned);
  });
  after(() => owned.release());

  it("[R6341-011] [R6341-004] [R7866-7.1.1.1-3] tshark sees labels and directions of each offer, and no RTP from the answer to the pause until the answer to its end", async (t) => {
    const ears = await openEars(t);
    const { inbound_port, outbound_port } = ears.keys;
    const recorder = await Sipp.start(t, {
      scenario: "srs-is-paused.xml",
      transport: "tcp",
      keys: ears.keys,
    });
    await server.connector("paused", `sip:recorder@127.0.0.1:${recorder.port};transport=tcp`);
    const call = await converse(t, server);
    const capture = await Capture.start(
      t,
      `tcp port ${recorder.port} or udp port ${inbound_port} or udp port ${outbound_port}`,
    );
    const { siprec } = server.twilio().calls(call.callSid);
    const { sid } = await siprec.create({ connectorName: "paused" });
    const path = `/2010-04-01/Accounts/${server.accountSid}/Calls/${call.callSid}/Siprec/${sid}.json`;
    const heard = () => Math.min(ears.inbound.heard().packets, ears.outbound.heard().packets);
    await until("half a second", () => heard() > 25);
    await server.post(path, { Status: "paused" });
    const before = call.bob.heard().packets;
    await until("a second of talk", () => call.bob.heard().packets > before + 50);
    await until("the recorder is told", () =>
      recorder
        .messages()
        .some(({ message }) => message.kind === "request" && /a=inactive/.test(text(message.body))),
    );
    const paused = heard();
    await server.post(path, { Status: "in-progress" });
    await until("half a second more", () => heard() > paused + 25);
    await siprec(sid).update({ status: "stopped" });
    await recorder.succeeded();
    const file = await capture.stop();

    const invites = fields(file, recorder.port, 'sip.Method == "INVITE"', "sip.CSeq.seq", "sdp.media_attr");
    assert.equal(invites.length, 3);
    const lines = invites.map(([, attributes = ""]) => ({
      labels: [...attributes.matchAll(/label:(\w+)/g)].map(([, label]) => label),
      directions: [...attributes.matchAll(/\b(sendonly|inactive|sendrecv|recvonly)\b/g)].map(
        ([word]) => word,
      ),
    }));
    const labels = ["inbound", "outbound"];
    assert.deepEqual(lines, [
      { labels, directions: ["sendonly", "sendonly"] },
      { labels, directions: ["inactive", "inactive"] },
      { labels, directions: ["sendonly", "sendonly"] },
    ]);
    const answers = fields(
      file,
      recorder.port,
      'sip.Status-Code == 200 && sip.CSeq.method == "INVITE"',
      "frame.time_epoch",
    ).map(([time]) => Number(time));
    assert.equal(answers.length, 3);
    const [started, fenced, open] = answers as [number, number, number];
    for (const port of [inbound_port, outbound_port]) {
      const times = fields(file, recorder.port, `udp.dstport == ${port}`, "frame.time_epoch").map(([time]) =>
        Number(time),
      );
      assert.ok(times.some((time) => time > started && time < fenced));
      assert.ok(times.some((time) => time > open));
      assert.deepEqual(
        times.filter((time) => time > fenced && time < open),
        [],
      );
    }
    assert.ok(open - fenced > 0.5);
  });
});

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
