import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BODY, SipHeaders } from "@callfork/protocol/sip";
import type { Config } from "../config/index.ts";
import type { RecordingServer } from "../recording-server/index.ts";
import type { IncomingInvite } from "../signalling/index.ts";
import { answerOptions, routeInvite } from "./route.ts";

type Role = Config["roles"][number];

/** Where an INVITE ends up: a room, or what it is told. */
function destination(
  uri: string,
  require: string | undefined,
  roles: readonly Role[],
  admitted = true,
): string {
  let end = "nowhere";
  const headers = new SipHeaders(require === undefined ? [] : [["Require", require]]);
  const invite = {
    request: { kind: "request", method: "INVITE", uri, headers, body: NO_BODY },
    reject: (status: number, options?: { headers?: readonly (readonly [string, string])[] }) => {
      end = [status, ...(options?.headers ?? []).map((line) => line.join(": "))].join(" ");
    },
  } as unknown as IncomingInvite;
  const config = { roles, recorder: { user: "recorder" } } as Pick<Config, "roles" | "recorder">;
  routeInvite(
    {
      config,
      client: { isRecorderInvite: () => require === "recorder", accept: () => (end = "client") },
      calls: { accept: () => (end = "calls") },
      recorder: { isRecordingInvite: () => require === "siprec", accept: () => (end = "recorder") },
      entrance: { admitsRecording: () => admitted },
    },
    invite,
  );
  return end;
}

test("calls and recording sessions part at the door", () => {
  const all: Role[] = ["calls", "recorder", "api"];
  assert.equal(destination("sip:100@192.0.2.1", undefined, all), "calls");
  assert.equal(destination("sip:recorder@192.0.2.1", undefined, all), "recorder");
  assert.equal(destination("sip:anybody@192.0.2.1", "siprec", all), "recorder");
  assert.equal(destination("sip:recorder@192.0.2.1", "siprec", all, false), "nowhere");
  assert.equal(destination("sip:CA1@192.0.2.1", "recorder", all), "client");
});

test("[R7866-6.1.1-5] a node that does not record refuses what requires siprec with 420", () => {
  assert.equal(destination("sip:recorder@192.0.2.1", "siprec", ["calls"]), "420 Unsupported: siprec");
  assert.equal(destination("sip:recorder@192.0.2.1", undefined, ["calls"]), "404");
  assert.equal(destination("sip:100@192.0.2.1", undefined, ["recorder"]), "404");
});

test("[V-31] [R3261-11.2-3] OPTIONS to the recorder tells its real capacity, to anybody else that of calls", () => {
  const answer = (
    uri: string,
    refusal: RecordingServer["refusal"],
    roles: Role[] = ["calls", "recorder"],
  ) => {
    const config = { roles, recorder: { user: "recorder" } } as unknown as Config;
    const entrance = { answerOptions: () => ({ status: 599 }) };
    return answerOptions({ config, recorder: { refusal }, entrance }, uri);
  };
  assert.equal(answer("sip:recorder@192.0.2.1", undefined), undefined);
  const full = { status: 503, message: "full", retryAfterSeconds: 10 };
  assert.deepEqual(answer("sip:recorder@192.0.2.1", full), { status: 503, headers: [["Retry-After", "10"]] });
  assert.deepEqual(answer("sip:192.0.2.1", full), { status: 599 });
  assert.deepEqual(answer("sip:recorder@192.0.2.1", undefined, ["calls"]), { status: 404 });
});
