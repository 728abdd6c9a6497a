import assert from "node:assert/strict";
import { test } from "node:test";
import { SipHeaders, type SipRequest } from "@callfork/protocol/sip";
import fc from "fast-check";
import { DIAL, nextDialState } from "./dial-state.ts";
import { finalStatus, type LegEnd, type LegEndCause, refusalStatus } from "./end-status.ts";
import { LEG, nextLegState } from "./leg-state.ts";
import { aorOf, dialledNames, numberOf, partyOf, readNumber, userOf, voiceAddressOf } from "./party.ts";
import { NO_PEER_CERTIFICATE } from "./peer-certificate.ts";
import type { CallRecord, TrunkRecord } from "./records.ts";
import { sipParameters, voiceParameters } from "./request-parameters.ts";
import { ringbackTone } from "./ringback.ts";
import { fromOf, routeTo } from "./route.ts";
import { durationSeconds, rfc2822 } from "./status-reporter.ts";

const states = <T extends object>(table: T) => Object.keys(table) as (keyof T)[];

test("the leg machine: every state but the last leads on, and nothing leads out of the last", () => {
  const inputs = ["ring", "earlyMedia", "answer", "refuse", "cancel", "end"] as const;
  for (const state of states(LEG)) {
    const next = inputs.flatMap((input) => nextLegState(state, input) ?? []);
    assert.equal(next.length > 0, state !== "Ended", state);
    assert.ok(!next.includes("Idle"));
  }
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...inputs)), (walk) => {
      let state: ReturnType<typeof nextLegState> = "Idle";
      let ends = 0;
      for (const input of walk) {
        const next = nextLegState(state!, input);
        if (next === "Ended") ends += 1;
        state = next ?? state;
      }
      assert.ok(ends <= 1, "a leg ends once");
    }),
  );
});

test("the dial machine ends from every state by an abort", () => {
  for (const state of states(DIAL))
    assert.equal(nextDialState(state, "aborted"), state === "Over" ? undefined : "Over");
  assert.equal(nextDialState("Bridged", "exhausted"), undefined);
});

test("how a leg ended, in Twilio's words", () => {
  const end = (cause: LegEndCause, sipStatus: number | null): LegEnd => ({
    cause,
    sipStatus,
    by: "remote",
    reasons: [],
  });
  const table: [LegEnd, boolean, string][] = [
    [end("bye", 200), true, "completed"],
    [end("failed", 481), true, "completed"],
    [end("canceled", 487), false, "canceled"],
    [end("no-answer", 408), false, "no-answer"],
    [end("refused", 486), false, "busy"],
    [end("refused", 600), false, "busy"],
    [end("refused", 603), false, "busy"],
    [end("refused", 480), false, "no-answer"],
    [end("refused", 404), false, "failed"],
    [end("refused", null), false, "failed"],
    [end("failed", 503), false, "failed"],
  ];
  for (const [input, answered, status] of table) assert.equal(finalStatus(input, answered), status);
});

test("what a waiting caller is told: the callee's refusal when it means the same to the caller", () => {
  const table: [Parameters<typeof refusalStatus>, number][] = [
    [["busy", 486], 486],
    [["busy", 600], 600],
    [["no-answer", 408], 480],
    [["failed", 404], 404],
    [["failed", 401], 503],
    [["failed", 302], 503],
    [["failed", null], 503],
    [["completed", null], 480],
  ];
  for (const [args, told] of table) assert.equal(refusalStatus(...args), told, args.join(" "));
});

test("parties: address without password, port kept; numbers by their user", () => {
  assert.deepEqual(partyOf('"A \\"B\\"" <sip:alice:pw@example.com:5070;transport=tcp?x=y>;tag=1'), {
    aor: "sip:alice@example.com:5070",
    displayName: 'A "B"',
  });
  assert.equal(partyOf("nonsense"), undefined);
  assert.equal(partyOf(undefined), undefined);
  assert.equal(aorOf("tel:+1555;phone-context=x"), "tel:+1555");
  assert.equal(numberOf("sip:+1-555-(0)1@example.com;user=phone"), "+155501");
  assert.equal(numberOf("sip:alice@example.com"), undefined);
  assert.equal(userOf("sip:+1555;ext=7@example.com"), "+1555");
  assert.equal(voiceAddressOf("sip:alice@example.com"), "sip:alice@example.com");
  assert.equal(voiceAddressOf("sip:1001@example.com"), "1001");
  assert.equal(readNumber(" +1 (555) 0-1 "), "+155501");
  assert.equal(readNumber("1-800-FLOWERS"), undefined);
});

const request = (uri: string, headers: readonly (readonly [string, string])[] = []): SipRequest => ({
  kind: "request",
  method: "INVITE",
  uri,
  headers: new SipHeaders(headers),
  body: new Uint8Array(0),
});

test("dialled names: Request-URI before To, with and without the plus, each once", () => {
  assert.deepEqual(dialledNames(request("sip:1555@h", [["To", "<sip:+1555@h>"]])), ["1555", "+1555"]);
  assert.deepEqual(dialledNames(request("sip:bob@h", [["To", "<tel:+49-30>"]])), [
    "bob",
    "+49-30",
    "+4930",
    "4930",
  ]);
  assert.deepEqual(dialledNames(request("sip:h")), []);
});

test("webhook parameters of a call that came by SIP: X- headers only, bounded in number and length", () => {
  const many = Array.from({ length: 200 }, (_, i) => [`X-H${i}`, "v".repeat(5000)] as const);
  const parameters = sipParameters(
    request("sip:1001@voice.example.com", [
      ["Call-ID", "1@h"],
      ["Authorization", "Digest secret"],
      ["Diversion", "<sip:+1999@h>;reason=unconditional"],
      ...many,
    ]),
    "10.0.0.1",
  );
  assert.equal(parameters.length, 64);
  assert.ok(parameters.every(([, value]) => value.length <= 1024));
  const found = new Map(parameters);
  assert.equal(found.get("SipDomain"), "voice.example.com");
  assert.equal(found.get("SipSourceIp"), "10.0.0.1");
  assert.equal(found.get("ForwardedFrom"), "sip:+1999@h");
  assert.equal(found.get("SipHeader_X-H0")?.[0], "v");
  assert.ok(![...found.keys()].some((name) => /authorization/i.test(name)));
});

const record: CallRecord = {
  sid: "CA1",
  accountSid: "AC1",
  parentCallSid: "CA0",
  from: "+1",
  to: "+2",
  callerName: "Alice",
  direction: "outbound-dial",
  status: "in-progress",
  phoneNumberSid: null,
  trunkSid: null,
  sipCallId: "1@h",
  sipStatus: null,
  dateCreated: 0,
  dateUpdated: 0,
  startTime: null,
  endTime: null,
};

test("Twilio's voice parameters", () => {
  assert.deepEqual(Object.fromEntries(voiceParameters(record, [])), {
    CallSid: "CA1",
    AccountSid: "AC1",
    From: "+1",
    To: "+2",
    CallStatus: "in-progress",
    ApiVersion: "2010-04-01",
    Direction: "outbound-dial",
    Caller: "+1",
    Called: "+2",
    CallerName: "Alice",
    ParentCallSid: "CA0",
  });
});

test("durations and dates", () => {
  assert.equal(durationSeconds(record), 0);
  assert.equal(durationSeconds({ ...record, startTime: 1000, endTime: 2001 }), 2);
  assert.equal(rfc2822(Date.UTC(2015, 6, 30, 20)), "Thu, 30 Jul 2015 20:00:00 +0000");
});

const trunk: TrunkRecord = {
  sid: "TK1",
  accountSid: "AC1",
  uniqueName: "pbx",
  sipUri: "sip:carrier.example.com:5070;transport=tcp",
  allowedAddresses: [],
  allowedCertificateNames: [],
  username: "u",
  password: "p",
  ...NO_PEER_CERTIFICATE,
  dateCreated: 0,
  dateUpdated: 0,
};

test("a number goes through the trunk's URI, with its port, transport and credentials", () => {
  const route = routeTo({ kind: "number", address: "+1 (555) 0" }, trunk);
  assert.ok(route.ok);
  assert.deepEqual(route.value.invite, {
    requestUri: "sip:+15550@carrier.example.com:5070;transport=tcp",
    to: "<sip:+15550@carrier.example.com>",
    credentials: { username: "u", password: "p" },
  });
  assert.equal(route.value.trunkSid, "TK1");
  const none = routeTo({ kind: "number", address: "+1555" }, { ...trunk, sipUri: null });
  assert.equal(none.ok || none.error.code, "CALL_NO_TRUNK");
});

test("URI headers become header fields by name, never with a line break, never beyond 1024 characters", () => {
  const route = routeTo(
    {
      kind: "sip",
      address: `sip:bob@h;edge=x?X-A=1%20b&Via=evil&X-B=a%0D%0AVia:%20evil&User-to-User=44&X-Long=${"x".repeat(1000)}`,
    },
    undefined,
  );
  assert.ok(route.ok);
  assert.equal(route.value.invite.requestUri, "sip:bob@h");
  assert.deepEqual(route.value.invite.headers, [
    ["X-A", "1 b"],
    ["User-to-User", "44"],
  ]);
  assert.equal(route.value.warnings.length, 3);
});

test("what a dialled URI says never breaks out of its header line", () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true }), fc.string(), (url, text) => {
      const route = routeTo({ kind: "sip", address: `sip:${text}@${url.slice(8)}` }, undefined);
      if (!route.ok) return;
      const { requestUri, to, headers = [] } = route.value.invite;
      for (const line of [requestUri, to, ...headers.flat()]) assert.doesNotMatch(line, /[\r\n\0]/);
    }),
  );
});

test("From: a number or a name at our host, a URI as it is", () => {
  assert.equal(fromOf("+1 555", null, "h").aor, "sip:+1555@h");
  assert.equal(fromOf("sales desk", "Sales", "h").aor, "sip:sales%20desk@h");
  assert.equal(fromOf("sip:a@b;x=y", null, "h").aor, "sip:a@b");
  assert.equal(fromOf("", null, "h").aor, "sip:anonymous@h");
});

test("the ringing tones: cadence and level as documented", () => {
  for (const [kind, on, total] of [
    ["us", 16_000, 48_000],
    ["eu", 8_000, 40_000],
  ] as const) {
    const tone = ringbackTone(kind);
    assert.equal(tone.length, total);
    assert.ok(tone.subarray(on).every((sample) => sample === 0));
    const power = tone.subarray(0, on).reduce((sum, sample) => sum + sample * sample, 0) / on;
    // 0 dBm0 is a sine of 3.14 dB below full scale (ITU-T G.711).
    const level = 10 * Math.log10(power / (32_768 ** 2 / 2)) + 3.14;
    assert.ok(level < -15 && level > -20, `${kind}: ${level} dBm0`);
  }
});

test("a trunk's certificate and authorities go with its calls; a certificate without its key does not", () => {
  const tlsFor = (change: Partial<TrunkRecord>) => {
    const route = routeTo({ kind: "number", address: "+15550" }, { ...trunk, ...change });
    assert.ok(route.ok);
    return route.value.invite.tls;
  };
  assert.equal(tlsFor({}), undefined);
  assert.equal(tlsFor({ certificate: "C" }), undefined);
  assert.deepEqual(tlsFor({ certificateAuthority: "A" }), { ca: "A" });
  assert.deepEqual(tlsFor({ certificate: "C", privateKey: "K" }), { certificate: "C", key: "K" });
});
