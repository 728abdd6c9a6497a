import type { Dial, DialNoun } from "@callfork/protocol/twiml";
import type { DialResult, DialTarget } from "../calls/index.ts";
import { type Executor, NEXT, type Step, type VerbContext } from "./context.ts";

/** Rings the nouns and bridges the call with the first that answers; then `action`, or the next verb. */
export const dial: Executor<Dial> = async (verb, context) => {
  warnOfIgnored(verb, context);
  const targets = verb.nouns.filter((noun) => !noun.fault).map((noun) => targetOf(noun, context));
  if (targets.length === 0) return NEXT; // an issue of the document says why
  let result: DialResult | undefined;
  for (const round of verb.sequential ? targets.map((target) => [target]) : [targets]) {
    result = await context.call.dial({
      targets: round,
      callerId: verb.callerId ?? null,
      timeoutSeconds: verb.timeout,
      answerOnBridge: verb.answerOnBridge,
      timeLimitSeconds: verb.timeLimit,
    });
    if (result.bridged || context.signal.aborted) break;
  }
  return verb.action === undefined || !result ? NEXT : actionStep(verb, verb.action, result, context);
};

function actionStep(verb: Dial, action: string, result: DialResult, { resolve, alert }: VerbContext): Step {
  const url = resolve(action);
  if (url === undefined) {
    alert(11100, "error", `<Dial>: action "${action}" is no URL`);
    return NEXT;
  }
  const parameters: [string, string][] = [
    ["DialCallStatus", result.dialCallStatus],
    ["DialBridged", String(result.bridged)],
  ];
  if (result.dialCallSid !== null) parameters.push(["DialCallSid", result.dialCallSid]);
  if (result.bridged) parameters.push(["DialCallDuration", String(result.durationSeconds)]);
  return { kind: "goto", url, method: verb.method, parameters };
}

function targetOf(noun: DialNoun, { resolve, alert }: VerbContext): DialTarget {
  const statusCallback = noun.statusCallback === undefined ? undefined : resolve(noun.statusCallback);
  if (noun.statusCallback !== undefined && statusCallback === undefined) {
    alert(11100, "warning", `<${noun.noun}>: statusCallback "${noun.statusCallback}" is no URL`);
  }
  const common = {
    statusCallback,
    statusCallbackMethod: noun.statusCallbackMethod,
    statusCallbackEvents: noun.statusCallbackEvents,
  };
  if (noun.noun === "Number") return { kind: "number", address: noun.number, ...common };
  return { kind: "sip", address: noun.uri, username: noun.username, password: noun.password, ...common };
}

/** Attributes that Twilio has and this platform does not carry out: said once a document, never a failure. */
function warnOfIgnored(verb: Dial, { alert }: VerbContext): void {
  const ignored = [
    verb.record !== "do-not-record" && "record",
    verb.hangupOnStar && "hangupOnStar",
    verb.ringTone !== undefined && "ringTone",
    verb.nouns.some((noun) => noun.url !== undefined) && "url of a noun",
    verb.nouns.some((noun) => noun.noun === "Number" && noun.sendDigits !== undefined) && "sendDigits",
  ].filter((name) => name !== false);
  if (ignored.length > 0) {
    alert(
      12200,
      "warning",
      `line ${verb.line}: <Dial>: not supported by this platform: ${ignored.join(", ")}`,
    );
  }
}
