import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { ACCOUNT_SID, AUTHORIZATION, fakeApi, OTHER_ACCOUNT_SID } from "../testing/fakes.ts";

const live = async () => {
  const fake = await fakeApi();
  const { sid } = fake.recordings.add({
    sid: fake.streams.live.recordingSid,
    status: "in-progress",
    endTime: null,
    durationMs: null,
  });
  return { ...fake, sid, all: `/v1/Recordings/${sid}/Streams` };
};

test("a stream is started with URL, name, track and parameters, shown, listed and stopped", async () => {
  const { ask, streams, sid, all } = await live();
  const started = await ask("POST", all, {
    Url: "wss://speech.example.com/in?x=1",
    Name: "speech",
    Track: "inbound_track",
    "Parameter1.Name": "Language",
    "Parameter1.Value": "de",
  });
  assert.equal(started.status, 201);
  assert.deepEqual(started.json(), {
    sid: `MZ${"1".padStart(32, "0")}`,
    account_sid: ACCOUNT_SID,
    recording_sid: sid,
    name: "speech",
    url: "wss://speech.example.com/in?x=1",
    track: "inbound_track",
    status: "connecting",
    start_time: "2026-01-02T03:04:05Z",
    end_time: null,
    error: null,
    messages: 0,
  });
  assert.deepEqual(streams.requests, [
    { name: "speech", track: "inbound_track", parameters: { Language: "de" } },
  ]);
  assert.equal((await ask("POST", all, { Url: "ws://b.example.com/" })).json().track, "both_tracks");
  const listed = (await ask("GET", `${all}?PageSize=1&Page=1`)).json();
  assert.deepEqual(
    (listed.streams as { url: string }[]).map(({ url }) => url),
    ["ws://b.example.com/"],
  );
  assert.equal((await ask("GET", `${all}/speech`)).json().status, "connecting");
  assert.equal((await ask("POST", `${all}/speech`, { Status: "stopped" })).json().status, "stopped");
  assert.equal((await ask("POST", `${all}/nobody`, { Status: "stopped" })).status, 404);
  assert.equal((await ask("GET", `${all}/nobody`)).status, 404);
});

test("a recording that is over has no streams and takes none; neither does one that everybody hears", async () => {
  const { ask, recordings, streams, all } = await live();
  const { sid: over } = recordings.add();
  const { sid: foreign } = recordings.add({ accountSid: OTHER_ACCOUNT_SID });
  const url = { Url: "wss://a.example.com/" };
  const late = await ask("POST", `/v1/Recordings/${over}/Streams`, url);
  assert.deepEqual([late.status, late.json().code], [409, 20409]);
  assert.deepEqual((await ask("GET", `/v1/Recordings/${over}/Streams`)).json().streams, []);
  for (const sid of ["RE9", foreign])
    assert.equal((await ask("POST", `/v1/Recordings/${sid}/Streams`, url)).status, 404);
  streams.busy = true;
  assert.equal((await ask("POST", all, url)).status, 409);
});

test("a URL that is none of a WebSocket is refused", async () => {
  const { ask, all } = await live();
  for (const Url of ["", "https://a.example.com/", "wss:/a", "wss://a b/", "wss://"])
    assert.equal((await ask("POST", all, { Url })).json().code, 20422, Url);
});

test("a consumer that connects hears the stream; strangers, other accounts and other pages do not", async (t) => {
  const { api, streams, sid } = await live();
  const { url } = await api.listen();
  t.after(() => api.close());
  const base = url.replace(/^http/, "ws");
  const connect = (path: string, headers: Record<string, string>) =>
    new Promise<{ readonly status: number; readonly first: string; readonly socket: WebSocket }>(
      (resolve, reject) => {
        const socket = new WebSocket(`${base}${path}`, { headers });
        socket.once("message", (data) => resolve({ status: 101, first: String(data), socket }));
        socket.once("unexpected-response", (_request, response) => {
          response.resume();
          resolve({ status: response.statusCode ?? 0, first: "", socket });
        });
        socket.once("error", reject);
      },
    );
  const authorization = AUTHORIZATION;
  const path = `/v1/Recordings/${sid}/Stream`;
  const heard = await connect(`${path}?Track=outbound_track&Name=ear`, { authorization });
  assert.deepEqual([heard.status, heard.first], [101, '{"event":"connected"}']);
  assert.deepEqual(streams.requests, [{ name: "ear", track: "outbound_track", parameters: {} }]);
  assert.equal((await connect(path, {})).status, 401);
  assert.equal((await connect(path, { authorization: "Basic eDp5" })).status, 401);
  assert.equal((await connect(path, { authorization, "sec-fetch-site": "cross-site" })).status, 403);
  assert.equal((await connect("/v1/Recordings/RE9/Stream", { authorization })).status, 409);
  assert.equal((await connect("/v1/Nothing", { authorization })).status, 404);
  assert.equal((await connect(`${path}?Track=all`, { authorization })).status, 400);
  const closed = new Promise<number>((resolve) => heard.socket.once("close", resolve));
  await api.close();
  assert.equal(await closed, 1001);
});
