import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatReplaces, parseReferTo, parseReplaces } from "./refer.ts";

test("[R3515-2.1-1] Refer-To is one address, with or without brackets; another method than INVITE is refused", () => {
  const plain = parseReferTo("Carol <sip:carol@example.com;transport=tcp>");
  assert.ok(plain.ok);
  assert.equal(plain.value.uri, "sip:carol@example.com;transport=tcp");
  assert.equal(plain.value.replaces, undefined);
  assert.ok(parseReferTo("sip:carol@example.com").ok);
  assert.ok(parseReferTo("<tel:+15551234567>").ok);
  assert.ok(parseReferTo("<sip:c@d;method=INVITE>").ok);
  for (const bad of ["", "<>", "<sip:carol@example.com;method=BYE>", "<sip:c@d?Replaces=x>"])
    assert.equal(parseReferTo(bad).ok, false, bad);
});

test("[R3891-6.1-1] Replaces is read from a header and from the escaped header of a Refer-To", () => {
  const expected = { callId: "12345@host", toTag: "a1", fromTag: "b2", earlyOnly: false };
  assert.deepEqual(parseReplaces("12345@host;from-tag=b2;to-tag=a1"), { ok: true, value: expected });
  const refer = parseReferTo(
    "<sip:c@d?Replaces=12345%40host%3Bto-tag%3Da1%3Bfrom-tag%3Db2&Require=replaces>",
  );
  assert.ok(refer.ok);
  assert.deepEqual([refer.value.uri, refer.value.replaces], ["sip:c@d", expected]);
  const early = parseReplaces("x;to-tag=1;from-tag=2;early-only");
  assert.ok(early.ok && early.value.earlyOnly);
  for (const bad of ["", "x", "x;to-tag=1", ";to-tag=1;from-tag=2", "x;to-tag;from-tag=2"])
    assert.equal(parseReplaces(bad).ok, false, bad);
});

test("what is written is read back; whatever is read never throws", () => {
  const token = fc.stringMatching(/^[A-Za-z0-9.@_-]{1,30}$/);
  fc.assert(
    fc.property(token, token, token, fc.boolean(), (callId, toTag, fromTag, earlyOnly) => {
      const replaces = { callId, toTag, fromTag, earlyOnly };
      assert.deepEqual(parseReplaces(formatReplaces(replaces)), { ok: true, value: replaces });
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => void [parseReferTo(text), parseReplaces(text)]));
});
