import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialog, dialogKeyOf } from "./dialog.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { testRequest, testResponse } from "./transaction-drive.testing.ts";

function clientDialog(change: (response: SipResponse) => void = () => {}, status = 200): Dialog {
  const invite = testRequest("INVITE");
  const response = testResponse(invite, status);
  response.headers.append("Contact", "<sip:bob@192.0.2.4:5070>");
  change(response);
  const dialog = Dialog.asClient(invite, response);
  assert.ok(dialog.ok);
  return dialog.value;
}

function serverDialog(change: (invite: SipRequest) => void = () => {}): Dialog {
  const invite = testRequest("INVITE", { Contact: "<sip:alice@192.0.2.1:5080;transport=tcp>" });
  change(invite);
  const dialog = Dialog.asServer(invite, "local");
  assert.ok(dialog.ok);
  return dialog.value;
}

test("[R3261-12.1-1] the caller's dialog takes the route set reversed from Record-Route and the target from Contact", () => {
  const dialog = clientDialog((response) => {
    response.headers.append("Record-Route", "<sip:p2.example;lr>, <sip:p1.example;lr>");
  });
  assert.deepEqual(dialog.routeSet, ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
  const { request, nextHop } = dialog.createRequest("BYE");
  assert.equal(request.uri, "sip:bob@192.0.2.4:5070");
  assert.deepEqual(request.headers.lines("Route"), ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
  assert.equal(nextHop, "sip:p1.example;lr");
  assert.equal(request.headers.get("To"), '"Bob" <sip:bob@example.com>;tag=a6c85cf');
  assert.equal(request.headers.get("From"), '"Alice" <sip:alice@example.com>;tag=1928301774');
});

test("[R3261-12.2.1.1-2] header fields and a method in Contact or strict route do not get into the Request-URI", () => {
  const odd = "sip:bob@192.0.2.4:5070;transport=tcp;method=REFER?Subject=x&Priority=y";
  const plain = "sip:bob@192.0.2.4:5070;transport=tcp";
  const direct = clientDialog((response) => response.headers.set("Contact", `<${odd}>`));
  assert.equal(direct.createRequest("BYE").request.uri, plain);
  const routed = clientDialog((response) => response.headers.append("Record-Route", `<${odd}>`));
  assert.equal(routed.createRequest("BYE").request.uri, plain);
});

test("[R3261-12.1-1] the callee's dialog takes the route set in order; a request without one goes to the target", () => {
  const routed = serverDialog((invite) => {
    invite.headers.append("Record-Route", "<sip:p1.example;lr>");
    invite.headers.append("Record-Route", "<sip:p2.example;lr>");
  });
  assert.deepEqual(routed.routeSet, ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
  const { request, nextHop } = serverDialog().createRequest("BYE");
  assert.equal(request.uri, "sip:alice@192.0.2.1:5080;transport=tcp");
  assert.equal(nextHop, request.uri);
  assert.equal(request.headers.has("Route"), false);
  assert.equal(request.headers.get("From"), '"Bob" <sip:bob@example.com>;tag=local');
});

test("[R3261-12.1-1] [R3261-12.2.1.1-1] a strict router becomes the Request-URI and the target the last Route", () => {
  const dialog = clientDialog((response) => {
    response.headers.append("Record-Route", "<sip:loose.example;lr>, <sip:strict.example>");
  });
  const { request, nextHop } = dialog.createRequest("BYE");
  assert.equal(request.uri, "sip:strict.example");
  assert.equal(nextHop, "sip:strict.example");
  assert.deepEqual(request.headers.lines("Route"), ["<sip:loose.example;lr>", "<sip:bob@192.0.2.4:5070>"]);
});

test("[R3261-12.2.1-1] CSeq rises by one a request; ACK repeats the INVITE's", () => {
  const dialog = clientDialog();
  assert.equal(dialog.createAck(testRequest("INVITE")).request.headers.get("CSeq"), "314159 ACK");
  assert.equal(dialog.createRequest("INFO").request.headers.get("CSeq"), "314160 INFO");
  assert.equal(dialog.createRequest("BYE").request.headers.get("CSeq"), "314161 BYE");
});

test("[R3261-13.2.2.4-2] the ACK of a 2xx carries the INVITE's credentials", () => {
  const invite = testRequest("INVITE", { Authorization: 'Digest username="a"' });
  assert.equal(clientDialog().createAck(invite).request.headers.get("Authorization"), 'Digest username="a"');
});

test("[R3261-12.2.2-1] a lower CSeq is out of order, a gap is not", () => {
  const dialog = serverDialog();
  const receive = (cseq: string): string => dialog.receive(testRequest("INFO", { CSeq: cseq }));
  assert.equal(receive("314160 INFO"), "inOrder");
  assert.equal(receive("314200 INFO"), "inOrder");
  assert.equal(receive("314199 INFO"), "outOfOrder");
  assert.equal(clientDialog().receive(testRequest("BYE", { CSeq: "1 BYE" })), "inOrder");
});

test("[R3261-12.2.2-3] the Contact of a target refresh replaces the target; one that cannot be called does not", () => {
  const dialog = serverDialog();
  dialog.refreshTarget(testRequest("INVITE", { Contact: "Alice <sip:alice@192.0.2.9>;+sip.src" }));
  assert.equal(dialog.remoteTarget, "sip:alice@192.0.2.9");
  dialog.refreshTarget(testRequest("INVITE", { Contact: "<tel:+15551234>" }));
  assert.equal(dialog.remoteTarget, "sip:alice@192.0.2.9");
});

test("[R3261-13.2.2.4-3] a 2xx confirms the early dialog and its Record-Route counts from then on", () => {
  const dialog = clientDialog(() => {}, 180);
  assert.equal(dialog.state, "early");
  const ok = testResponse(testRequest("INVITE"), 200);
  ok.headers.append("Record-Route", "<sip:p1.example;lr>");
  ok.headers.append("Contact", "<sip:bob@192.0.2.77>");
  dialog.confirm(ok);
  assert.equal(dialog.state, "confirmed");
  assert.deepEqual(dialog.routeSet, ["<sip:p1.example;lr>"]);
  assert.equal(dialog.remoteTarget, "sip:bob@192.0.2.77");
});

test("[R3261-12-1] several answers to one INVITE make dialogs of their own", () => {
  const invite = testRequest("INVITE");
  const keys = ["one", "two"].map((tag) => {
    const dialog = Dialog.asClient(invite, testResponse(invite, 183, tag));
    assert.ok(dialog.ok);
    return dialog.value.key;
  });
  assert.notEqual(keys[0], keys[1]);
});

test("[R3261-12-2] a request finds its dialog by Call-ID, To tag and From tag", () => {
  const dialog = serverDialog();
  const bye = testRequest("BYE", { To: "<sip:bob@example.com>;tag=local" });
  assert.equal(dialogKeyOf(bye), dialog.key);
  assert.notEqual(dialogKeyOf(testRequest("BYE", { To: "<sip:bob@example.com>;tag=Local" })), dialog.key);
  assert.equal(dialogKeyOf(testRequest("OPTIONS")), undefined);
});
