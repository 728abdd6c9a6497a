import assert from "node:assert/strict";
import { test } from "node:test";
import { SipHeaders, type SipRequest } from "@callfork/protocol/sip";
import fc from "fast-check";
import { headerParties } from "./header-parties.ts";

function invite(headers: readonly (readonly [string, string])[], uri = "sip:recorder@10.0.0.2"): SipRequest {
  return {
    kind: "request",
    method: "INVITE",
    uri,
    headers: new SipHeaders(headers),
    body: new Uint8Array(0),
  };
}

const aors = (request: SipRequest): string[] => headerParties(request).parties.map(({ aor }) => aor);

test("To is a party when it is somebody else than the recorder", () => {
  const from = ["From", '"Alice" <sip:+15550100@pbx.example.com;user=phone>;tag=1'] as const;
  assert.deepEqual(aors(invite([from, ["To", "<sip:recorder@10.0.0.2;transport=tcp>"]])), [
    "sip:+15550100@pbx.example.com",
  ]);
  assert.deepEqual(aors(invite([from, ["To", "<sip:+15550199@pbx.example.com>"]])), [
    "sip:+15550100@pbx.example.com",
    "sip:+15550199@pbx.example.com",
  ]);
});

test("a built-in bridge without the far end's address names the near end alone", () => {
  const { parties } = headerParties(invite([["From", "<sip:2000@cucm1;x-nearend;x-refci=1>;tag=1"]]));
  assert.deepEqual(parties, [{ aor: "sip:2000@cucm1", name: null, line: 0 }]);
});

test("whatever header fields hold, nothing is thrown and the list stays short", () => {
  const name = fc.constantFrom("From", "To", "P-Asserted-Identity", "X-Cisco-Recording-Participant");
  const piece = fc.constantFrom(
    "<",
    ">",
    ";",
    "sip:a@b",
    "x-nearend",
    "x-farendaddr=",
    "media-index=",
    '"',
    ",",
    "tel:1",
  );
  const value = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 20 }), (headers) => {
      assert.ok(headerParties(invite(headers)).parties.length <= 8);
    }),
  );
});
