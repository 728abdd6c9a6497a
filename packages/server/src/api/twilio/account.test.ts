import assert from "node:assert/strict";
import { test } from "node:test";
import { conforms } from "../testing/conforms.ts";
import { ACCOUNT_SID, AUTH_TOKEN, basic, fakeApi } from "../testing/fakes.ts";
import { ACCOUNT_SCHEMA } from "./accounts.ts";
import { KEY_SCHEMA, NEW_KEY_SCHEMA } from "./keys.ts";
import { NUMBER_SCHEMA } from "./numbers.ts";

const ROOT = `/2010-04-01/Accounts/${ACCOUNT_SID}`;
const NUMBERS = `${ROOT}/IncomingPhoneNumbers.json`;
const KEYS = `${ROOT}/Keys.json`;

test("the account shows itself, its token never", async () => {
  const { ask } = await fakeApi();
  const answer = await ask("GET", `${ROOT}.json`);
  conforms(ACCOUNT_SCHEMA, answer.json());
  assert.ok(!answer.text.includes(AUTH_TOKEN));
});

test("numbers: create, list, fetch, change, clear, delete", async () => {
  const { ask } = await fakeApi();
  const made = await ask("POST", NUMBERS, {
    PhoneNumber: "+15551234567",
    VoiceUrl: "https://example.com/voice",
  });
  assert.equal(made.status, 201);
  conforms(NUMBER_SCHEMA, made.json());
  const one = String(made.json().uri);
  assert.equal(made.json().friendly_name, "+15551234567");

  const twiml = "<Response>\n\t<Start><Siprec connectorName='rec'/></Start></Response>";
  const changed = (
    await ask("POST", one, { FriendlyName: "Desk", VoiceTwiml: twiml, VoiceMethod: "get" })
  ).json();
  assert.equal(changed.friendly_name, "Desk");
  assert.equal(changed.voice_twiml, twiml);
  assert.equal(changed.voice_method, "GET");
  assert.equal(changed.voice_url, "https://example.com/voice");
  const cleared = (await ask("POST", one, { VoiceUrl: "" })).json();
  assert.equal(cleared.voice_url, null);
  assert.equal(cleared.voice_twiml, twiml);

  const audio = "https://example.com/recorded.wav";
  assert.equal(made.json().recording_notice, null);
  const told = await ask("POST", one, { RecordingNotice: "Announcement", RecordingAnnouncementUrl: audio });
  conforms(NUMBER_SCHEMA, told.json());
  assert.deepEqual(
    [told.json().recording_notice, told.json().recording_announcement_url],
    ["announcement", audio],
  );
  const untold = (await ask("POST", one, { RecordingNotice: "", RecordingAnnouncementUrl: "" })).json();
  assert.deepEqual([untold.recording_notice, untold.recording_announcement_url], [null, null]);

  await ask("POST", NUMBERS, { PhoneNumber: "1001" });
  const list = async (query: string) =>
    (
      (await ask("GET", `${NUMBERS}?${query}`)).json().incoming_phone_numbers as { phone_number: string }[]
    ).map((row) => row.phone_number);
  assert.deepEqual(await list(""), ["1001", "+15551234567"]);
  assert.deepEqual(await list("PhoneNumber=%2B15551234567"), ["+15551234567"]);
  assert.deepEqual(await list("FriendlyName=Desk"), ["+15551234567"]);

  assert.equal((await ask("GET", one)).status, 200);
  assert.equal((await ask("DELETE", one)).status, 204);
  for (const [method, fields] of [["GET"], ["POST", {}], ["DELETE"]] as const)
    assert.equal((await ask(method, one, fields)).json().code, 20404);
});

test("numbers: what is wrong has its code", async () => {
  const { ask } = await fakeApi();
  const cases: [Record<string, string>, number, number][] = [
    [{}, 400, 21421],
    [{ PhoneNumber: "a b" }, 400, 21421],
    [{ PhoneNumber: "bob@example.com" }, 400, 21421],
    [{ PhoneNumber: "1", VoiceUrl: "example.com" }, 400, 21402],
    [{ PhoneNumber: "1", VoiceMethod: "HEAD" }, 400, 21403],
    [{ PhoneNumber: "1", RecordingNotice: "whistle" }, 400, 20422],
    [{ PhoneNumber: "1", FriendlyName: "x".repeat(65) }, 400, 20002],
    [{ PhoneNumber: "1", VoiceTwiml: "x".repeat(65_537) }, 400, 20422],
  ];
  for (const [fields, status, code] of cases) {
    const answer = await ask("POST", NUMBERS, fields);
    assert.equal(answer.status, status);
    assert.equal(answer.json().code, code);
  }
  await ask("POST", NUMBERS, { PhoneNumber: "1" });
  const taken = await ask("POST", NUMBERS, { PhoneNumber: "1" });
  assert.equal(taken.status, 409);
  assert.equal(taken.json().code, 20409);
});

test("keys: the secret is shown once and opens the door until the key is revoked", async () => {
  const { ask } = await fakeApi();
  const made = (await ask("POST", KEYS, { FriendlyName: "ci" })).json();
  conforms(NEW_KEY_SCHEMA, made);
  const authorization = basic(String(made.sid), String(made.secret));
  assert.equal((await ask("GET", `${ROOT}/Calls.json`, undefined, { authorization })).status, 200);

  const list = await ask("GET", KEYS);
  conforms(KEY_SCHEMA, (list.json().keys as object[])[0]);
  const one = `${ROOT}/Keys/${made.sid}.json`;
  conforms(KEY_SCHEMA, (await ask("GET", one)).json());
  assert.ok(!list.text.includes(String(made.secret)));

  assert.equal((await ask("DELETE", one)).status, 204);
  assert.equal((await ask("GET", one)).status, 404);
  assert.equal((await ask("GET", `${ROOT}/Calls.json`, undefined, { authorization })).status, 401);
});

test("keys: a key cannot make, see or revoke keys", async () => {
  const { ask } = await fakeApi();
  const made = (await ask("POST", KEYS)).json();
  const headers = { authorization: basic(String(made.sid), String(made.secret)) };
  for (const [method, url] of [
    ["POST", KEYS],
    ["GET", KEYS],
    ["GET", `${ROOT}/Keys/${made.sid}.json`],
    ["DELETE", `${ROOT}/Keys/${made.sid}.json`],
  ] as const) {
    const answer = await ask(method, url, undefined, headers);
    assert.equal(answer.status, 403);
    assert.equal(answer.json().code, 20403);
  }
});
