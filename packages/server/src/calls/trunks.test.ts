import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock, SipFlowTls } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import { NO_PEER_CERTIFICATE } from "./peer-certificate.ts";
import type { TrunkRecord } from "./records.ts";
import { TrunkList } from "./trunks.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const clock: Clock = { now: () => 0, wallNow: () => 0, setTimer: () => ({ cancel() {} }) };

function trunk(uniqueName: string, change: Partial<TrunkRecord>): TrunkRecord {
  return {
    sid: uniqueName,
    accountSid: "AC",
    uniqueName,
    sipUri: null,
    allowedAddresses: [],
    allowedCertificateNames: [],
    username: null,
    password: null,
    ...NO_PEER_CERTIFICATE,
    dateCreated: 0,
    dateUpdated: 0,
    ...change,
  };
}

const byAddress = trunk("byAddress", { allowedAddresses: ["192.0.2.0/24"] });
const byCertificate = trunk("byCertificate", {
  allowedCertificateNames: ["pbx.example.com"],
  username: "pbx",
  password: "for calls that go out",
});
const either = trunk("either", {
  allowedAddresses: ["198.51.100.0/24"],
  allowedCertificateNames: ["edge.example.com", "2001:db8::7"],
});

/** A peer that showed a verified certificate for these names; without names, none or one that nobody vouches for. */
function peer(remoteAddress: string, ...identities: string[]) {
  const tls: SipFlowTls = {
    authorized: identities.length > 0,
    identities,
    protocol: "TLSv1.3",
    cipher: "TLS_AES_256_GCM_SHA384",
  };
  return { remoteAddress, tls };
}

async function list(...trunks: TrunkRecord[]): Promise<TrunkList> {
  const made = new TrunkList({ listTrunks: async () => trunks }, clock, log, 5000);
  await made.read();
  return made;
}

test("[R7866-12.1-1] who shows a certificate that a trunk names comes in by it, from any address; who shows none needs an address", async () => {
  const trunks = await list(byAddress, byCertificate, either);
  for (const [from, door] of [
    [peer("203.0.113.9", "pbx.example.com"), "byCertificate"],
    [peer("203.0.113.9", "edge.example.com"), "either"],
    [peer("203.0.113.9", "2001:db8::7"), "either"],
    [peer("198.51.100.7"), "either"],
    [{ remoteAddress: "198.51.100.7" }, "either"],
    // A certificate says more than an address.
    [peer("192.0.2.1", "pbx.example.com"), "byCertificate"],
    [peer("127.0.0.1", "pbx.example.com"), "byCertificate"],
    [peer("192.0.2.1", "nobody.example.com"), "byAddress"],
    [peer("127.0.0.1", "nobody.example.com"), "loopback"],
    [peer("127.0.0.1"), "loopback"],
    [peer("203.0.113.9", "nobody.example.com"), undefined],
    [peer("203.0.113.9", "a.pbx.example.com"), undefined],
    [peer("203.0.113.9"), undefined],
    [{ remoteAddress: "203.0.113.9" }, undefined],
  ] as const) {
    const source = await trunks.sourceOf(from);
    assert.equal(source?.kind === "trunk" ? source.trunk.sid : source?.kind, door, JSON.stringify(from));
    assert.equal(trunks.knows(from), door !== undefined, JSON.stringify(from));
  }
});

test("a trunk that names certificates is entered by nothing else: its password is for calls that go out", async () => {
  const trunks = await list(byCertificate, trunk("byDigest", { username: "u", password: "p" }));
  assert.deepEqual(
    trunks.users.map(({ username }) => username),
    ["u"],
  );
});
