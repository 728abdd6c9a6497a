import { loadVoice, type PhoneCall, TestPhone } from "@callfork/testkit";
import type { Owner } from "./scratch.ts";
import type { TestServer } from "./server.ts";
import { until, within } from "./waiting.ts";

/** Alice and Bob on the telephone, connected by a server, both speaking. */
export interface Conversation {
  /** Of Alice's leg: she is "inbound" in its forks, Bob "outbound". */
  readonly callSid: string;
  readonly alice: PhoneCall;
  readonly bob: PhoneCall;
}

export interface ConversationOptions {
  /** Before `<Dial>`. */
  readonly verbs?: string;
  /** More of `calls.create`. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Places a call to Alice by the official client; her document dials Bob. Both hear each other when this resolves. */
export async function converse(
  owner: Owner,
  server: TestServer,
  options: ConversationOptions = {},
): Promise<Conversation> {
  const alice = await TestPhone.open({ user: "alice", displayName: "Alice", voice: loadVoice("alice") });
  owner.after(() => alice.close());
  const bob = await TestPhone.open({ user: "bob", displayName: "Bob", voice: loadVoice("bob") });
  owner.after(() => bob.close());
  const answered = Promise.all([alice.nextCall(), bob.nextCall()]);
  const twiml = `<Response>${options.verbs ?? ""}<Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial></Response>`;
  const { sid } = await server
    .twilio()
    .calls.create({ to: alice.uri, from: bob.uri, twiml, ...options.more });
  const [alicesCall, bobsCall] = await within("both phones answering", answered);
  await until(
    "both hearing each other",
    () => alicesCall.heard().packets > 5 && bobsCall.heard().packets > 5,
  );
  return { callSid: sid, alice: alicesCall, bob: bobsCall };
}
