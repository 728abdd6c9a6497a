import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipHeaders } from "@callfork/protocol/sip";
import type { IncomingInvite } from "../signalling/index.ts";
import { Peers } from "./peers.ts";

function inviteOf(options: {
  readonly address?: string;
  readonly identities?: readonly string[];
  readonly authorization?: string;
}): IncomingInvite {
  const { address = "192.0.2.7", identities, authorization } = options;
  const headers = {
    get: (name: string) => (name === "Authorization" ? authorization : undefined),
  } as SipHeaders;
  const tls = identities && { authorized: true, identities, protocol: "TLSv1.3", cipher: "x" };
  return { request: { headers }, flow: { remoteAddress: address, tls } } as unknown as IncomingInvite;
}

const peers = new Peers(
  [
    { by: "certificate", is: "SBC.example.com", profile: "plain" },
    { by: "user", is: "acme", profile: "lenient" },
    { by: "address", is: "192.0.2.0/24", profile: "strict" },
    { by: "address", is: "192.0.2.7", profile: "plain" },
  ],
  "lenient",
);

test("the first rule that fits counts: by certificate, by user, by address", () => {
  assert.equal(peers.profileOf(inviteOf({ identities: ["sbc.example.com"] })), "plain");
  assert.equal(
    peers.profileOf(inviteOf({ authorization: 'Digest realm="r", username="acme", nc=1' })),
    "lenient",
  );
  assert.equal(peers.profileOf(inviteOf({})), "strict");
  assert.equal(peers.profileOf(inviteOf({ address: "::ffff:192.0.2.9" })), "strict");
});

test("whoever no rule fits gets the default", () => {
  assert.equal(peers.profileOf(inviteOf({ address: "198.51.100.1" })), "lenient");
  const other = { address: "198.51.100.1", identities: ["other.example.com"] };
  assert.equal(peers.profileOf(inviteOf(other)), "lenient");
  for (const authorization of ['Digest username="acme2"', "Basic acme", 'Digest xusername="acme"', "Digest"])
    assert.equal(
      new Peers([{ by: "user", is: "acme", profile: "plain" }], "strict").profileOf(
        inviteOf({ authorization }),
      ),
      "strict",
    );
});
