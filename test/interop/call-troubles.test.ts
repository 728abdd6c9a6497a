import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { Owned } from "./support/owned.ts";
import { without } from "./support/programs.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";
import type { TracedMessage } from "./support/sipp-trace.ts";
import { until } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;

interface Trouble {
  readonly caller: string;
  readonly callee: string;
  readonly transport: "udp" | "tcp";
  /** Of a `<pause/>` without a time. */
  readonly pauseMs?: number;
}

/** One call between two SIPps, in which something goes wrong; both must find it as their scenarios say. */
async function callWith(
  t: TestContext,
  { caller, callee, transport, pauseMs = 300 }: Trouble,
): Promise<{ readonly user: string; readonly caller: Sipp; readonly callee: Sipp }> {
  const called = await Sipp.start(t, { scenario: callee, transport, pauseMs });
  const user = `${caller}-${callee}-${transport}`.replaceAll(".xml", "");
  const uri = `sip:bob@127.0.0.1:${called.port};transport=${transport}`;
  await server.number(user, {
    twiml: `<Response><Dial answerOnBridge="true"><Sip>${uri}</Sip></Dial></Response>`,
  });
  const target = { port: server.sipPort, user };
  const calling = await Sipp.start(t, { scenario: caller, transport, target, pauseMs });
  await Promise.all([calling.succeeded(), called.succeeded()]);
  return { user, caller: calling, callee: called };
}

/** How the call to a number, and the one that it made, ended; there must not be more of them. */
async function endOf(user: string): Promise<string[]> {
  const client = server.twilio();
  return await until("both calls over", async () => {
    const calls = await client.calls.list({ limit: 500 });
    const parents = calls.filter((call) => call.to.includes(user) && call.direction === "inbound");
    assert.ok(parents.length <= 1, "one call, not two");
    const [parent] = parents;
    const both = calls.filter((call) => call === parent || call.parentCallSid === parent?.sid);
    const isOver = both.every(({ status }) => !["queued", "ringing", "in-progress"].includes(status));
    return parent !== undefined && isOver && both.map(({ status }) => status).sort();
  });
}

const isOkToInvite = ({ message }: TracedMessage): boolean =>
  message.kind === "response" && message.status === 200 && message.headers.get("CSeq") === "1 INVITE";

for (const transport of ["udp", "tcp"] as const) {
  describe(`SIPp calls in trouble (${transport})`, { skip: without("sipp"), concurrency: 4 }, () => {
    before(async () => {
      server ??= await TestServer.start(owned);
    });
    if (transport === "tcp") after(() => owned.release());

    it("lost 200: it is repeated, octet for octet, until the ACK comes", async (t) => {
      const { user, caller } = await callWith(t, {
        caller: "uac-acknowledges-late.xml",
        callee: "uas-answers.xml",
        transport,
      });
      const answers = caller.messages().filter(isOkToInvite);
      assert.ok(answers.length >= 3, `${answers.length} times 200`);
      assert.deepEqual(answers[1]?.bytes, answers[0]?.bytes);
      assert.deepEqual(await endOf(user), ["completed", "completed"]);
    });

    // By UDP SIPp takes a repeated ACK as a wish for its 200, and the two would never stop.
    if (transport === "tcp") {
      it("lost ACK: each 200 of the callee gets one, and the call stands", async (t) => {
        const { user, callee } = await callWith(t, {
          caller: "uac-hangs-up.xml",
          callee: "uas-repeats-its-200.xml",
          transport,
          pauseMs: 1_000,
        });
        const acks = callee
          .messages()
          .filter(({ message }) => message.kind === "request" && message.method === "ACK");
        assert.equal(acks.length, 3);
        assert.deepEqual(await endOf(user), ["completed", "completed"]);
      });
    }

    it("retransmitted INVITE, before and after its 200: one call", async (t) => {
      const { user } = await callWith(t, {
        caller: "uac-repeats-invite.xml",
        callee: "uas-answers.xml",
        transport,
      });
      assert.deepEqual(await endOf(user), ["completed", "completed"]);
    });

    it("late CANCEL of the caller: it gets 200 and changes nothing", async (t) => {
      const { user } = await callWith(t, {
        caller: "uac-cancels-too-late.xml",
        callee: "uas-answers.xml",
        transport,
      });
      assert.deepEqual(await endOf(user), ["completed", "completed"]);
    });

    it("late CANCEL to the callee: its 200 gets ACK and BYE, and the caller 487", async (t) => {
      const { user } = await callWith(t, {
        caller: "uac-cancels-while-ringing.xml",
        callee: "uas-answers-as-it-is-canceled.xml",
        transport,
      });
      assert.deepEqual(await endOf(user), ["canceled", "canceled"]);
    });

    it("crossing re-INVITEs: the later one gets 491, and gets through when it comes again", async (t) => {
      const { user } = await callWith(t, {
        caller: "uac-crosses-reinvite.xml",
        callee: "uas-holds.xml",
        transport,
      });
      assert.deepEqual(await endOf(user), ["completed", "completed"]);
    });

    it("crossing re-INVITEs: a 491 to ours brings it again, and the callee's hold is answered", async (t) => {
      const { user } = await callWith(t, {
        caller: "uac-refuses-crossing-reinvite.xml",
        callee: "uas-holds.xml",
        transport,
      });
      assert.deepEqual(await endOf(user), ["completed", "completed"]);
    });
  });
}
