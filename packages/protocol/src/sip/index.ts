export { SipHeaders, splitList } from "./headers.ts";
export { NO_BODY, type SipMessage, type SipRequest, type SipResponse } from "./message.ts";
