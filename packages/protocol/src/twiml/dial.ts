import { childElements, type XmlElement } from "../text/index.ts";
import {
  type AttributeTable,
  boolean,
  httpMethod,
  IGNORED,
  integer,
  oneOf,
  readAttributes,
  someOf,
  text,
  url,
} from "./attributes.ts";
import type { Dial, DialNoun, DialNumber, DialSip } from "./document.ts";
import { contentOf, type TwimlReading } from "./reading.ts";

const RECORD_VALUES = [
  "do-not-record",
  "record-from-answer",
  "record-from-ringing",
  "record-from-answer-dual",
  "record-from-ringing-dual",
] as const;

const DIAL = {
  action: url(),
  method: httpMethod(13210),
  timeout: integer(30, 1, 600, 13212),
  timeLimit: integer(14_400, 1, 86_400, 13216),
  callerId: text(255, 13214),
  answerOnBridge: boolean(false, 13219),
  hangupOnStar: boolean(false, 13213),
  sequential: boolean(false, 13218),
  ringTone: text(32, 13220),
  record: {
    ...oneOf(RECORD_VALUES, "do-not-record", 13217),
    // The old spellings of Twilio's first API.
    parse: (value: string) =>
      value === "true"
        ? "record-from-answer"
        : value === "false"
          ? "do-not-record"
          : RECORD_VALUES.find((it) => it === value),
  },
  events: IGNORED,
  recordingConfigurationId: IGNORED,
  recordingStatusCallback: IGNORED,
  recordingStatusCallbackEvent: IGNORED,
  recordingStatusCallbackMethod: IGNORED,
  recordingTrack: IGNORED,
  referMethod: IGNORED,
  referUrl: IGNORED,
  trim: IGNORED,
} as const satisfies AttributeTable;

const leg = (methodCode: number) =>
  ({
    url: url(),
    method: httpMethod(methodCode),
    statusCallback: url(),
    statusCallbackMethod: httpMethod(methodCode),
    statusCallbackEvent: someOf(["initiated", "ringing", "answered", "completed"], []),
    machineDetection: IGNORED,
    machineDetectionTimeout: IGNORED,
    machineDetectionSpeechThreshold: IGNORED,
    machineDetectionSpeechEndThreshold: IGNORED,
    machineDetectionSilenceTimeout: IGNORED,
    amdStatusCallback: IGNORED,
    amdStatusCallbackMethod: IGNORED,
  }) as const satisfies AttributeTable;

const NUMBER = {
  ...leg(13221),
  byoc: IGNORED,
  sendDigits: {
    parse: (value: string) => (/^[0-9*#A-Da-dwW]{1,64}$/.test(value) ? value : undefined),
    fallback: undefined as string | undefined,
    expected: "DTMF digits, w and W",
    code: 13222,
  },
} as const satisfies AttributeTable;

const SIP = {
  ...leg(13241),
  username: text(255, 13249),
  password: text(255, 13249),
} as const satisfies AttributeTable;

/** `<Dial>` with its nouns; text beside nouns is IGNORED, text alone is the number. */
export function readDial(element: XmlElement, reading: TwimlReading): Dial {
  const attributes = readAttributes(element, DIAL, reading);
  const nouns: DialNoun[] = [];
  for (const child of childElements(element)) {
    if (child.name === "Number") nouns.push(readNumber(child, reading));
    else if (child.name === "Sip") nouns.push(readSip(child, reading));
    else reading.warn(child, 13215, `<${child.name}> inside <Dial> is not supported`);
  }
  const content = contentOf(element);
  const hasElements = childElements(element).length > 0;
  if (hasElements) reading.noText(element);
  else if (content !== "") nouns.push(bareNumber(content, element, reading));
  if (nouns.length === 0) {
    reading.fault(element, hasElements ? 13215 : 13223, "<Dial> has nobody to call");
  } else if (nouns.every(({ fault }) => fault !== undefined)) {
    reading.fault(element, nouns[0]!.fault!.code, "<Dial> has nobody it can call");
  }
  return { verb: "Dial", nouns, ...attributes, ...reading.node(element) };
}

function readNumber(element: XmlElement, reading: TwimlReading): DialNumber {
  const { statusCallbackEvent, sendDigits, ...attributes } = readAttributes(element, NUMBER, reading);
  reading.noChildren(element);
  const number = contentOf(element);
  checkNumber(number, element, reading);
  return {
    noun: "Number",
    number,
    sendDigits,
    ...attributes,
    statusCallbackEvents: statusCallbackEvent,
    ...reading.node(element),
  };
}

function bareNumber(number: string, element: XmlElement, reading: TwimlReading): DialNumber {
  checkNumber(number, element, reading);
  return {
    noun: "Number",
    number,
    sendDigits: undefined,
    url: undefined,
    method: "POST",
    statusCallback: undefined,
    statusCallbackMethod: "POST",
    statusCallbackEvents: [],
    ...reading.node(element),
  };
}

/** Digits with the usual punctuation; short codes and extensions too. Routing decides who that is. */
function checkNumber(number: string, element: XmlElement, reading: TwimlReading): void {
  if (/^\+?[0-9*#() .-]{1,40}$/.test(number) && /[0-9*#]/.test(number)) return;
  reading.fault(element, 13223, `"${number.slice(0, 60)}" is not a phone number`);
}

function readSip(element: XmlElement, reading: TwimlReading): DialSip {
  const { statusCallbackEvent, username, password, ...attributes } = readAttributes(element, SIP, reading);
  reading.noChildren(element);
  const uri = contentOf(element);
  const [address = "", headers = ""] = uri.split("?", 2);
  if (!/^sips?:[^\s<>"]+$/i.test(uri) || address.length > 255) {
    reading.fault(element, 13243, `"${uri.slice(0, 60)}" is not a SIP URI of at most 255 characters`);
  } else if (headers.length > 1024) {
    reading.fault(element, 13253, "the headers of a SIP URI have more than 1,024 characters");
  }
  return {
    noun: "Sip",
    uri,
    username,
    password,
    ...attributes,
    statusCallbackEvents: statusCallbackEvent,
    ...reading.node(element),
  };
}
