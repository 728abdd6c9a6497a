import assert from "node:assert/strict";
import { test } from "node:test";
import type { Alert } from "../observe/index.ts";
import { type ConnectorRecord, DEFAULT_CONNECTOR_SETTINGS } from "../recording-client/index.ts";
import { createConnectorDirectory } from "./directory.ts";

function directoryOf(sipUris: readonly string[]) {
  const raised: Alert[] = [];
  const row: ConnectorRecord = {
    sid: `XE${"1".repeat(32)}`,
    accountSid: `AC${"1".repeat(32)}`,
    uniqueName: "recorder",
    sipUris,
    credentialsHeaderName: null,
    credentials: "secret",
    username: null,
    password: null,
    certificate: null,
    privateKey: null,
    certificateAuthority: null,
    settings: DEFAULT_CONNECTOR_SETTINGS,
    dateCreated: 1,
    dateUpdated: 1,
  };
  const directory = createConnectorDirectory({
    rows: { find: async (_, name) => (name === row.uniqueName ? row : undefined), starters: async () => [] },
    alerts: { raise: (alert) => raised.push(alert) },
  });
  return { find: (name: string) => directory.find(row.accountSid, name), raised, row };
}

test("a sound connector comes through as it is, an unknown one is unknown", async () => {
  const { find, raised, row } = directoryOf(["sip:a@b.example;secure=true&edge=x", "sip:c@d.example"]);
  assert.deepEqual(await find("recorder"), row);
  assert.equal(await find("another"), undefined);
  assert.deepEqual(raised, []);
});

test("an entry that cannot be called is left out, and somebody is told", async () => {
  const { find, raised } = directoryOf(["http://a.example", "sip:c@d.example"]);
  assert.deepEqual((await find("recorder"))?.sipUris, ["sip:c@d.example"]);
  assert.deepEqual(
    raised.map(({ errorCode, resourceSid }) => [errorCode, resourceSid]),
    [[31942, `XE${"1".repeat(32)}`]],
  );
  assert.doesNotMatch(JSON.stringify(raised), /secret/);
});

test("a connector with nothing to call is an error of its own", async () => {
  for (const sipUris of [[], ["sip:a@b.example;transport=pigeon"]]) {
    await assert.rejects(directoryOf(sipUris).find("recorder"), {
      code: "CONNECTOR_INVALID",
      publicCode: 31942,
    });
  }
});
