import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerRule } from "../../packages/server/src/recording-server/peers.ts";
import { body, RecorderWorld, sdp, sdpPart } from "./recorder-world.ts";

const BARE = () => body(sdpPart(sdp([{ label: "1", port: 4_000 }])));
/** A plain INVITE, as Genesys-like servers and PBXs send it: no mark, no metadata, any user. */
const PLAIN = { headers: [], contactParameters: "", to: "sip:+4930123456@10.0.0.2" } as const;

const rule = (is: string, profile: PeerRule["profile"]): PeerRule => ({ by: "address", is, profile });

test("a peer is taken strictly while all others are forgiven, and the other way round", async (t) => {
  const strict = await RecorderWorld.start(t, { peers: [rule("10.0.0.1", "strict")] });
  assert.equal((await strict.invite(BARE(), { headers: [] })).failure?.status, 403);
  const other = await RecorderWorld.start(t, { peers: [rule("10.0.0.3", "strict")] });
  assert.equal((await other.invite(BARE(), { headers: [] })).response?.status, 200);
  const forgiven = await RecorderWorld.start(t, { strict: true, peers: [rule("10.0.0.0/24", "lenient")] });
  assert.equal((await forgiven.invite(BARE(), { headers: [] })).response?.status, 200);
});

test("every INVITE of a plain peer is a recording session; of others only those that are marked", async (t) => {
  const seen: boolean[] = [];
  for (const peers of [[rule("10.0.0.1", "plain")], [rule("10.0.0.3", "plain")]]) {
    const world: RecorderWorld = await RecorderWorld.start(t, {
      peers,
      onStarted: () => void seen.push(true),
    });
    const accept = world.recorder.accept.bind(world.recorder);
    world.recorder.accept = (invite) => {
      if (world.recorder.isRecordingInvite(invite)) accept(invite);
      else invite.reject(404);
    };
    const { response, failure } = await world.invite(BARE(), PLAIN);
    assert.equal(response?.status ?? failure?.status, peers[0]?.is === "10.0.0.1" ? 200 : 404);
    if (response === undefined) continue;
    const codes = world.onlyRow.warnings.map(({ code }) => code).sort();
    assert.deepEqual(codes, [
      "METADATA_MISSING",
      "PARTICIPANTS_GUESSED",
      "REQUIRE_SIPREC_MISSING",
      "SIP_SRC_MISSING",
    ]);
  }
  assert.equal(seen.length, 1);
});
