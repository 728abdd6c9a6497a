import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createOffer,
  nextOfferAnswerState,
  OFFER_ANSWER,
  OfferAnswer,
  type OfferAnswerInput,
  type OfferAnswerState,
} from "./index.ts";

const PCMU = { payloadType: 0, name: "PCMU", clockRateHz: 8000, channels: 1 };
const described = (lines: number, sessionId = "7") =>
  createOffer({
    origin: { sessionId },
    address: "192.0.2.1",
    media: Array.from({ length: lines }, (_, i) => ({ local: { port: 4000 + 2 * i }, codecs: [PCMU] })),
  });

test("[R3264-4-1] no offer while one is open, in either direction; each refusal says what to answer", () => {
  const table: Record<OfferAnswerState, Record<OfferAnswerInput, string>> = {
    Stable: {
      localOffer: "HaveLocalOffer",
      remoteOffer: "HaveRemoteOffer",
      localAnswer: "NO_OFFER",
      remoteAnswer: "NO_OFFER",
      localRefusal: "NO_OFFER",
      remoteRefusal: "NO_OFFER",
    },
    HaveLocalOffer: {
      localOffer: "OFFER_PENDING",
      remoteOffer: "OFFER_GLARE 491",
      localAnswer: "NO_OFFER",
      remoteAnswer: "Stable",
      localRefusal: "NO_OFFER",
      remoteRefusal: "Stable",
    },
    HaveRemoteOffer: {
      localOffer: "ANSWER_OWED",
      remoteOffer: "OFFER_BEFORE_ANSWER 500 Retry-After",
      localAnswer: "Stable",
      remoteAnswer: "NO_OFFER",
      localRefusal: "Stable",
      remoteRefusal: "Stable",
    },
  };
  for (const [state, inputs] of Object.entries(table) as [
    OfferAnswerState,
    Record<OfferAnswerInput, string>,
  ][]) {
    assert.deepEqual(Object.keys(OFFER_ANSWER[state]), Object.keys(inputs));
    for (const [input, expected] of Object.entries(inputs) as [OfferAnswerInput, string][]) {
      const next = nextOfferAnswerState(state, input);
      const seen = next.ok
        ? next.value
        : [next.error.code, next.error.sipStatus, next.error.retryAfter && "Retry-After"]
            .filter(Boolean)
            .join(" ");
      assert.equal(seen, expected, `${state} ${input}`);
    }
  }
});

test("an exchange completes, a refused one leaves the last agreement in force", () => {
  const machine = new OfferAnswer();
  const [offer, answer] = [described(1), described(1, "8")];
  assert.deepEqual(machine.remoteOffer(offer), { ok: true, value: "HaveRemoteOffer" });
  assert.equal(machine.openOffer, offer);
  assert.deepEqual(machine.localAnswer(answer), { ok: true, value: "Stable" });
  assert.deepEqual([machine.local, machine.remote, machine.openOffer], [answer, offer, undefined]);

  machine.localOffer(described(2));
  assert.deepEqual(machine.refused("remote"), { ok: true, value: "Stable" });
  assert.deepEqual([machine.local, machine.remote, machine.openOffer], [answer, offer, undefined]);
});

test("[R3264-8-2] an offer with fewer lines than before is refused, and changes nothing", () => {
  const machine = new OfferAnswer();
  machine.localOffer(described(2));
  machine.remoteAnswer(described(2));
  const refused = machine.remoteOffer(described(1));
  assert.ok(!refused.ok);
  assert.deepEqual([refused.error.code, refused.error.sipStatus], ["MEDIA_LINES_MISSING", 488]);
  assert.equal(machine.state, "Stable");
  assert.ok(machine.remoteOffer(described(3)).ok);
});

test("an answer must have as many lines as its offer; the machine then still waits", () => {
  const machine = new OfferAnswer();
  machine.localOffer(described(2));
  const refused = machine.remoteAnswer(described(1));
  assert.equal(refused.ok || refused.error.code, "MEDIA_LINES_DIFFER");
  assert.equal(machine.state, "HaveLocalOffer");
});

test("early dialogs of one INVITE are answered one by one", () => {
  const machine = new OfferAnswer();
  machine.localOffer(described(1));
  const other = machine.fork();
  assert.ok(machine.remoteAnswer(described(1, "8")).ok);
  assert.equal(other.state, "HaveLocalOffer");
  assert.ok(other.remoteAnswer(described(1, "9")).ok);
  assert.equal(machine.remote?.origin.sessionId, "8");
  assert.equal(other.remote?.origin.sessionId, "9");
});
