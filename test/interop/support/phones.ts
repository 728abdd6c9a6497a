import { loadVoice, type PhoneCall, TestPhone, type VoiceName } from "@callfork/testkit";
import type { Owner } from "./scratch.ts";
import { locate } from "./voices.ts";
import { until } from "./waiting.ts";

/** A test phone that is called like its voice. */
export async function openPhone(owner: Owner, user: VoiceName): Promise<TestPhone> {
  const phone = await TestPhone.open({ user, voice: loadVoice(user) });
  owner.after(() => phone.close());
  return phone;
}

const SECOND = 8_000;

/** From now on a whole second of that voice comes in, bit for bit. */
export async function hears(call: PhoneCall, voice: VoiceName): Promise<void> {
  const before = call.heard().samples.length;
  await until(`a second of ${voice}`, () => {
    const { samples } = call.heard();
    return samples.length >= before + SECOND && locate(samples.slice(-SECOND), voice)?.equal === SECOND;
  });
}
