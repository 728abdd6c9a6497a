import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, randomBytes, verify, X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { converse } from "../interop/support/conversation.ts";
import { without } from "../interop/support/programs.ts";
import { recordedBothVoices } from "../interop/support/recorded.ts";
import { scratchFolder } from "../interop/support/scratch.ts";
import { TestServer, type TestServerOptions } from "../interop/support/server.ts";
import { encodedVoice } from "../interop/support/voices.ts";
import { until } from "../interop/support/waiting.ts";

const skip = without("openssl");

interface Kept {
  readonly sid: string;
  readonly encrypted: boolean;
  readonly storage: string;
  readonly participants: readonly { readonly aor: string; readonly name: string | null }[];
  readonly extension_data: object;
  readonly legal_hold: object | null;
}

/** A call of two seconds, forked to the server's own recorder. */
async function recorded(t: TestContext, server: TestServer): Promise<Kept> {
  await server.connector("own", server.recorderUri);
  const { alice, bob } = await converse(t, server, {
    verbs: '<Start><Siprec connectorName="own"><Parameter name="Order" value="4711"/></Siprec></Start>',
  });
  await until("both having been heard", () => alice.heard().packets > 100 && bob.heard().packets > 100);
  await alice.hangUp();
  const { sid } = await recordedBothVoices(server);
  return server.get<Kept>(`/v1/Recordings/${sid}`);
}

/** Every octet below a folder. */
function everything(folder: string): Buffer {
  const files = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((one) => one.isFile());
  return Buffer.concat(files.map((one) => readFileSync(join(one.parentPath, one.name))));
}

async function refusal(server: TestServer, method: string, path: string): Promise<string> {
  return server.request(method, path).then(
    () => "granted",
    (error: Error) => error.message,
  );
}

const sealing: TestServerOptions = { env: { CALLFORK_RECORDINGS_ENCRYPTION: "true" } };

test("[R7245-5-2] [R7866-12.4-1] an encrypted recording: heard through the server, opaque on the disk, found, held, deleted", async (t) => {
  const server = await TestServer.start(t, sealing);
  const recording = await recorded(t, server);
  const path = `/v1/Recordings/${recording.sid}`;
  assert.deepEqual([recording.encrypted, recording.storage], [true, "disk"]);
  const folder = join(server.dataDir, "recordings", recording.sid);
  const octets = everything(folder);
  assert.ok(octets.length > 20_000);
  const voice = Buffer.from(encodedVoice("alice")).subarray(8_000, 8_064);
  assert.equal(octets.indexOf(voice), -1);
  assert.equal(octets.indexOf("RIFF"), -1);
  const database = everything(server.dataDir);
  assert.equal(database.indexOf("urn:ietf:params:xml:ns:recording"), -1, "documents are sealed too");
  assert.match(
    Buffer.from(await server.bytes(`${path}/Metadata.xml`)).toString(),
    /urn:ietf:params:xml:ns:recording/,
  );

  for (const [query, count] of [
    ["ExtensionData.order=4711", 1],
    ["ExtensionData.order=4712", 0],
    ["Connector=own", 1],
    ["Connector=other", 0],
    ["Label=inbound&Number=alice", 1],
  ] as const) {
    const { recordings } = await server.get<{ recordings: Kept[] }>(`/v1/Recordings?${query}`);
    assert.equal(recordings.length, count, query);
  }

  interface Findings {
    readonly checked: { readonly forks: number; readonly recordings: number };
    readonly findings: readonly object[];
  }
  const agreed = await until("the fork being over", async () => {
    const found = await server.get<Findings>("/v1/Recordings/Reconciliation");
    return found.checked.forks === 1 && found;
  });
  assert.deepEqual([agreed.findings, agreed.checked.recordings], [[], 1]);

  await server.post(path, { LegalHold: "true", HoldReason: "case 7" });
  assert.match(await refusal(server, "DELETE", path), /409 .*98022/);
  await server.post(path, { LegalHold: "false" });
  await server.request("DELETE", path);
  assert.throws(() => readdirSync(folder), { code: "ENOENT" });
  assert.match(await refusal(server, "GET", `${path}/Media.wav`), /404/);
  const { audit } = await server.get<{ audit: { action: string }[] }>(`${path}/Audit`);
  const actions = audit.map(({ action }) => action);
  assert.deepEqual(actions.slice(0, 3), ["deleted", "released", "held"]);
  assert.ok(actions.includes("heard") && actions.includes("metadata-read"));
});

test("[R7866-12.4-1] an encrypted recording survives kill -9 with all but its last second", async (t) => {
  const dataDir = join(scratchFolder("sealed"), "data");
  const first = await TestServer.start(t, { ...sealing, dataDir });
  await first.connector("own", first.recorderUri);
  const { alice } = await converse(t, first, { verbs: '<Start><Siprec connectorName="own"/></Start>' });
  await until("three seconds", () => alice.heard().packets > 150);
  await first.child.stop("SIGKILL");
  const second = await TestServer.start(t, { ...sealing, dataDir });
  const { recordings } = await second.get<{
    recordings: { sid: string; status: string; duration_ms: number }[];
  }>("/v1/Recordings");
  assert.equal(recordings[0]?.status, "interrupted");
  assert.ok(recordings[0].duration_ms >= 1_500, `${recordings[0].duration_ms} ms are there`);
  const wav = await second.bytes(`/v1/Recordings/${recordings[0].sid}/Media.wav`);
  assert.ok(wav.length > 44 + 1.5 * 8_000 * 4);
});

test("[R7866-12.4-1] a sealed file that was changed, cut short or taken away is an error, never other audio", async (t) => {
  const server = await TestServer.start(t, sealing);
  const { sid } = await recorded(t, server);
  const path = `/v1/Recordings/${sid}/Tracks/inbound.wav`;
  const file = join(server.dataDir, "recordings", sid, "1-inbound.wav");
  const good = readFileSync(file);
  const changed = Buffer.from(good);
  changed[changed.length >> 1]! ^= 1;
  // Without its end: what a crash would leave, but no crash is known of.
  const cut = good.subarray(0, good.length >> 1);
  for (const octets of [
    cut,
    good.subarray(0, good.length - 16),
    Buffer.alloc(good.length),
    Buffer.alloc(0),
  ]) {
    writeFileSync(file, octets);
    assert.match(await refusal(server, "GET", path), /500 /);
  }
  writeFileSync(file, changed);
  await assert.rejects(server.bytes(path), "the connection is cut before anything false is sent");
  rmSync(file);
  assert.match(await refusal(server, "GET", path), /500 /);
  writeFileSync(file, good);
  assert.ok((await server.bytes(path)).length > 20_000);
});

test("a signed vCon of a recording carries its audio and is verified by its own certificate", {
  skip,
}, async (t) => {
  const folder = scratchFolder("vcon");
  const [key, certificate] = [join(folder, "vcon.key"), join(folder, "vcon.pem")];
  const subject = ["-subj", "/CN=recorder.example.com", "-days", "2"];
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", key, "-out", certificate],
    ...subject,
  ]);
  assert.equal(made.status, 0);
  const env = { CALLFORK_RECORDINGS_VCON_KEY: key, CALLFORK_RECORDINGS_VCON_CERTIFICATE: certificate };
  const server = await TestServer.start(t, { env });
  const { sid } = await recorded(t, server);
  interface Signed {
    readonly payload: string;
    readonly signatures: readonly {
      readonly protected: string;
      readonly header: { readonly x5c: readonly string[]; readonly uuid: string };
      readonly signature: string;
    }[];
  }
  const signed = await server.get<Signed>(`/v1/Recordings/${sid}/Vcon.json?signed=true&Audio=inline`);
  const [one] = signed.signatures;
  assert.ok(one);
  const shown = new X509Certificate(Buffer.from(one.header.x5c[0]!, "base64"));
  const isGood = verify(
    "sha256",
    Buffer.from(`${one.protected}.${signed.payload}`),
    shown.publicKey,
    Buffer.from(one.signature, "base64url"),
  );
  assert.ok(isGood);
  const vcon = JSON.parse(Buffer.from(signed.payload, "base64url").toString()) as {
    readonly uuid: string;
    readonly dialog: readonly { readonly body: string; readonly encoding: string }[];
  };
  assert.equal(vcon.uuid, one.header.uuid);
  const wav = Buffer.from(await server.bytes(`/v1/Recordings/${sid}/Media.wav`));
  assert.ok(Buffer.from(vcon.dialog[0]!.body, "base64url").equals(wav));
  const linked = await server.get<{ dialog: { url: string; content_hash: string }[] }>(
    `/v1/Recordings/${sid}/Vcon.json?Audio=link`,
  );
  const { url, content_hash } = linked.dialog[0]!;
  assert.match(url, new RegExp(`/v1/Recordings/${sid}/Media.wav$`));
  assert.equal(content_hash, `sha512-${createHash("sha512").update(wav).digest("base64url")}`);
});

test("another master key: recordings are sealed anew at the start, and the old key opens nothing any more", async (t) => {
  const dataDir = join(scratchFolder("rekeyed"), "data");
  const [old, next] = [randomBytes(32).toString("hex"), randomBytes(32).toString("hex")];
  const withKeys = (key: string, previous?: string): TestServerOptions => ({
    dataDir,
    env: {
      ...sealing.env,
      CALLFORK_SECRET_KEY: key,
      ...(previous !== undefined && { CALLFORK_PREVIOUS_SECRET_KEYS: previous }),
    },
  });
  const first = await TestServer.start(t, withKeys(old));
  const { sid } = await recorded(t, first);
  const path = `/v1/Recordings/${sid}/Media.wav`;
  const wav = Buffer.from(await first.bytes(path));
  await first.child.stop();
  for (const options of [withKeys(next, old), withKeys(next)]) {
    const server = await TestServer.start(t, options);
    assert.ok(Buffer.from(await server.bytes(path)).equals(wav));
    await server.child.stop();
  }
  await assert.rejects(TestServer.start(t, withKeys(old)), /SECRET_UNREADABLE|another master key/);
});

test("[R7865-10-2] [R7866-12.4-2] pseudonyms instead of people, nothing from vendors, no documents", async (t) => {
  const env = { CALLFORK_RECORDINGS_PARTICIPANTS: "hash", CALLFORK_RECORDINGS_EXTENSION_DATA: "drop" };
  const server = await TestServer.start(t, { env });
  const recording = await recorded(t, server);
  assert.equal(recording.participants.length, 2);
  for (const { aor, name } of recording.participants) {
    assert.match(aor, /^pseudonym:/);
    assert.equal(name, null);
  }
  assert.deepEqual(recording.extension_data, {});
  assert.match(await refusal(server, "GET", `/v1/Recordings/${recording.sid}/Metadata.xml`), /404/);
  const { aor } = recording.participants[0]!;
  const { recordings } = await server.get<{ recordings: Kept[] }>(`/v1/Recordings?Number=${aor}`);
  assert.equal(recordings.length, 1);
});
