import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { RtpEndpoint } from "@callfork/testkit";
import {
  ffmpeg,
  loudnessCorrelation,
  samplesOf,
} from "../../packages/server/src/media/codec/testing/audio.ts";
import { writeOggOpus } from "../../packages/server/src/media/codec/testing/ogg-opus.ts";
import { converse } from "./support/conversation.ts";
import { Customer } from "./support/customer.ts";
import { Owned } from "./support/owned.ts";
import { without } from "./support/programs.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";
import { heardVoice } from "./support/voices.ts";
import { until } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;
let customer: Customer;

const CODECS = [
  { name: "PCMA", payloadType: 8, encoding: "PCMA/8000", input: ["-f", "alaw", "-ar", "8000", "-ac", "1"] },
  { name: "G722", payloadType: 9, encoding: "G722/8000", input: ["-f", "g722"] },
  // A number of the recorder's own (RFC 3264 §5.1).
  { name: "opus", payloadType: 99, encoding: "opus/48000/2", input: ["-c:a", "libopus", "-f", "ogg"] },
] as const;

interface Track {
  readonly codec: string;
  readonly transcoded: { readonly from: string } | null;
}

async function ear(t: TestContext, payloadType: number): Promise<RtpEndpoint> {
  const endpoint = await RtpEndpoint.open({ address: "127.0.0.1", payloadType, audio: new Uint8Array(160) });
  t.after(() => endpoint.close());
  return endpoint;
}

/** What ffmpeg makes of what came, at 8 kHz. */
function heardBy(endpoint: RtpEndpoint, { name, input }: (typeof CODECS)[number]): Int16Array {
  const packets = endpoint.heardPackets();
  assert.ok(packets.every((packet) => packet !== undefined));
  const file = name === "opus" ? writeOggOpus(packets, 960, 1) : Buffer.concat(packets);
  return samplesOf(ffmpeg([...input, "-i", "-", "-f", "s16le", "-ar", "8000", "-ac", "1", "-"], file));
}

/** Whether it is that voice, from some place in it on, as its loudness rises and falls. */
function assertSoundsLike(samples: Int16Array, name: "alice" | "bob"): void {
  const voice = heardVoice(name);
  const twice = Int16Array.from([...voice, ...voice]);
  const part = samples.subarray(0, 16_000);
  let best = 0;
  for (let at = 0; at < voice.length && best < 0.93; at += 400) {
    best = Math.max(best, loudnessCorrelation(twice.subarray(at, at + part.length), part, 160));
  }
  assert.ok(best > 0.93, `${name}: ${best}`);
}

describe("SIPp as recorder that takes another codec than the call's", {
  skip: without("sipp", "ffmpeg"),
}, () => {
  before(async () => {
    server = await TestServer.start(owned);
    customer = await Customer.open(owned);
  });
  after(() => owned.release());

  for (const codec of CODECS) {
    it(`${codec.name}: it gets both voices in it, ffmpeg hears them, and the state says how`, async (t) => {
      const { payloadType, encoding } = codec;
      const [inbound, outbound] = [await ear(t, payloadType), await ear(t, payloadType)];
      const keys = {
        inbound_port: inbound.port,
        outbound_port: outbound.port,
        payload_type: payloadType,
        encoding,
      };
      const recorder = await Sipp.start(t, { scenario: "srs-takes-codec.xml", transport: "tcp", keys });
      const connectorName = `takes-${codec.name.toLowerCase()}`;
      await server.connector(connectorName, `sip:recorder@127.0.0.1:${recorder.port};transport=tcp`);
      const call = await converse(t, server);
      const statusCallback = customer.url(`/${connectorName}`);
      const siprecs = server.twilio().calls(call.callSid).siprec;
      const { sid } = await siprecs.create({ connectorName, statusCallback });
      await until("three seconds of audio at the recorder", () =>
        [inbound, outbound].every((each) => each.heard().packets >= 150),
      );
      const path = `/2010-04-01/Accounts/${server.accountSid}/Calls/${call.callSid}/Siprec/${sid}.json`;
      const { tracks } = await server.get<{ tracks: readonly Track[] }>(path);
      assert.equal(tracks.length, 2);
      for (const track of tracks) {
        assert.equal(track.codec, codec.name);
        assert.equal(track.transcoded?.from, "PCMU");
      }
      await server.twilio().calls(call.callSid).siprec(sid).update({ status: "stopped" });
      await recorder.succeeded();
      await customer.called(`/${connectorName}`, { SiprecEvent: "siprec-stopped", SiprecSid: sid });
      assertSoundsLike(heardBy(inbound, codec), "alice");
      assertSoundsLike(heardBy(outbound, codec), "bob");
      assert.deepEqual([...inbound.otherPayloads().keys()], []);
      assert.equal(call.alice.heard().lost + call.bob.heard().lost, 0);
    });
  }
});
