import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BODY, SipHeaders, type SipResponse } from "@callfork/protocol/sip";
import { Redirects } from "./redirects.ts";

function moved(...contacts: string[]): SipResponse {
  const headers = new SipHeaders(contacts.map((contact) => ["Contact", contact] as const));
  return { kind: "response", status: 302, reason: "Moved", headers, body: NO_BODY };
}

function drain(redirects: Redirects): string[] {
  const found: string[] = [];
  for (let uri = redirects.next(); uri !== undefined; uri = redirects.next()) found.push(uri);
  return found;
}

test("[R3261-8.1.3.4-3] a call that began with SIPS stays with it", () => {
  const redirects = new Redirects("sips:a@b");
  redirects.take(moved("<sip:a@c>", "<sips:a@d>", "<tel:+1>", "*", "rubbish <"));
  assert.deepEqual(drain(redirects), ["sips:a@d"]);
});

test("q orders contacts, an absent one counts as 1 and nonsense as 0; later answers go before what waits", () => {
  const redirects = new Redirects("sip:a@b");
  redirects.take(moved("<sip:1@x>;q=0.3", "<sip:2@x>", "<sip:3@x>;q=7", "<sip:4@x>;q=0.7"));
  assert.equal(redirects.next(), "sip:2@x");
  redirects.take(moved("<sip:5@x>;q=0.1", "<sip:A@B>", "<sip:a@b>"));
  assert.deepEqual(drain(redirects), ["sip:A@B", "sip:5@x", "sip:4@x", "sip:1@x"]);
});
