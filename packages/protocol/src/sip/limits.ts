/** How much of a message is read before it is refused. All in octets, line ends included, but `headerCount`. */
export interface SipLimits {
  /** Request line or status line: 414 beyond. */
  readonly startLineBytes: number;
  /** One header line with its folded continuation lines: 513 beyond. */
  readonly headerLineBytes: number;
  /** Header lines: 513 beyond. */
  readonly headerCount: number;
  /** Start line and header lines together: 513 beyond. */
  readonly headBytes: number;
  /** Body: 513 beyond. */
  readonly bodyBytes: number;
}

export const DEFAULT_SIP_LIMITS: SipLimits = {
  startLineBytes: 8_192,
  headerLineBytes: 16_384,
  headerCount: 256,
  headBytes: 65_536,
  bodyBytes: 1_048_576,
};
