/** The three values that all transaction timers are made of: RFC 3261 §17.1.1.1 and appendix A. */
export interface TransactionTimers {
  /** Round-trip time estimate. */
  readonly t1Ms: number;
  /** Longest interval between repeated requests (INVITE excepted) and between repeated INVITE responses. */
  readonly t2Ms: number;
  /** How long a message may stay in the network. */
  readonly t4Ms: number;
  /** Timer D: how long repeated final answers to INVITE are acknowledged. "At least 32 seconds" over UDP. */
  readonly timerDMs: number;
}

export const RFC3261_TIMERS: TransactionTimers = { t1Ms: 500, t2Ms: 4_000, t4Ms: 5_000, timerDMs: 32_000 };
