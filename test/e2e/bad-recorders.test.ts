import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { directionOf } from "@callfork/protocol/sdp";
import type { SipRequest } from "@callfork/protocol/sip";
import { forked, indexOf, noise, until } from "./fork-rig.ts";
import { offerOf, type RawBehaviour, type RawFlow, RawRecorder } from "./raw-recorder.ts";

const voices = [noise(), noise()] as const;
const places = voices.map(indexOf);
let rigs = 0;

type Rig = Awaited<ReturnType<typeof forked>> & { readonly recorder: RawRecorder };

/** A call forked to a recorder that behaves like this. */
async function troubled(t: TestContext, behaviour: RawBehaviour, answerTimeoutMs?: number): Promise<Rig> {
  const recorder = await RawRecorder.open(t, [...places, ...places], behaviour);
  const firstPort = 27_000 + 40 * rigs++;
  const rig = await forked(t, voices, [recorder.uri], {
    firstPort,
    ...(answerTimeoutMs !== undefined && { answerTimeoutMs }),
  });
  return { ...rig, recorder };
}

/** Another second of talk, then: neither party has missed or heard anything but the other. */
async function assertCallUntouched({ call, other, assertUndisturbed }: Rig): Promise<void> {
  const [a, b] = [call.heard().packets, other.heard().packets];
  await until("a second of talk", () => call.heard().packets > a + 50 && other.heard().packets > b + 50);
  assertUndisturbed();
}

async function ended(rig: Rig, errorCode: number | null): Promise<void> {
  await until("the end of the fork", () => rig.row()?.status === "stopped");
  assert.equal(rig.row().errorCode, errorCode, rig.alerts.join("\n"));
  await until("nothing is left", () => rig.client.liveCount === 0);
}

const flowing = ({ recorder }: Rig, lines: readonly number[]) =>
  until("packets on the lines", () => lines.every((line) => recorder.heard[line]!.length > 25));

/** No packet that came is of another voice than its line's. */
function assertTrue({ recorder }: Rig): void {
  for (const heard of recorder.heard) assert.ok(heard.every((place) => place !== undefined));
}

/** Answers INVITEs by a description of these lines. */
const answering =
  (lines: (recorder: RawRecorder) => readonly string[]): RawBehaviour =>
  (request, flow, recorder) => {
    if (request.method !== "INVITE") return;
    flow.respond(request, "200 OK", [recorder.contact], recorder.description(lines(recorder)));
  };

const refusing =
  (status: string, ...lines: readonly string[]): RawBehaviour =>
  (request, flow) => {
    if (request.method === "INVITE") flow.respond(request, status, lines);
  };

describe("a recorder that misbehaves leaves the call as it is", { concurrency: 3 }, () => {
  it("[R3264-6-1] fewer m-lines than were offered: it gets BYE", async (t) => {
    const rig = await troubled(
      t,
      answering((recorder) => [recorder.line(0)]),
    );
    await ended(rig, 32102);
    await until("BYE", () => rig.recorder.methods.includes("BYE"));
    await assertCallUntouched(rig);
  });

  it("wrong labels: lines count, not what they are called", async (t) => {
    const rig = await troubled(
      t,
      answering((recorder) => [
        recorder.line(0, "recvonly", "label:outbound"),
        recorder.line(1, "recvonly", "label:nobody"),
      ]),
    );
    await flowing(rig, [0, 1]);
    assertTrue(rig);
    await assertCallUntouched(rig);
  });

  it("inactive for one stream: the other flows", async (t) => {
    const rig = await troubled(
      t,
      answering((recorder) => [recorder.line(0, "inactive"), recorder.line(1, "recvonly")]),
    );
    await flowing(rig, [1]);
    await assertCallUntouched(rig);
    assert.equal(rig.recorder.heard[0]!.length, 0);
    assert.equal(rig.row().status, "in-progress");
  });

  it("a=sendrecv: it is sent to, and not listened to", async (t) => {
    const rig = await troubled(
      t,
      answering((recorder) => [recorder.line(0, "sendrecv"), recorder.line(1, "sendrecv")]),
    );
    await flowing(rig, [0, 1]);
    assertTrue(rig);
    await assertCallUntouched(rig);
  });

  it("a Contact that is a private address elsewhere, without Record-Route: ACK and BYE go by the connection that there is", async (t) => {
    const rig = await troubled(t, (request, flow, recorder) => {
      if (request.method !== "INVITE") return;
      const sdp = recorder.description([recorder.line(0), recorder.line(1)]);
      flow.respond(request, "200 OK", ["Contact: <sip:srs@127.255.255.254:9;transport=tcp>;+sip.srs"], sdp);
    });
    await flowing(rig, [0, 1]);
    await until("ACK", () => rig.recorder.methods.includes("ACK"));
    await assertCallUntouched(rig);
    await rig.client.stop(rig.callSid(), "f");
    await until("BYE", () => rig.recorder.methods.includes("BYE"));
    await until("the fork is over", () => rig.client.liveCount === 0);
    assert.equal(rig.row().status, "stopped");
  });

  it("[R4916-4-1] another address in a re-INVITE: packets go there from then on", async (t) => {
    let invite: { request: SipRequest; flow: RawFlow } | undefined;
    const rig = await troubled(t, (request, flow, recorder) => {
      answering(() => [recorder.line(0), recorder.line(1)])(request, flow, recorder);
      if (request.method === "INVITE") invite = { request, flow };
    });
    await flowing(rig, [0, 1]);
    const { recorder } = rig;
    const { request, flow } = invite!;
    const header = (name: string) => request.headers.get(name) ?? "";
    const target = /<([^>]+)>/.exec(header("Contact"))![1]!;
    const sequence = [
      "Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKraw1",
      "Max-Forwards: 70",
      "From: <sip:somebody.else@example.com>;tag=raw", // who it is may change; tags tell the dialog
      `To: ${header("From")}`,
      `Call-ID: ${header("Call-ID")}`,
    ];
    flow.send(
      [
        `INVITE ${target} SIP/2.0`,
        ...sequence,
        "CSeq: 1 INVITE",
        recorder.contact,
        "Content-Type: application/sdp",
      ],
      recorder.description([recorder.line(2), recorder.line(3)]),
    );
    await until("200", () =>
      recorder.responses.some((each) => each.kind === "response" && each.status === 200),
    );
    flow.send([`ACK ${target} SIP/2.0`, ...sequence, "CSeq: 1 ACK"]);
    await flowing(rig, [2, 3]);
    assertTrue(rig);
    const last = Math.max(...recorder.heard[0]!.map((place) => place ?? 0));
    assert.ok(recorder.heard[2]!.some((place) => (place ?? 0) > last));
    await assertCallUntouched(rig);
  });

  it("200 without SDP: it gets ACK and BYE", async (t) => {
    const rig = await troubled(t, (request, flow, recorder) => {
      if (request.method === "INVITE") flow.respond(request, "200 OK", [recorder.contact]);
    });
    await ended(rig, 32102);
    await until("BYE", () => rig.recorder.methods.includes("BYE"));
    assert.ok(rig.recorder.methods.includes("ACK"));
    await assertCallUntouched(rig);
  });

  it("488", async (t) => {
    const rig = await troubled(t, refusing("488 Not Acceptable Here"));
    await ended(rig, 32102);
    await assertCallUntouched(rig);
  });

  it("302 to itself, and 302 back and forth: each address once", async (t) => {
    for (const user of ["srs", "round"]) {
      const rig = await troubled(t, (request, flow, recorder) => {
        if (request.method !== "INVITE") return;
        const next = request.uri.includes("round1") ? "round2" : "round1";
        const contact = `Contact: <sip:${user === "srs" ? "srs" : next}@127.0.0.1:${recorder.port};transport=tcp>`;
        flow.respond(request, "302 Moved Temporarily", [contact]);
      });
      await until("the end of the fork", () => rig.row()?.status === "stopped");
      assert.notEqual(rig.row().errorCode, null);
      assert.ok(rig.recorder.methods.filter((method) => method === "INVITE").length <= 4);
      await assertCallUntouched(rig);
    }
  });

  it("100 and nothing more: it is given up", async (t) => {
    let invite: SipRequest | undefined;
    const trying: RawBehaviour = (request, flow) => {
      if (request.method === "INVITE") flow.respond(request, "100 Trying");
      invite ??= request;
      if (request.method === "CANCEL") flow.respond(invite, "487 Request Terminated");
    };
    const rig = await troubled(t, trying, 1_500);
    await ended(rig, 31901);
    await assertCallUntouched(rig);
  });

  it("RST in the middle of the INVITE", async (t) => {
    const rig = await troubled(t, (_request, { socket }) => void socket.resetAndDestroy());
    await ended(rig, 31904);
    await assertCallUntouched(rig);
  });

  it("octets that are no SIP", async (t) => {
    const rig = await troubled(
      t,
      (request, { socket }) => {
        if (request.method !== "INVITE") return;
        socket.write(Buffer.from([0, 1, 2, 255, 254, 13, 10, 13, 10, 71, 69, 84, 32, 47, 13, 10, 13, 10]));
        socket.end();
      },
      1_500,
    );
    await until("the end of the fork", () => rig.row()?.status === "stopped");
    assert.notEqual(rig.row().errorCode, null);
    await assertCallUntouched(rig);
  });

  it("a body of 10 MB, announced and sent", async (t) => {
    const rig = await troubled(
      t,
      (request, flow, recorder) => {
        if (request.method !== "INVITE") return;
        const sdp = recorder.description([recorder.line(0), recorder.line(1)]);
        flow.respond(request, "200 OK", [recorder.contact], sdp + "a=x\r\n".repeat(2_000_000));
      },
      1_500,
    );
    await until("the end of the fork", () => rig.row()?.status === "stopped");
    assert.notEqual(rig.row().errorCode, null);
    await assertCallUntouched(rig);
  });

  it("RTP sent back at us: nobody hears it", async (t) => {
    const rig = await troubled(
      t,
      answering((recorder) => [recorder.line(0, "sendrecv"), recorder.line(1, "sendrecv")]),
    );
    await flowing(rig, [0, 1]);
    const offer = offerOf(rig.recorder.requests[0]!)!;
    assert.deepEqual(
      offer.media.map((media) => directionOf(offer, media)),
      ["sendonly", "sendonly"],
    );
    const packet = Buffer.alloc(172, 0x55);
    packet[0] = 0x80;
    packet[1] = 0;
    let sequence = 0;
    const timer = setInterval(() => {
      for (const line of [0, 1]) {
        packet.writeUInt16BE(sequence++ & 0xffff, 2);
        packet.writeUInt32BE(sequence * 160, 4);
        rig.recorder.sendRtp(line, packet, offer.media[line]!.port);
      }
    }, 5);
    t.after(() => clearInterval(timer));
    await assertCallUntouched(rig);
    clearInterval(timer);
    assert.ok(sequence > 100);
    const tracks = (await rig.client.inspect(rig.callSid(), rig.row().sid))!.detail.tracks;
    assert.ok(tracks.every(({ packets }) => packets > 50));
    assertTrue(rig);
  });
});
