import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CallRefusedError } from "@callfork/testkit";
import { converse } from "./support/conversation.ts";
import { assertRouted, Kamailio } from "./support/kamailio.ts";
import { Owned } from "./support/owned.ts";
import { hears, openPhone } from "./support/phones.ts";
import { without } from "./support/programs.ts";
import { recordedBothVoices } from "./support/recorded.ts";
import { TestServer } from "./support/server.ts";
import { until, within } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;

describe("Kamailio before the platform, with Record-Route", {
  skip: without("kamailio"),
  concurrency: 2,
}, () => {
  before(async () => {
    server = await TestServer.start(owned);
  });
  after(() => owned.release());

  const ways = [
    { outside: "udp", inside: "udp", ends: "alice" },
    { outside: "tcp", inside: "tcp", ends: "bob" },
    { outside: "tcp", inside: "udp", ends: "alice" },
    { outside: "udp", inside: "tcp", ends: "bob" },
  ] as const;
  for (const { outside, inside, ends } of ways) {
    it(`[R3261-12.1-1] phones by ${outside}, Callfork by ${inside}: both hear each other, hold and resume, ${ends} hangs up`, async (t) => {
      const kamailio = await Kamailio.start(t, {
        target: `sip:127.0.0.1:${server.sipPort};transport=${inside}`,
      });
      const [alice, bob] = [await openPhone(t, "alice"), await openPhone(t, "bob")];
      await kamailio.register(t, "bob", `${bob.uri};transport=${outside}`);
      const dialled = `way-${outside}-${inside}`;
      const uri = `sip:bob@127.0.0.1:${kamailio.port};transport=${inside}`;
      await server.number(dialled, {
        twiml: `<Response><Dial answerOnBridge="true"><Sip>${uri}</Sip></Dial></Response>`,
      });
      await kamailio.pinged();

      const arrival = bob.nextCall();
      const alices = await alice.call(`sip:${dialled}@127.0.0.1:${kamailio.port};transport=${outside}`, {
        timeoutMs: 20_000,
      });
      const bobs = await within("Bob's call", arrival);
      await hears(bobs, "alice");
      await hears(alices, "bob");

      for (const call of [alices, bobs]) {
        assert.equal(await call.hold(true), "recvonly");
        assert.equal(await call.hold(false), "sendrecv");
      }
      await hears(bobs, "alice");
      await hears(alices, "bob");

      const [hanging, hungUpOn] = ends === "alice" ? [alices, bobs] : [bobs, alices];
      await hanging.hangUp();
      assert.equal(await within("the other's end", hungUpOn.ended), "remote");
      // Each change of transport on the way gives two routes (RFC 5658 §3): one for each side.
      assertRouted(kamailio, outside === inside ? 1 : 2);
      const reinvites = kamailio.relayed("INVITE", "callfork");
      assert.equal(reinvites.length, 1 + 4, "Callfork's INVITE, and a re-INVITE for each hold and resume");
      assert.ok(reinvites.every(({ transport }) => transport === inside));
    });
  }

  it("a trunk that is Kamailio: calls come in from its address, and numbers are reached through it", async (t) => {
    const own = await TestServer.start(t);
    const kamailio = await Kamailio.start(t, { target: `sip:127.0.0.1:${own.sipPort}` });
    await own.post("/v1/Trunks", {
      UniqueName: "kamailio",
      SipUri: `sip:127.0.0.1:${kamailio.port}`,
      AllowedAddresses: "127.0.0.1",
    });
    await own.number("+15550001", {
      twiml: `<Response><Dial answerOnBridge="true"><Number>+15550002</Number></Dial></Response>`,
    });
    const [alice, bob] = [await openPhone(t, "alice"), await openPhone(t, "bob")];
    await kamailio.register(t, "+15550002", bob.uri);
    await kamailio.pinged();
    const arrival = bob.nextCall();
    // A new trunk is known to calls some seconds later; until then the number leads nowhere.
    const alices = await until("the trunk being known", () =>
      alice
        .call(`sip:+15550001@127.0.0.1:${kamailio.port}`, { timeoutMs: 20_000 })
        .catch((error: unknown) => {
          if (error instanceof CallRefusedError && error.status === 404) return undefined;
          throw error;
        }),
    );
    const bobs = await within("Bob's call", arrival);
    await hears(bobs, "alice");
    await hears(alices, "bob");
    await bobs.hangUp();
    assert.equal(await within("Alice's end", alices.ended), "remote");
    assertRouted(kamailio, 1);
  });

  it("[R3261-18.1.1-1] a recording session through Kamailio: TCP for its size, and every request by the route set", async (t) => {
    const kamailio = await Kamailio.start(t, { target: `sip:127.0.0.1:${server.sipPort}` });
    await server.connector("by-kamailio", `sip:recorder@127.0.0.1:${kamailio.port}`);
    await kamailio.pinged();
    const { alice, bob } = await converse(t, server, {
      verbs: '<Start><Siprec connectorName="by-kamailio"/></Start>',
    });
    await kamailio.line(
      "the recorder's answer",
      ({ kind, text }) => kind === "answer" && /200 INVITE/.test(text),
    );
    await hears(bob, "alice");
    await hears(alice, "bob");
    await bob.hangUp();
    await within("Alice's end", alice.ended);
    await kamailio.line("the end", ({ kind, text }) => kind === "answer" && /200 BYE/.test(text));

    const invite = kamailio.lines().find(({ kind, method }) => kind === "relayed" && method === "INVITE");
    assert.equal(invite?.transport, "tcp");
    const lines = kamailio.lines().filter(({ method }) => method !== "OPTIONS");
    assert.deepEqual(
      lines.filter(({ kind }) => kind === "unrouted"),
      [],
    );
    for (const method of ["ACK", "BYE"])
      assert.ok(
        lines.some(
          (line) => line.kind === "relayed" && line.method === method && / [12] routes/.test(line.text),
        ),
      );
    const recording = await recordedBothVoices(server);
    assert.equal(recording.source.transport, "tcp");
  });
});
