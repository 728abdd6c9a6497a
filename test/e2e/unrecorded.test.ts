import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePcmu, encodePcmu } from "@callfork/protocol/audio";
import { fallingTones } from "../../packages/server/src/recording-client/falling-tones.ts";
import { converse } from "../interop/support/conversation.ts";
import { Customer } from "../interop/support/customer.ts";
import { Owned } from "../interop/support/owned.ts";
import { freePort } from "../interop/support/ports.ts";
import { TestServer } from "../interop/support/server.ts";
import { until } from "../interop/support/waiting.ts";

/** As somebody hears them over G.711. */
function tonesOnTheLine(): Int16Array {
  const tones = fallingTones();
  const codes = new Uint8Array(tones.length);
  encodePcmu(tones, codes);
  decodePcmu(codes, tones);
  return tones;
}

/** Whether a second of the tones is in what was heard, sample by sample. */
function holds(heard: Int16Array, tones: Int16Array): boolean {
  const needle = Buffer.from(tones.buffer, 0, 6_400 * 2);
  const hay = Buffer.from(heard.buffer, heard.byteOffset, heard.byteLength);
  for (let at = hay.indexOf(needle); at >= 0; at = hay.indexOf(needle, at + 1)) if (at % 2 === 0) return true;
  return false;
}

test("a call that has to be recorded and is not: everybody in it hears the tones and talks on, or it is ended, as REST set the connector", async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const server = await TestServer.start(own);
  const customer = await Customer.open(own);
  const SipUri = `sip:srs@127.0.0.1:${await freePort()};transport=tcp`;
  const mandatory = { SipUri, Policy: "mandatory" };
  const announcing = { ...mandatory, UniqueName: "announcing", OnUnrecorded: "announce" };
  await server.post("/v1/Connectors", announcing);
  await server.post("/v1/Connectors", { ...mandatory, UniqueName: "ending", OnUnrecorded: "end-call" });
  await server.post("/v1/Connectors", { SipUri, UniqueName: "beside", Parallel: "ending" });
  const shown = await server.get<Record<string, unknown>>("/v1/Connectors/announcing");
  assert.deepEqual([shown.policy, shown.on_unrecorded, shown.parallel], ["mandatory", "announce", []]);

  const tones = tonesOnTheLine();
  const first = await converse(own, server);
  const { siprec } = server.twilio().calls(first.callSid);
  await siprec.create({ connectorName: "announcing", statusCallback: customer.url("/announcing") });
  await customer.called("/announcing", { SiprecEvent: "siprec-error" });
  for (const phone of [first.alice, first.bob]) {
    await until("the tones", () => holds(phone.heard().samples, tones));
    const { packets } = phone.heard();
    await until("the other's voice again", () => phone.heard().packets > packets + 25);
  }
  assert.equal((await server.twilio().calls(first.callSid).fetch()).status, "in-progress");

  const second = await converse(own, server);
  await server.twilio().calls(second.callSid).siprec.create({ connectorName: "beside" });
  assert.equal(await second.alice.ended, "remote");
  assert.equal(await second.bob.ended, "remote");
  interface Shown {
    readonly siprec: readonly { readonly connector_name: string; readonly policy: string }[];
  }
  const path = `/2010-04-01/Accounts/${server.accountSid}/Calls/${second.callSid}/Siprec.json`;
  const list = (await server.get<Shown>(path)).siprec;
  assert.deepEqual(list.map((one) => [one.connector_name, one.policy]).sort(), [
    ["beside", "optional"],
    ["ending", "mandatory"],
  ]);
  interface Alerts {
    readonly alerts: readonly { readonly error_code: string | number }[];
  }
  const { alerts } = await server.get<Alerts>("/v1/Alerts");
  assert.equal(alerts.filter(({ error_code }) => String(error_code) === "98010").length, 2);
});
