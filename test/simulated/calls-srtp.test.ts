import assert from "node:assert/strict";
import { test } from "node:test";

import { cryptoOf, formatCrypto } from "@callfork/protocol/sdp";
import { SeededRandom } from "@callfork/testkit";
import { routeTo } from "../../packages/server/src/calls/route.ts";
import { CallsWorld, type Phone, trunkOf } from "./calls-world.ts";

const DIAL = '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>';
const SUITE = "AES_CM_128_HMAC_SHA1_80";
const random = new SeededRandom(99);

test("[R4568-5.1.2-3] a caller that offers RTP/SAVP gets SRTP, and a callee in the clear hears nothing of it", async () => {
  const { w, alice, bob, keys } = await bridged();
  const offered = bob.offerOf(bob.invites[0]).media[0]!;
  assert.equal(offered.protocol, "RTP/AVP");
  assert.deepEqual(cryptoOf(offered), []);
  const answered = alice.answer!.media[0]!;
  assert.equal(answered.protocol, "RTP/SAVP");
  const [line] = cryptoOf(answered);
  assert.deepEqual([line?.tag, line?.suite], [1, SUITE]);
  const [a, b] = [...w.media.open.keys()].map((id) => w.media.connections.get(id)?.srtp);
  assert.deepEqual(a, { send: { suite: SUITE, keys: line!.keys }, receive: { suite: SUITE, keys: keys() } });
  assert.equal(b, undefined);
});

test("[R4568-5.1.4-2] re-INVITEs keep our key; a new key of the caller's takes over, and so does its change to the clear", async () => {
  const { w, alice, renew, keys, clear } = await bridged();
  const ours = cryptoOf(alice.answer!.media[0]!)[0]!.keys;
  const reinvite = async () => {
    const response = alice.dialog!.reinvite({ body: alice.sdp({ version: 2 }) });
    await w.advance(500);
    assert.equal((await response).status, 200, w.story);
    return w.media.connections.get([...w.media.open.keys()][0]!)?.srtp;
  };
  assert.deepEqual((await reinvite())?.send.keys, ours);
  renew();
  const renewed = await reinvite();
  assert.deepEqual([renewed?.send.keys, renewed?.receive.keys], [ours, keys()]);
  clear();
  assert.equal(await reinvite(), undefined);
});

test("a callee in the clear holds: the caller is offered SRTP again, with the key it knows", async () => {
  const { w, alice, bob } = await bridged();
  const ours = cryptoOf(alice.answer!.media[0]!)[0]!;
  const held = bob.dialog!.reinvite({ body: bob.sdp({ direction: "sendonly", version: 2 }) });
  await w.advance(500);
  assert.equal((await held).status, 200, w.story);
  const offer = alice.offers[0]?.sdp?.media[0];
  assert.equal(offer?.protocol, "RTP/SAVP");
  assert.deepEqual(cryptoOf(offer!), [ours]);
});

test("a caller that offers suites nobody knows, or no keys at all, is refused with 488", async () => {
  for (const crypto of [["1 F8_128_HMAC_SHA1_80 inline:AAAA"], []]) {
    const w = new CallsWorld();
    w.number("1001", DIAL);
    const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
    bob.answering = (invite) => bob.pickUp(invite);
    rewrite(alice, () => crypto);
    alice.call("1001");
    await w.advance(2_000);
    assert.equal(alice.failure?.response?.status, 488, w.story);
  }
});

test("[R4568-8-1] secure=true means SRTP and TLS: a transport that shows the keys is refused", () => {
  const route = (address: string) => routeTo({ kind: "sip", address }, undefined);
  const secure = route("sip:bob@example.com;secure=true");
  assert.ok(secure.ok && secure.value.isSecure);
  assert.equal(secure.value.invite.requestUri, "sip:bob@example.com;transport=tls");
  const named = route("sip:bob@example.com:5071;transport=tls;secure=true;edge=ashburn");
  assert.ok(named.ok && named.value.isSecure);
  assert.equal(named.value.invite.requestUri, "sip:bob@example.com:5071;transport=tls");
  const sips = route("sips:bob@example.com");
  assert.ok(sips.ok && !sips.value.isSecure);
  for (const transport of ["udp", "tcp", "ws"]) {
    const refused = route(`sip:bob@example.com;transport=${transport};secure=true`);
    assert.equal(!refused.ok && refused.error.code, "CALL_SECURE_UNSUPPORTED");
  }
  const trunk = routeTo(
    { kind: "number", address: "+15550001" },
    trunkOf({ sipUri: "sip:sbc.example.com;secure=true" }),
  );
  assert.ok(trunk.ok && trunk.value.isSecure);
  assert.equal(trunk.value.invite.requestUri, "sip:+15550001@sbc.example.com;transport=tls");
});

test("no key of a call is written to the log", async () => {
  const { w, alice, keys } = await bridged();
  const secrets = [...keys(), ...cryptoOf(alice.answer!.media[0]!)[0]!.keys].map(({ key, salt }) =>
    Buffer.concat([key, salt]).toString("base64"),
  );
  assert.equal(secrets.length, 2);
  for (const secret of secrets) {
    const lines = [...w.log.lines, ...w.platform.log.lines].join("\n");
    assert.ok(!lines.includes(secret));
  }
});

/** Alice, who offers SRTP, and Bob, who does not. */
async function bridged() {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  let key = newKey();
  let isClear = false;
  const line = (tag = 1) => formatCrypto({ tag, suite: SUITE, keys: [key], sessionParameters: [] });
  rewrite(alice, () => (isClear ? undefined : [line()]));
  alice.call("1001");
  await w.advance(500);
  assert.ok(alice.dialog && bob.dialog, w.story);
  return {
    w,
    alice,
    bob,
    keys: () => [key],
    renew: () => {
      key = newKey();
    },
    clear: () => {
      isClear = true;
    },
  };
}

const newKey = () => ({ key: random.bytes(16), salt: random.bytes(14) });

/** Has a phone describe its media as RTP/SAVP with these crypto lines; `undefined`: as RTP/AVP. */
function rewrite(phone: Phone, crypto: () => readonly string[] | undefined): void {
  const plain = phone.sdp.bind(phone);
  phone.sdp = (options) => {
    const { contentType, bytes } = plain(options);
    const lines = crypto();
    const text = new TextDecoder().decode(bytes);
    const secured =
      lines === undefined
        ? text
        : text.replace("RTP/AVP", "RTP/SAVP") + lines.map((line) => `a=crypto:${line}\r\n`).join("");
    return { contentType, bytes: new TextEncoder().encode(secured) };
  };
}
