import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { decodePcmu } from "@callfork/protocol/audio";
import { WebSocket, WebSocketServer } from "ws";
import { converse } from "../interop/support/conversation.ts";
import { Customer } from "../interop/support/customer.ts";
import { Owned } from "../interop/support/owned.ts";
import type { RecordingJson } from "../interop/support/recordings.ts";
import type { Owner } from "../interop/support/scratch.ts";
import { TEST_ACCOUNT, TestServer } from "../interop/support/server.ts";
import { assertIsVoice, wavSamples } from "../interop/support/voices.ts";
import { until } from "../interop/support/waiting.ts";

/** A message of Twilio's Media Streams, as far as it is looked at. */
interface Message {
  readonly event: string;
  readonly start?: {
    readonly callSid: string;
    readonly tracks: readonly string[];
    readonly customParameters: Readonly<Record<string, string>>;
  };
  readonly media?: { readonly track: string; readonly payload: string };
}

/** What a consumer of media streams hears. */
class Ear {
  readonly messages: Message[] = [];

  constructor(socket: WebSocket) {
    socket.on("message", (data) => this.messages.push(JSON.parse(String(data)) as Message));
  }

  events(): string[] {
    return this.messages.map(({ event }) => event);
  }

  samples(track: string): Int16Array {
    const payloads = this.messages.flatMap(({ media }) =>
      media?.track === track ? [Buffer.from(media.payload, "base64")] : [],
    );
    const mulaw = Buffer.concat(payloads);
    const samples = new Int16Array(mulaw.length);
    decodePcmu(mulaw, samples);
    return samples;
  }
}

async function listeners(owner: Owner): Promise<{ readonly url: string; readonly ears: Ear[] }> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  const ears: Ear[] = [];
  server.on("connection", (socket) => void ears.push(new Ear(socket)));
  await new Promise((resolve) => server.once("listening", resolve));
  owner.after(async () => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/in`, ears };
}

async function deadUrl(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `ws://127.0.0.1:${port}/`;
}

test("a recording is heard while it is made: by rule, by REST and by connecting; webhooks tell of it", async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const customer = await Customer.open(own);
  const { url, ears } = await listeners(own);
  const server = await TestServer.start(own, {
    flags: [
      "--recorder-stream-urls",
      `${url}?by=rule`,
      "--recorder-status-callback",
      customer.url("/recordings"),
    ],
  });
  await server.connector("own", server.recorderUri);
  const { callSid, alice } = await converse(own, server);
  const fork = await server.twilio().calls(callSid).siprec.create({
    connectorName: "own",
    "parameter1.name": "case",
    "parameter1.value": "4711",
  });
  const started = await customer.called("/recordings", { RecordingEvent: "recording-started" });
  assert.ok(started.signed);
  const sid = started.parameters.RecordingSid ?? "";
  await until("the rule's consumer hearing", () => (ears[0]?.samples("inbound").length ?? 0) > 8_000);

  const streams = `/v1/Recordings/${sid}/Streams`;
  await server.post(streams, { Url: `${url}?by=rest`, Name: "second", Track: "outbound_track" });
  await server.post(streams, { Url: await deadUrl(), Name: "dead" });
  const credentials = Buffer.from(`${TEST_ACCOUNT.accountSid}:${TEST_ACCOUNT.authToken}`).toString("base64");
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/Recordings/${sid}/Stream?Name=self`, {
    headers: { authorization: `Basic ${credentials}` },
  });
  own.after(async () => socket.terminate());
  const self = new Ear(socket);
  await until(
    "all consumers hearing",
    () => (ears[1]?.samples("outbound").length ?? 0) > 8_000 && self.samples("outbound").length > 8_000,
  );
  const shown = (
    await server.get<{ streams: { name: string | null; status: string; error: string | null }[] }>(streams)
  ).streams;
  assert.deepEqual(
    shown.map(({ name, status }) => [name, status]),
    [
      [null, "in-progress"],
      ["second", "in-progress"],
      ["dead", "failed"],
      ["self", "in-progress"],
    ],
  );
  assert.equal(
    (await server.post<{ status: string }>(`${streams}/second`, { Status: "stopped" })).status,
    "stopped",
  );
  await until("its stop", () => ears[1]?.events().at(-1) === "stop");

  await server.twilio().calls(callSid).siprec(fork.sid).update({ status: "stopped" });
  await alice.hangUp();
  const completed = await customer.called("/recordings", { RecordingEvent: "recording-completed" });
  assert.ok(completed.signed);
  assert.equal(completed.parameters.RecordingSid, sid);
  assert.equal(completed.parameters.RecordingStatus, "completed");
  await until(
    "the end of all streams",
    () => self.events().at(-1) === "stop" && ears[0]?.events().at(-1) === "stop",
  );

  const ear = ears[0]!;
  assert.deepEqual(ear.events().slice(0, 3), ["connected", "start", "media"]);
  const start = ear.messages[1]?.start;
  assert.deepEqual(start?.tracks, ["inbound", "outbound"]);
  assert.equal(start?.customParameters.case, "4711");
  assert.equal(start?.customParameters.RecordingSid, sid);
  assertIsVoice(ear.samples("inbound"), "alice");
  assertIsVoice(ear.samples("outbound"), "bob");
  assert.equal(ears[1]?.samples("inbound").length, 0);
  assertIsVoice(self.samples("inbound"), "alice");

  // The rule's consumer was there from the first packet: it heard what the file holds.
  const recording = await server.get<RecordingJson>(`/v1/Recordings/${sid}`);
  for (const { label } of recording.tracks) {
    const { samples: file } = wavSamples(await server.bytes(`/v1/Recordings/${sid}/Tracks/${label}.wav`));
    const heard = ear.samples(label);
    const tail = Math.min(file.length, heard.length) - 160;
    assert.deepEqual(heard.slice(-tail), file.slice(-tail), label);
  }
  const { alerts } = await server.get<{ alerts: { error_code: string; alert_text: string }[] }>("/v1/Alerts");
  assert.ok(alerts.some((alert) => JSON.stringify(alert).includes("31921")));
});
