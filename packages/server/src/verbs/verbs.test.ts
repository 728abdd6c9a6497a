import assert from "node:assert/strict";
import { test } from "node:test";
import { writeWavHeader } from "@callfork/protocol/audio";
import type {
  CallControl,
  CallRecord,
  DialOptions,
  DialResult,
  DocumentSource,
  SiprecStart,
} from "../calls/index.ts";
import { type Alert, type Log, PlatformError } from "../observe/index.ts";
import { createDirector } from "./create-director.ts";
import type { DocumentLimits } from "./options.ts";
import type { FetchedDocument } from "./ports.ts";

const LOG: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => LOG };
const PAGE = "http://app.example.com/voice/start";
const xml = (twiml: string) => `<?xml version="1.0" encoding="UTF-8"?><Response>${twiml}</Response>`;
const octets = (text: string) => new TextEncoder().encode(text);

class ForkError extends PlatformError {
  readonly code = "FORK";
  readonly fault = "caller";
  override readonly publicCode: number;

  constructor(publicCode: number, message: string) {
    super(message);
    this.publicCode = publicCode;
  }
}

class FetchError extends ForkError {}

type Answer = Partial<FetchedDocument> | PlatformError | string;

/** One call without a network: what was done to it is a list of words. */
class Desk {
  readonly did: string[] = [];
  readonly alerts: Alert[] = [];
  readonly pages = new Map<string, Answer>();
  readonly asked: { readonly url: string; readonly method: string; readonly parameters: URLSearchParams }[] =
    [];
  readonly forks: SiprecStart[] = [];
  readonly dialled: DialOptions[] = [];
  readonly played: Int16Array[] = [];
  forkError: PlatformError | undefined;
  refuse: ((options: SiprecStart) => PlatformError | undefined) | undefined;
  dialResult: DialResult = {
    dialCallSid: "CA2",
    dialCallStatus: "completed",
    durationSeconds: 7,
    bridged: true,
  };
  now = 0;
  readonly #controller = new AbortController();
  readonly #limits: Partial<DocumentLimits>;

  constructor(limits: Partial<DocumentLimits> = {}) {
    this.#limits = limits;
  }

  /** Directs the call and waits until it was hung up, rejected, or aborted. */
  async run(source: DocumentSource | string): Promise<this> {
    await new Promise<void>((resolve) => {
      createDirector({
        fetcher: { fetch: (request) => this.#fetch(request) },
        forks: () => ({
          start: async (_callSid, options) => {
            this.did.push(`start ${options.name ?? "-"}`);
            if (this.forkError) throw this.forkError;
            const refusal = this.refuse?.(options);
            if (refusal) throw refusal;
            this.forks.push(options);
            return undefined as never;
          },
          stop: async (_callSid, name) => {
            this.did.push(`stop ${name}`);
            if (this.forkError) throw this.forkError;
            return undefined as never;
          },
          pause: async (_callSid, name) => {
            this.did.push(`pause fork ${name}`);
            if (this.forkError) throw this.forkError;
            return undefined as never;
          },
          resume: async (_callSid, name) => {
            this.did.push(`resume fork ${name}`);
            if (this.forkError) throw this.forkError;
            return undefined as never;
          },
          inspect: async () => undefined,
        }),
        clock: { now: () => this.now },
        log: LOG,
        alerts: { raise: (alert) => void this.alerts.push(alert) },
        limits: this.#limits,
      }).direct(
        this.#call(resolve),
        typeof source === "string" ? { kind: "inline", twiml: xml(source) } : source,
      );
    });
    return this;
  }

  get codes(): string[] {
    return this.alerts.map(({ errorCode, level }) => `${errorCode} ${level}`);
  }

  #call(over: () => void): CallControl {
    const done = (word: string) => {
      this.did.push(word);
      over();
      return Promise.resolve();
    };
    return {
      sid: "CA1",
      accountSid: "AC1",
      record: () => ({ sipCallId: "1@test" }) as CallRecord,
      requestParameters: () => [["CallSid", "CA1"]],
      ended: false,
      signal: this.#controller.signal,
      answer: async () => void this.did.push("answer"),
      dial: async (options) => {
        this.dialled.push(options);
        this.did.push(`dial ${options.targets.map(({ address }) => address).join(",")}`);
        return this.dialResult;
      },
      play: async (samples, loop) => {
        this.played.push(samples);
        this.did.push(`play ${samples.length} ${loop}`);
      },
      pause: async (seconds) => {
        this.now += seconds * 1000;
        this.did.push(`pause ${seconds}`);
      },
      reject: (reason) => done(`reject ${reason}`),
      hangup: ({ sipStatus } = {}) => done(sipStatus === undefined ? "hangup" : `hangup ${sipStatus}`),
      redirect: () => undefined,
    };
  }

  async #fetch(request: {
    readonly url: string;
    readonly method: string;
    readonly parameters: readonly (readonly [string, string])[];
  }): Promise<FetchedDocument> {
    const parameters = new URLSearchParams(
      request.parameters.map(([name, value]): [string, string] => [name, value]),
    );
    this.asked.push({ url: request.url, method: request.method, parameters });
    const page = this.pages.get(request.url) ?? { status: 404 };
    if (page instanceof PlatformError) throw page;
    const answer = typeof page === "string" ? { body: octets(xml(page)) } : page;
    return {
      status: 200,
      contentType: "text/xml",
      body: octets(""),
      truncated: false,
      url: request.url,
      ...answer,
    };
  }
}

const at = (url: string, fallbackUrl: string | null = null): DocumentSource => ({
  kind: "url",
  url,
  method: "POST",
  fallbackUrl,
  fallbackMethod: "GET",
});

test("verbs follow one another, and the end of the document is the end of the call", async () => {
  const desk = await new Desk().run(
    '<Start><Siprec name="a" connectorName="rec"/></Start><Pause length="2"/>',
  );
  assert.deepEqual(desk.did, ["start a", "pause 2", "hangup"]);
  assert.deepEqual(desk.forks, [
    {
      name: "a",
      connectorName: "rec",
      track: "both_tracks",
      statusCallback: null,
      statusCallbackMethod: "POST",
      parameters: [],
      origin: "twiml",
    },
  ]);
  assert.deepEqual(desk.alerts, []);
});

test("status pauses and resumes a fork by its name, and the document goes on", async () => {
  const desk = await new Desk().run(
    '<Stop><Siprec name="a" status="paused"/></Stop><Pause/><Start><Siprec name="a" status="in-progress"/></Start>',
  );
  assert.deepEqual(desk.did, ["pause fork a", "pause 1", "resume fork a", "hangup"]);
  assert.deepEqual(desk.alerts, []);
});

test("Hangup and Reject end the document", async () => {
  assert.deepEqual((await new Desk().run("<Hangup/><Pause/>")).did, ["hangup"]);
  assert.deepEqual((await new Desk().run('<Reject reason="busy"/><Pause/>')).did, ["reject busy"]);
  assert.deepEqual((await new Desk().run("<Reject/>")).did, ["reject rejected"]);
});

test("the voice URL is asked with the call's parameters; Redirect goes on from where it was found", async () => {
  const desk = new Desk();
  desk.pages.set(PAGE, '<Pause length="1"/><Redirect method="GET">next?x=1</Redirect><Pause length="9"/>');
  desk.pages.set("http://app.example.com/voice/next?x=1", '<Pause length="3"/>');
  await desk.run(at(PAGE));
  assert.deepEqual(desk.did, ["pause 1", "pause 3", "hangup"]);
  assert.deepEqual(
    desk.asked.map(({ url, method, parameters }) => `${method} ${url} ${parameters}`),
    [`POST ${PAGE} CallSid=CA1`, "GET http://app.example.com/voice/next?x=1 CallSid=CA1"],
  );
});

test("after redirects of HTTP, relative URLs resolve against the place that answered", async () => {
  const desk = new Desk();
  desk.pages.set(PAGE, { body: octets(xml("<Redirect>b</Redirect>")), url: "https://other.example.com/x/a" });
  desk.pages.set("https://other.example.com/x/b", "<Hangup/>");
  await desk.run(at(PAGE));
  assert.equal(desk.asked[1]?.url, "https://other.example.com/x/b");
});

test("Dial: targets, options, and the action with its parameters", async () => {
  const desk = new Desk();
  desk.pages.set(
    PAGE,
    '<Dial action="after" timeout="12" timeLimit="99" callerId="+1777" answerOnBridge="true">' +
      '<Number statusCallback="cb" statusCallbackEvent="ringing answered">+15551</Number>' +
      '<Sip username="u" password="p">sip:bob@example.com?X-a=1</Sip></Dial><Pause/>',
  );
  desk.pages.set("http://app.example.com/voice/after", "<Hangup/>");
  await desk.run(at(PAGE));
  assert.deepEqual(desk.dialled, [
    {
      targets: [
        {
          kind: "number",
          address: "+15551",
          statusCallback: "http://app.example.com/voice/cb",
          statusCallbackMethod: "POST",
          statusCallbackEvents: ["ringing", "answered"],
        },
        {
          kind: "sip",
          address: "sip:bob@example.com?X-a=1",
          username: "u",
          password: "p",
          statusCallback: undefined,
          statusCallbackMethod: "POST",
          statusCallbackEvents: [],
        },
      ],
      callerId: "+1777",
      timeoutSeconds: 12,
      answerOnBridge: true,
      timeLimitSeconds: 99,
    },
  ]);
  assert.equal(
    String(desk.asked[1]?.parameters),
    "CallSid=CA1&DialCallStatus=completed&DialBridged=true&DialCallSid=CA2&DialCallDuration=7",
  );
  assert.deepEqual(desk.did.slice(1), ["hangup"]);
});

test("Dial: without an action the next verb follows; ignored attributes are told once", async () => {
  const desk = await new Desk().run(
    '<Dial record="record-from-answer" hangupOnStar="true">+15551</Dial><Pause length="1"/>',
  );
  assert.deepEqual(desk.did, ["dial +15551", "pause 1", "hangup"]);
  assert.deepEqual(desk.codes, ["12200 warning"]);
  assert.match(desk.alerts[0]!.text, /record, hangupOnStar/);
});

test("Dial sequential: one target after the other until one is bridged", async () => {
  const desk = new Desk();
  desk.dialResult = { dialCallSid: null, dialCallStatus: "busy", durationSeconds: 0, bridged: false };
  await desk.run('<Dial sequential="true"><Number>+1</Number><Number>+2</Number></Dial>');
  assert.deepEqual(desk.did, ["dial +1", "dial +2", "hangup"]);
});

test("a fork that cannot begin is an alert, and the call goes on", async () => {
  const desk = new Desk();
  desk.forkError = new ForkError(31940, "no connector is called rec");
  await desk.run(
    '<Start><Siprec connectorName="rec"/></Start><Stop><Siprec name="x"/></Stop><Pause length="1"/>',
  );
  assert.deepEqual(desk.did, ["start -", "stop x", "pause 1", "hangup"]);
  assert.deepEqual(desk.codes, ["31940 error", "31940 warning"]);
  assert.equal(desk.alerts[0]!.callSid, "CA1");
});

test("a bad track, or no connector: one alert with its own code, and a refused fork that tells its callback", async () => {
  for (const [attributes, code] of [
    ['connectorName="rec" track="sideways"', 31941],
    ['name="mine"', 31940],
  ] as const) {
    const desk = new Desk();
    const asked: SiprecStart[] = [];
    desk.refuse = (options) => {
      asked.push(options);
      return new ForkError(code, "refused");
    };
    await desk.run(
      `<Start><Siprec ${attributes} statusCallback="http://a.example/s"/></Start><Pause length="1"/>`,
    );
    assert.equal(desk.did.at(-2), "pause 1");
    assert.deepEqual(desk.codes, [`${code} error`]);
    const [start] = asked;
    assert.equal(start?.statusCallback, "http://a.example/s");
    assert.equal(start?.origin, "twiml");
    if (code === 31941)
      assert.ok(!["inbound_track", "outbound_track", "both_tracks"].includes(String(start?.track)));
    else assert.equal(start?.connectorName, null);
  }
});

test("what the platform cannot do is a warning with its place, and the rest is done", async () => {
  const desk = await new Desk().run("<Say>hello</Say><Gather/><Play digits='1'/><Pause length='1'/>");
  assert.deepEqual(desk.did, ["pause 1", "hangup"]);
  assert.deepEqual(desk.codes, ["12200 warning", "12200 warning", "12200 warning"]);
});

test("documents that cannot be had: the code, what was asked and answered, the fallback, a polite end", async () => {
  const big = octets(xml(`<!--${"x".repeat(70_000)}-->`));
  const failures: [Answer, number][] = [
    [{ status: 500, body: octets("oops") }, 11200],
    [new FetchError(11205, "connection refused"), 11205],
    [{ contentType: "application/json", body: octets("{}") }, 12300],
    [{ contentType: "", body: octets(xml("")) }, 12300],
    [{ body: big }, 11750],
    [{ truncated: true, body: octets("<") }, 11750],
    [{ body: octets("") }, 11770],
    [{ body: octets("this is not XML") }, 12100],
    [{ body: octets('<?xml version="1.0"?><Nothing/>') }, 12102],
  ];
  for (const [answer, code] of failures) {
    const desk = new Desk();
    desk.pages.set(PAGE, answer);
    await desk.run(at(PAGE));
    assert.deepEqual(desk.did, ["hangup 503"], String(code));
    assert.deepEqual(desk.codes, [`${code} error`]);
    assert.equal(desk.alerts[0]!.requestUrl, PAGE);
    assert.equal(desk.alerts[0]!.requestMethod, "POST");
    assert.equal(desk.alerts[0]!.requestVariables, "CallSid=CA1");

    const saved = new Desk();
    saved.pages.set(PAGE, answer);
    saved.pages.set("http://backup.example.com/", '<Pause length="1"/>');
    await saved.run(at(PAGE, "http://backup.example.com/"));
    assert.deepEqual(saved.did, ["pause 1", "hangup"], String(code));
    assert.deepEqual(saved.codes, [`${code} error`]);
    assert.equal(
      `${saved.asked[1]?.method} ${saved.asked[1]?.parameters}`,
      `GET CallSid=CA1&ErrorCode=${code}&ErrorUrl=${encodeURIComponent(PAGE)}`,
    );
  }
});

test("an alert shows at most 4 KiB of the answer, and no password of a URL", async () => {
  const desk = new Desk();
  const url = "http://user:secret@app.example.com/";
  desk.pages.set(url, { status: 500, body: octets("y".repeat(10_000)) });
  await desk.run(at(url));
  assert.equal(desk.alerts[0]!.responseBody?.length, 4096);
  assert.equal(desk.alerts[0]!.responseStatus, 500);
  assert.equal(desk.alerts[0]!.requestUrl, "http://app.example.com/");
});

test("when the fallback fails too, both are told and the call ends", async () => {
  const desk = new Desk();
  await desk.run(at(PAGE, "http://backup.example.com/"));
  assert.deepEqual(desk.codes, ["11200 error", "11200 error"]);
  assert.deepEqual(desk.did, ["hangup 503"]);
});

test("204 is an empty document; an inline document that is no XML ends the call", async () => {
  const desk = new Desk();
  desk.pages.set(PAGE, { status: 204, contentType: "" });
  await desk.run(at(PAGE));
  assert.deepEqual([desk.did, desk.codes], [["hangup"], []]);
  const inline = await new Desk().run({ kind: "inline", twiml: "<Response>" });
  assert.deepEqual([inline.did, inline.codes], [["hangup 503"], ["12100 error"]]);
});

test("documents that lead in a circle without taking time are cut off", async () => {
  const desk = new Desk({ documentsWithoutPause: 5 });
  desk.pages.set(PAGE, "<Redirect>start</Redirect>");
  await desk.run(at(PAGE));
  assert.equal(desk.asked.length, 5);
  assert.deepEqual(desk.did, ["hangup 503"]);
  assert.deepEqual(desk.codes, ["11215 error"]);

  const polling = new Desk({ documentsWithoutPause: 3 });
  let rounds = 0;
  polling.pages.set(PAGE, { body: octets(xml('<Pause length="2"/><Redirect>start</Redirect>')) });
  const get = polling.pages.get.bind(polling.pages);
  polling.pages.get = (url) => (++rounds > 10 ? "<Hangup/>" : get(url));
  await polling.run(at(PAGE));
  assert.equal(polling.did.length, 11);
});

const wav = (samples: readonly number[], sampleRateHz = 8000): Uint8Array => {
  const data = Int16Array.from(samples);
  const header = writeWavHeader({
    channels: 1,
    sampleRateHz,
    bitsPerSample: 16,
    format: "pcm",
    dataBytes: data.byteLength,
  });
  return Uint8Array.of(...header, ...new Uint8Array(data.buffer));
};

test("Play: WAV by relative URL, looped, fetched once; 16 kHz becomes 8 kHz", async () => {
  const desk = new Desk();
  const tone = Array.from({ length: 160 }, (_, i) => i);
  desk.pages.set(PAGE, '<Play loop="3">tone.wav</Play><Play>tone.wav</Play><Play>wide.wav</Play>');
  desk.pages.set("http://app.example.com/voice/tone.wav", { contentType: "audio/wav", body: wav(tone) });
  desk.pages.set("http://app.example.com/voice/wide.wav", {
    contentType: "audio/wav",
    body: wav(tone, 16_000),
  });
  await desk.run(at(PAGE));
  assert.deepEqual(desk.did, ["play 160 3", "play 160 1", "play 80 1", "hangup"]);
  assert.deepEqual([...desk.played[0]!], tone);
  assert.equal(desk.asked.filter(({ url }) => url.endsWith("tone.wav")).length, 1);
  assert.equal(desk.asked[1]?.method, "GET");
});

test("Play: what is not there, no WAV, or of another rate is told and skipped", async () => {
  const desk = new Desk();
  desk.pages.set(PAGE, "<Play>gone.wav</Play><Play>page.html</Play><Play>cd.wav</Play><Pause length='1'/>");
  desk.pages.set("http://app.example.com/voice/page.html", {
    contentType: "text/html",
    body: octets("<html>"),
  });
  desk.pages.set("http://app.example.com/voice/cd.wav", { body: wav([1, 2], 44_100) });
  await desk.run(at(PAGE));
  assert.deepEqual(desk.did, ["pause 1", "hangup"]);
  assert.deepEqual(desk.codes, ["11200 error", "12300 error", "12300 error"]);
});

test("audio in place of a document is played", async () => {
  const desk = new Desk();
  desk.pages.set(PAGE, { contentType: "audio/x-wav", body: wav([1, 2, 3]) });
  await desk.run(at(PAGE));
  assert.deepEqual(desk.did, ["play 3 1", "hangup"]);
});

test("the cache of audio is bounded by octets and by age", async () => {
  const desk = new Desk({ audioCacheBytes: 400, audioCacheMs: 5_000 });
  const url = (name: string) => `http://app.example.com/${name}`;
  for (const name of ["a", "b"])
    desk.pages.set(url(name), { body: wav(Array.from({ length: 160 }, () => 1)) });
  const play = (name: string) => `<Play>${url(name)}</Play>`;
  await desk.run(`${play("a")}${play("b")}${play("b")}${play("a")}<Pause length="6"/>${play("a")}`);
  assert.deepEqual(
    desk.asked.map((asked) => asked.url.at(-1)),
    ["a", "b", "a", "a"],
  );
});
