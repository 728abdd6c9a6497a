import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { CallRefusedError, loadVoice, type PhoneCall, TestPhone } from "@callfork/testkit";
import { Customer, type Reply } from "./support/customer.ts";
import { Owned } from "./support/owned.ts";
import { freePort } from "./support/ports.ts";
import { TestServer } from "./support/server.ts";
import { until, within } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;
let customer: Customer;

interface AlertJson {
  readonly error_code: string;
  readonly log_level: string;
  readonly call_sid: string | null;
  readonly request_url: string | null;
  readonly response_status: number | null;
}

async function phone(t: TestContext, user: "alice" | "bob"): Promise<TestPhone> {
  const opened = await TestPhone.open({ user, voice: loadVoice(user) });
  t.after(() => opened.close());
  return opened;
}

/** Alice calls a number of a server. */
async function callNumber(t: TestContext, number: string, at = server): Promise<PhoneCall> {
  const alice = await phone(t, "alice");
  return await alice.call(`sip:${number}@127.0.0.1:${at.sipPort}`, { timeoutMs: 25_000 });
}

async function refusedStatus(call: Promise<PhoneCall>): Promise<number> {
  const error: unknown = await call.then(
    () => assert.fail("the call was answered"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CallRefusedError, String(error));
  return error.status;
}

/** The alert about a URL, once it is there. */
async function alertAbout(url: string, code: string, at = server): Promise<AlertJson> {
  return await until(`alert ${code} about ${url}`, async () => {
    const { alerts } = await at.get<{ alerts: AlertJson[] }>("/v1/Alerts?PageSize=1000");
    return alerts.find(({ error_code, request_url }) => error_code === code && request_url === url);
  });
}

const dial = (uri: string): string =>
  `<Response><Dial answerOnBridge="true"><Sip>${uri}</Sip></Dial></Response>`;

describe("documents from a customer's web server", { concurrency: 4 }, () => {
  before(async () => {
    server = await TestServer.start(owned);
    customer = await Customer.open(owned);
  });
  after(() => owned.release());

  it("a call asks the voice URL, signed and with Twilio's parameters, and does what the document says", async (t) => {
    const bob = await phone(t, "bob");
    const path = "/connects?kept=yes&again=1";
    const answered = bob.nextCall();
    customer.twiml("/connects", dial(bob.uri));
    await server.number("connects", { url: customer.url(path) });
    const call = await callNumber(t, "connects");
    await within("Bob answering", answered);
    const { method, parameters, signed, headers, path: asked } = await customer.called("/connects");
    assert.equal(asked, path);
    assert.equal(method, "POST");
    assert.equal(signed, true);
    assert.match(parameters.CallSid ?? "", /^CA[0-9a-f]{32}$/);
    assert.equal(parameters.AccountSid, server.accountSid);
    assert.equal(parameters.CallStatus, "ringing");
    assert.equal(parameters.Direction, "inbound");
    assert.equal(parameters.ApiVersion, "2010-04-01");
    assert.match(parameters.From ?? "", /alice/);
    assert.match(parameters.To ?? "", /connects/);
    assert.equal(parameters.SipCallId, call.callId);
    assert.equal(headers["content-type"]?.split(";")[0], "application/x-www-form-urlencoded");
    await call.hangUp();
  });

  it("Dial's action and a Redirect lead on to relative URLs", async (t) => {
    const bob = await TestPhone.open({ user: "bob", voice: loadVoice("bob"), whenCalled: { refuse: 486 } });
    t.after(() => bob.close());
    const busy = `<Dial action="next/after-dial" answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial>`;
    customer.twiml("/way/start", `<Response>${busy}</Response>`);
    customer.twiml("/way/next/after-dial", "<Response><Redirect>/way/end</Redirect></Response>");
    customer.twiml("/way/end", '<Response><Reject reason="busy"/></Response>');
    await server.number("way", { url: customer.url("/way/start") });
    assert.equal(await refusedStatus(callNumber(t, "way")), 486);
    const { parameters, signed } = await customer.called("/way/next/after-dial");
    assert.equal(parameters.DialCallStatus, "busy");
    assert.equal(signed, true);
    await customer.called("/way/end");
  });

  const useless: readonly {
    readonly what: string;
    readonly code: string;
    readonly status?: number;
    readonly reply: Reply;
  }[] = [
    {
      what: "is not XML",
      code: "12100",
      reply: { contentType: "text/xml", body: "<Response><Dial></Response>" },
    },
    { what: "has another root", code: "12102", reply: { contentType: "text/xml", body: "<html/>" } },
    {
      what: "is too large",
      code: "11750",
      reply: { contentType: "text/xml", body: `<Response><!--${"x".repeat(70_000)}--></Response>` },
    },
    { what: "has the wrong type", code: "12300", reply: { contentType: "application/json", body: "{}" } },
    { what: "is empty", code: "11770", reply: { contentType: "text/xml", body: "" } },
    {
      what: "is an error",
      code: "11200",
      status: 500,
      reply: { status: 500, contentType: "text/xml", body: "<Response/>" },
    },
    {
      what: "declares entities",
      code: "12100",
      reply: { contentType: "text/xml", body: '<!DOCTYPE r [<!ENTITY a "b">]><Response>&a;</Response>' },
    },
  ];
  for (const { what, code, status, reply } of useless) {
    it(`an answer that ${what} is alert ${code}, and the fallback URL is asked`, async (t) => {
      const bob = await phone(t, "bob");
      const answered = bob.nextCall();
      const url = customer.answer(`/useless/${what.replaceAll(" ", "-")}`, reply);
      const fallbackUrl = customer.twiml(`/fallback/${what.replaceAll(" ", "-")}`, dial(bob.uri));
      const number = `useless-${what.replaceAll(" ", "-")}`;
      await server.number(number, { url, fallbackUrl });
      const call = await callNumber(t, number);
      await within("Bob answering", answered);
      const { parameters, signed } = await customer.called(new URL(fallbackUrl).pathname);
      assert.equal(parameters.ErrorCode, code);
      assert.equal(parameters.ErrorUrl, url);
      assert.equal(signed, true);
      const alert = await alertAbout(url, code);
      assert.equal(alert.log_level, "error");
      assert.equal(alert.call_sid, parameters.CallSid);
      assert.equal(alert.response_status, status ?? 200);
      await call.hangUp();
    });
  }

  it("without a fallback the call is refused, not dropped", async (t) => {
    const url = customer.answer("/nothing", { contentType: "text/xml", body: "no document" });
    await server.number("nothing", { url });
    assert.equal(await refusedStatus(callNumber(t, "nothing")), 503);
    await alertAbout(url, "12100");
  });

  it("a voice URL that never answers is given up after its own limit, and the fallback URL asked", async (t) => {
    const bob = await phone(t, "bob");
    const answered = bob.nextCall();
    const url = customer.answer("/never", "never");
    await server.number("never", {
      url: `${url}#tt=800`,
      fallbackUrl: customer.twiml("/after-never", dial(bob.uri)),
    });
    const call = await callNumber(t, "never");
    await within("Bob answering", answered);
    assert.equal((await customer.called("/after-never")).parameters.ErrorCode, "11205");
    await call.hangUp();
  });

  it("a voice URL where nobody listens is 11205, and the fallback URL is asked", async (t) => {
    const bob = await phone(t, "bob");
    const answered = bob.nextCall();
    const url = `http://127.0.0.1:${await freePort()}/`;
    await server.number("absent", { url, fallbackUrl: customer.twiml("/after-absent", dial(bob.uri)) });
    const call = await callNumber(t, "absent");
    await within("Bob answering", answered);
    assert.equal((await customer.called("/after-absent")).parameters.ErrorCode, "11205");
    await alertAbout(url, "11205");
    await call.hangUp();
  });

  it("an address that is not public is never asked unless the configuration allows it", async (t) => {
    const own = new Owned();
    t.after(() => own.release());
    const guarded = await TestServer.start(own, { flags: ["--webhooks-allowed-addresses", "192.0.2.0/24"] });
    const url = customer.twiml("/private", "<Response><Hangup/></Response>");
    await guarded.number("private", { url });
    assert.equal(await refusedStatus(callNumber(t, "private", guarded)), 503);
    await alertAbout(url, "11210", guarded);
    assert.deepEqual(customer.at("/private"), []);
  });
});
