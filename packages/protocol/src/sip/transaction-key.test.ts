import assert from "node:assert/strict";
import { test } from "node:test";
import { createCancel, createTransactionAck } from "./create-ack.ts";
import { testRequest, testResponse } from "./transaction-drive.testing.ts";
import { clientTransactionKey, mergedRequestKey, serverTransactionKey } from "./transaction-key.ts";

const invite = testRequest("INVITE");

test("[R3261-17.2.3-1] requests match by branch, sent-by and method; ACK counts as its INVITE", () => {
  const key = serverTransactionKey(invite);
  assert.equal(
    serverTransactionKey(testRequest("INVITE", { CSeq: "1 INVITE", From: "<sip:x@y>;tag=1" })),
    key,
  );
  assert.equal(serverTransactionKey(testRequest("ACK")), key);
  assert.notEqual(serverTransactionKey(testRequest("CANCEL")), key);
  assert.equal(serverTransactionKey(testRequest("CANCEL"), "INVITE"), key);
  const others = [
    "10.0.0.9:5060;branch=z9hG4bK776asdhds",
    "10.0.0.1:5070;branch=z9hG4bK776asdhds",
    "10.0.0.1;branch=z9hG4bKother",
  ];
  for (const via of others)
    assert.notEqual(serverTransactionKey(testRequest("INVITE", { Via: `SIP/2.0/UDP ${via}` })), key);
  // No port is port 5060, and host names have no case.
  assert.equal(
    serverTransactionKey(testRequest("INVITE", { Via: "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK776asdhds" })),
    key,
  );
});

test("[R3261-17.2.3-2] without the magic cookie Request-URI, From tag, Call-ID, CSeq number and Via decide", () => {
  const old = { Via: "SIP/2.0/UDP 10.0.0.1:5060;branch=1" };
  const key = serverTransactionKey(testRequest("INVITE", old));
  assert.equal(serverTransactionKey(testRequest("ACK", { ...old, To: "<sip:bob@example.com>;tag=9" })), key);
  const differences: Record<string, string>[] = [
    { "Call-ID": "other" },
    { CSeq: "314160 INVITE" },
    { From: "<sip:a@b>;tag=2" },
    { Via: "SIP/2.0/UDP 10.0.0.1:5060;branch=2" },
  ];
  for (const different of differences) {
    assert.notEqual(serverTransactionKey(testRequest("INVITE", { ...old, ...different })), key);
  }
  assert.notEqual(serverTransactionKey({ ...testRequest("INVITE", old), uri: "sip:carol@10.0.0.2" }), key);
});

test("[R3261-17.1.3-1] responses match by branch and CSeq method, so CANCEL's are told from INVITE's", () => {
  const cancel = createCancel(invite);
  assert.equal(clientTransactionKey(testResponse(invite, 200)), clientTransactionKey(invite));
  assert.equal(clientTransactionKey(testResponse(cancel, 200)), clientTransactionKey(cancel));
  assert.notEqual(clientTransactionKey(cancel), clientTransactionKey(invite));
});

test("[R3261-8.2.2.2-2] a request is merged with one of the same From tag, Call-ID and CSeq, outside dialogs only", () => {
  const otherWay = testRequest("INVITE", { Via: "SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKx" });
  assert.equal(mergedRequestKey(otherWay), mergedRequestKey(invite));
  assert.equal(mergedRequestKey(testRequest("INVITE", { To: "<sip:b@c>;tag=1" })), undefined);
});

test("[R3261-17.1.1.3-2] the ACK of a refusal has one Via, the INVITE's, its Route and CSeq number, and the answer's To", () => {
  const routed = testRequest("INVITE", { Route: "<sip:10.0.0.5;lr>" });
  routed.headers.append("Via", "SIP/2.0/UDP 10.0.0.99;branch=z9hG4bKbelow");
  const ack = createTransactionAck(routed, testResponse(routed, 486));
  assert.deepEqual(ack.headers.lines("Via"), [invite.headers.get("Via")]);
  assert.deepEqual(ack.headers.lines("Route"), ["<sip:10.0.0.5;lr>"]);
  assert.equal(ack.headers.get("CSeq"), "314159 ACK");
  assert.equal(ack.headers.get("To"), "Bob <sip:bob@example.com>;tag=a6c85cf");
  assert.equal(ack.uri, routed.uri);
});

test("[R3261-9.1-2] CANCEL repeats the request's top Via, Request-URI, To, From, Call-ID, CSeq number and Route", () => {
  const cancel = createCancel(testRequest("INVITE", { Route: "<sip:10.0.0.5;lr>", Require: "siprec" }));
  for (const name of ["Via", "To", "From", "Call-ID"])
    assert.equal(cancel.headers.get(name), invite.headers.get(name));
  assert.equal(cancel.headers.get("CSeq"), "314159 CANCEL");
  assert.equal(cancel.headers.get("Route"), "<sip:10.0.0.5;lr>");
  assert.equal(cancel.headers.has("Require"), false); // §9.1: CANCEL has no Require
});
