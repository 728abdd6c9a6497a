import type { SipRequest } from "./message.ts";

export type SipParseErrorCode =
  /** Nothing but line ends: a keep-alive, not an error worth a word. */
  | "SIP_EMPTY"
  | "SIP_START_LINE"
  | "SIP_REQUEST_URI"
  | "SIP_VERSION"
  /** A header line without a name or colon, a bare CR, a NUL that nothing quotes. */
  | "SIP_HEADER_SYNTAX"
  | "SIP_HEADER_MISSING"
  /** A header that may come once came twice. */
  | "SIP_HEADER_REPEATED"
  /** A header this parser checks (Via, From, To, Contact, CSeq, Call-ID) does not read. */
  | "SIP_HEADER_VALUE"
  | "SIP_CSEQ_METHOD"
  | "SIP_CONTENT_LENGTH"
  | "SIP_TRUNCATED"
  | "SIP_TOO_LARGE";

/** Why a message was refused. */
export interface SipParseError {
  readonly code: SipParseErrorCode;
  /** For the log; holds no octets of the message. */
  readonly message: string;
  /** Octets from the start of the input to where the trouble is, as near as is known. */
  readonly offset: number;
  /** What to answer; absent for responses and ACK, which get no answer, and for what cannot be told to be a request. */
  readonly status?: 400 | 414 | 505 | 513;
  /**
   * The request as far as it was understood, without body. There only when an answer can be built from it: protocol
   * and sent-by of the topmost Via read (its parameters need not), and From, To, Call-ID and CSeq are there to be copied.
   */
  readonly request?: SipRequest;
}
