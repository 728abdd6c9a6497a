import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import twilio from "twilio";
import { parseTwiml, type Siprec, type TwimlDocument, type TwimlOptions, type Verb } from "./index.ts";

function parse(text: string, options?: TwimlOptions): TwimlDocument {
  const result = parseTwiml(text, options);
  assert.ok(result.ok, result.ok ? "" : `${result.error.code} ${result.error.message}`);
  return result.value;
}

const inside = (text: string, options?: TwimlOptions) => parse(`<Response>${text}</Response>`, options);
const codes = ({ issues }: TwimlDocument) => issues.map(({ code, level }) => `${code} ${level}`);
const errorOf = (input: string | Uint8Array, options?: TwimlOptions) => {
  const result = parseTwiml(input, options);
  return result.ok ? undefined : result.error.code;
};

/** A tree without its positions. */
const bare = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, entry: unknown) => (key === "line" || key === "column" ? undefined : entry)),
  );

test("what the official library writes for a fork is read without an issue", () => {
  const response = new twilio.twiml.VoiceResponse();
  const siprec = response.start().siprec({
    name: "My SIPREC Stream",
    connectorName: "Gridspace1",
    track: "both_tracks",
    statusCallback: "https://example.com/siprec?a=1&b=2",
    statusCallbackMethod: "GET",
  });
  siprec.parameter({ name: "Role", value: 'agent <"1"> & more' });
  siprec.parameter({ name: "CallerDisplayName", value: "Zoë" });
  response.stop().siprec({ name: "My SIPREC Stream" });
  const document = parse(response.toString());
  assert.deepEqual(document.issues, []);
  assert.deepEqual(bare(document.verbs), [
    {
      verb: "Start",
      nouns: [
        {
          noun: "Siprec",
          name: "My SIPREC Stream",
          connectorName: "Gridspace1",
          track: "both_tracks",
          statusCallback: "https://example.com/siprec?a=1&b=2",
          statusCallbackMethod: "GET",
          parameters: [
            { name: "Role", value: 'agent <"1"> & more' },
            { name: "CallerDisplayName", value: "Zoë" },
          ],
        },
      ],
    },
    {
      verb: "Stop",
      nouns: [
        {
          noun: "Siprec",
          name: "My SIPREC Stream",
          connectorName: "",
          track: "both_tracks",
          statusCallbackMethod: "POST",
          parameters: [],
        },
      ],
    },
  ]);
});

test("what the official library writes for every other verb is read without an issue", () => {
  const response = new twilio.twiml.VoiceResponse();
  response.say({ voice: "alice", language: "en-GB", loop: 2 }, "Hello & welcome");
  response.play({ loop: 0 }, "https://example.com/a.wav");
  response.play({ digits: "ww12#" });
  response.pause({ length: 3 });
  const dial = response.dial({
    action: "/done",
    method: "GET",
    timeout: 20,
    timeLimit: 60,
    callerId: "+15550001111",
    answerOnBridge: true,
    hangupOnStar: true,
    sequential: true,
    ringTone: "us",
    record: "record-from-answer-dual",
    trim: "trim-silence",
  });
  dial.number(
    { sendDigits: "1w2", url: "/whisper", statusCallbackEvent: ["ringing", "completed"] },
    "+15552223333",
  );
  dial.sip(
    { username: "u", password: "p", statusCallback: "/cb" },
    "sip:bob@example.com;transport=tcp?X-Id=1&X-B=2",
  );
  response.dial("+15554445555");
  response.redirect({ method: "GET" }, "/next?x=1&y=2");
  response.reject({ reason: "busy" });
  response.hangup();
  const { verbs, issues } = parse(response.toString());
  assert.deepEqual(issues, []);
  const leg = { method: "POST", statusCallbackMethod: "POST" };
  const defaults = {
    method: "POST",
    timeout: 30,
    timeLimit: 14_400,
    answerOnBridge: false,
    hangupOnStar: false,
    sequential: false,
    record: "do-not-record",
  };
  assert.deepEqual(bare(verbs), [
    { verb: "Say", text: "Hello & welcome", voice: "alice", language: "en-GB", loop: 2 },
    { verb: "Play", url: "https://example.com/a.wav", loop: 0 },
    { verb: "Play", url: "", loop: 1, digits: "ww12#" },
    { verb: "Pause", length: 3 },
    {
      verb: "Dial",
      nouns: [
        {
          noun: "Number",
          number: "+15552223333",
          sendDigits: "1w2",
          url: "/whisper",
          statusCallbackEvents: ["ringing", "completed"],
          ...leg,
        },
        {
          noun: "Sip",
          uri: "sip:bob@example.com;transport=tcp?X-Id=1&X-B=2",
          username: "u",
          password: "p",
          statusCallback: "/cb",
          statusCallbackEvents: [],
          ...leg,
        },
      ],
      action: "/done",
      method: "GET",
      timeout: 20,
      timeLimit: 60,
      callerId: "+15550001111",
      answerOnBridge: true,
      hangupOnStar: true,
      sequential: true,
      ringTone: "us",
      record: "record-from-answer-dual",
    },
    {
      verb: "Dial",
      nouns: [{ noun: "Number", number: "+15554445555", statusCallbackEvents: [], ...leg }],
      ...defaults,
    },
    { verb: "Redirect", url: "/next?x=1&y=2", method: "GET" },
    { verb: "Reject", reason: "busy" },
    { verb: "Hangup" },
  ]);
});

test("every parameter the official library can write comes back as it was", () => {
  const arbValue = fc
    .string({ unit: "grapheme", maxLength: 30 })
    .filter((text) => !/[\u0000-\u001f\ufffe\uffff]/.test(text));
  const arbName = arbValue.map((name) => name.trim()).filter((name) => name !== "");
  fc.assert(
    fc.property(
      fc.array(fc.record({ name: arbName, value: arbValue }, { noNullPrototype: true })),
      (parameters) => {
        const response = new twilio.twiml.VoiceResponse();
        const siprec = response.start().siprec({ connectorName: "c" });
        for (const parameter of parameters) siprec.parameter(parameter);
        const { verbs, issues } = parse(response.toString());
        assert.deepEqual(issues, []);
        const start = verbs[0]!;
        assert.ok(start.verb === "Start");
        assert.deepEqual(bare(start.nouns[0]!.parameters), parameters);
      },
    ),
  );
});

test("documents that cannot be carried out at all", () => {
  assert.equal(errorOf(""), 11770);
  assert.equal(errorOf(" \n"), 11770);
  assert.equal(errorOf("Hello"), 12100);
  assert.equal(errorOf("<Response><Say></Response>"), 12100);
  assert.equal(errorOf("<Response/><Response/>"), 12100);
  assert.equal(errorOf('<?xml version="1.1"?><Response/>'), 12101);
  assert.equal(errorOf('<?xml version="3.0"?><Response/>'), 12101);
  assert.equal(errorOf("<response/>"), 12102);
  assert.equal(errorOf("<html/>"), 12102);
  assert.equal(errorOf(`<Response>${" ".repeat(65_536)}</Response>`), 11750);
  assert.equal(errorOf(`<Response>${"é".repeat(32_760)}</Response>`), 11750, "octets count, not characters");
  assert.equal(errorOf("<Response>   </Response>", { limits: { maxBytes: 10 } }), 11750);
  assert.equal(errorOf(`<Response>${"<a>".repeat(20)}${"</a>".repeat(20)}</Response>`), 12100);
  assert.equal(errorOf('<!DOCTYPE x [<!ENTITY a "b">]><Response><Say>&a;</Say></Response>'), 12100);
  assert.equal(errorOf("<Response><Say>&constructor;</Say></Response>"), 12100);
  assert.equal(errorOf(new Uint8Array([0xff, 0xd8, 0xff])), 12100);
});

test("an error names its line and column, an issue the element it is about", () => {
  const broken = parseTwiml("<Response>\n  <Say>x</Sai>\n</Response>");
  assert.ok(!broken.ok);
  assert.equal(broken.error.line, 2);
  const { issues, verbs } = parse(
    '<?xml version="1.0"?>\r\n<Response>\r\n  <Say>😀</Say><Pause\r\n length="x"/>\r\n</Response>',
  );
  assert.deepEqual(
    verbs.map(({ line, column }) => [line, column]),
    [
      [3, 3],
      [3, 15],
    ],
  );
  assert.deepEqual(
    issues.map(({ line, column }) => [line, column]),
    [[3, 15]],
  );
});

test("names are case-sensitive; what is unknown is reported and the call goes on", () => {
  const document = inside(
    '<play>x</play><Gather numDigits="1"/><Pause Length="5" length="2"/>text<Frobnicate/>',
  );
  assert.deepEqual(
    document.verbs.map((verb) => (verb.verb === "unknown" ? verb.name : verb.verb)),
    ["play", "Gather", "Pause", "Frobnicate"],
  );
  assert.ok(document.verbs[2]!.verb === "Pause" && document.verbs[2].length === 2);
  assert.deepEqual(new Set(codes(document)), new Set(["12200 warning"]));
  assert.equal(document.issues.length, 5);
  assert.match(document.issues.map(({ message }) => message).join("\n"), /<Gather> is not supported/);
  for (const name of ["constructor", "toString", "hasOwnProperty"]) {
    assert.deepEqual(codes(inside(`<${name}/><Pause ${name}="1"/>`)), ["12200 warning", "12200 warning"]);
  }
});

test("values out of range are reported and replaced by the default", () => {
  const table: [element: string, code: number, attribute: string, fallback: unknown][] = [
    ['<Dial timeout="0">1</Dial>', 13212, "timeout", 30],
    ['<Dial timeout="-5">1</Dial>', 13212, "timeout", 30],
    ['<Dial timeout="1e2">1</Dial>', 13212, "timeout", 30],
    ['<Dial timeLimit="x">1</Dial>', 13216, "timeLimit", 14_400],
    ['<Dial method="PUT">1</Dial>', 13210, "method", "POST"],
    ['<Dial answerOnBridge="yes">1</Dial>', 13219, "answerOnBridge", false],
    ['<Dial record="sometimes">1</Dial>', 13217, "record", "do-not-record"],
    ['<Play loop="1.5">a.wav</Play>', 13410, "loop", 1],
    ['<Play digits="xyz">a.wav</Play>', 13430, "digits", undefined],
    ['<Say loop="many">a</Say>', 13510, "loop", 1],
    ['<Pause length="-1"/>', 12200, "length", 1],
    ['<Redirect method="DELETE">/x</Redirect>', 13710, "method", "POST"],
    ['<Reject reason="bored"/>', 12200, "reason", "rejected"],
  ];
  for (const [element, code, attribute, fallback] of table) {
    const document = inside(element);
    assert.deepEqual(codes(document), [`${code} warning`], element);
    assert.equal((document.verbs[0] as unknown as Record<string, unknown>)[attribute], fallback, element);
    assert.equal(document.verbs[0]!.fault, undefined, element);
  }
});

test("a noun that cannot be carried out carries its fault, the others their call", () => {
  const dial = inside(
    "<Dial><Number>call me</Number><Sip>bob@example.com</Sip><Sip>sip:bob@example.com</Sip></Dial>",
  );
  const verb = dial.verbs[0]!;
  assert.ok(verb.verb === "Dial");
  assert.deepEqual(
    verb.nouns.map(({ fault }) => fault?.code),
    [13223, 13243, undefined],
  );
  assert.equal(verb.fault, undefined);
  const faults = (text: string) => inside(text).verbs[0]!.fault?.code;
  assert.equal(faults("<Dial/>"), 13223);
  assert.equal(faults("<Dial><Client>joe</Client></Dial>"), 13215);
  assert.equal(faults("<Dial><Sip>mailto:x</Sip></Dial>"), 13243);
  assert.equal(faults(`<Dial><Sip>sip:${"x".repeat(255)}@example.com</Sip></Dial>`), 13243);
  assert.equal(faults("<Play/>"), 11100);
  assert.equal(faults("<Say>  </Say>"), 13520);
});

test("status is ours: paused inside Stop, in-progress inside Start; a word that is neither is not obeyed", () => {
  const noun = (text: string) => {
    const parsed = parseTwiml(`<Response>${text}</Response>`);
    assert.ok(parsed.ok);
    const [verb] = parsed.value.verbs;
    assert.ok(verb?.verb === "Start" || verb?.verb === "Stop");
    const codes = parsed.value.issues.map(({ code }) => code);
    return [verb.nouns[0]!.status, verb.nouns[0]!.fault?.code, codes.length];
  };
  assert.deepEqual(noun('<Stop><Siprec name="x" status="paused"/></Stop>'), ["paused", undefined, 0]);
  assert.deepEqual(noun('<Start><Siprec name="x" status="in-progress"/></Start>'), [
    "in-progress",
    undefined,
    0,
  ]);
  assert.deepEqual(noun('<Start><Siprec status="in-progress"/></Start>'), ["in-progress", 12200, 1]);
  assert.deepEqual(noun('<Stop><Siprec name="x" status="puased"/></Stop>'), [undefined, undefined, 1]);
  assert.deepEqual(noun('<Stop><Siprec name="x"/></Stop>'), [undefined, undefined, 0]);
});

test("a Siprec that cannot start says why", () => {
  const siprec = (text: string, options?: TwimlOptions): { noun: Siprec; codes: string[] } => {
    const document = inside(text, options);
    const verb = document.verbs[0]!;
    assert.ok(verb.verb === "Start" || verb.verb === "Stop");
    return { noun: verb.nouns[0]!, codes: codes(document) };
  };
  const track = siprec('<Start><Siprec connectorName="c" track="left"/></Start>');
  assert.equal(track.noun.fault?.code, 31941);
  assert.deepEqual(track.codes, ["31941 error"]);
  assert.equal(siprec('<Start><Siprec name="x"/></Start>').noun.fault?.code, 31940);
  assert.equal(siprec("<Stop><Siprec/></Stop>").noun.fault?.code, 12200);
  const callback = siprec('<Start><Siprec connectorName="c" statusCallback="/relative"/></Start>');
  assert.deepEqual(callback.codes, ["12200 warning"]);
  assert.equal(callback.noun.statusCallback, undefined);
  assert.equal(callback.noun.fault, undefined);
  assert.equal(siprec('<Start><Siprec connectorName="c"/></Start>').noun.track, "both_tracks");
  const inbound = siprec('<Start><Siprec connectorName="c"/></Start>', {
    defaultSiprecTrack: "inbound_track",
  });
  assert.equal(inbound.noun.track, "inbound_track");
  const parameters = siprec(
    '<Start><Siprec connectorName="c"><Parameter value="x"/><Parameter name="a"/><Parameter name="b" value=" 1&#10;2 "/><Custom/></Siprec></Start>',
  );
  assert.deepEqual(bare(parameters.noun.parameters), [
    { name: "a", value: "" },
    { name: "b", value: " 1\n2 " },
  ]);
  assert.deepEqual(parameters.codes, ["12200 warning", "12200 warning"]);
  assert.deepEqual(codes(inside('<Start><Stream url="wss://x"/></Start>')), ["12200 warning"]);
});

test("encodings: octets follow their declaration, text is taken as it is", () => {
  const said = (document: TwimlDocument): string => {
    const verb: Verb = document.verbs[0]!;
    return verb.verb === "Say" ? verb.text : "";
  };
  const text = '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>é</Say></Response>';
  assert.equal(said(parse(text)), "é");
  const latin = parseTwiml(Buffer.from(text, "latin1"));
  assert.ok(latin.ok);
  assert.equal(said(latin.value), "é");
  const charset = parseTwiml(Buffer.from(text, "utf8"), { charset: "UTF-8" });
  assert.ok(charset.ok);
  assert.equal(said(charset.value), "é");
});

test("text inside Say: SSML is flattened, CDATA and comments are no obstacle", () => {
  const { verbs, issues } = inside(
    '<Say>One<break time="1s"/> <p>two</p>\n<![CDATA[& three]]><!-- four --></Say>',
  );
  assert.deepEqual(issues, []);
  assert.ok(verbs[0]!.verb === "Say");
  assert.equal(verbs[0].text, "One two & three");
});
