export { type Located, locateInVoice } from "./audio/locate.ts";
export { FakeClock } from "./fake-clock.ts";
export { CallRefusedError, type PhoneCall, TestPhone, type TestPhoneOptions } from "./phone/phone.ts";
export { loadVoice, type VoiceName } from "./phone/voices.ts";
export { SeededRandom } from "./random.ts";
