import assert from "node:assert/strict";
import { test } from "node:test";
import { createResponse } from "./create-response.ts";
import { testRequest } from "./transaction-drive.testing.ts";

test("[R3261-8.2.6-1] [R3261-8.2.6.1-2] responses copy Via, From, To, Call-ID and CSeq; To gets a tag except in 100", () => {
  const request = testRequest("INVITE", { Timestamp: "54" });
  request.headers.append("Via", "SIP/2.0/UDP 10.0.0.99;branch=z9hG4bKbelow");
  const trying = createResponse(request, 100, { toTag: "t" });
  assert.equal(trying.headers.get("To"), request.headers.get("To"));
  assert.equal(trying.headers.get("Timestamp"), "54");
  const ringing = createResponse(request, 180, { toTag: "t" });
  assert.deepEqual(ringing.headers.lines("Via"), request.headers.lines("Via"));
  for (const name of ["From", "Call-ID", "CSeq"])
    assert.equal(ringing.headers.get(name), request.headers.get(name));
  assert.equal(ringing.headers.get("To"), `${request.headers.get("To")};tag=t`);
  assert.equal(ringing.reason, "Ringing");
});

test("[R3261-8.2.6-2] a To that has a tag keeps it", () => {
  const request = testRequest("BYE", { To: "<sip:bob@example.com>;tag=old" });
  assert.equal(
    createResponse(request, 200, { toTag: "new" }).headers.get("To"),
    "<sip:bob@example.com>;tag=old",
  );
});

test("[R3261-12.1.1-1] Record-Route is copied, in order, into what makes a dialog", () => {
  const routes = ["<sip:p1;lr>", "<sip:p2;lr>"];
  const request = testRequest("INVITE");
  for (const route of routes) request.headers.append("Record-Route", route);
  assert.deepEqual(createResponse(request, 200).headers.lines("Record-Route"), routes);
  assert.deepEqual(createResponse(request, 180).headers.lines("Record-Route"), routes);
  assert.deepEqual(createResponse(request, 486).headers.lines("Record-Route"), []);
});
