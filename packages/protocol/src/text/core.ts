/** Milliseconds on a clock that the driver chooses; cores only compare and add. */
export type Millis = number;

/** The only things a core may ask of the world. */
export type Output<E> =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  | { readonly kind: "setTimer"; readonly timer: string; readonly at: Millis }
  | { readonly kind: "clearTimer"; readonly timer: string }
  | { readonly kind: "event"; readonly event: E };

/** Randomness comes in as an argument, so that any failure can be replayed. */
export interface Random {
  /** `length` fresh random octets; the caller owns them. */
  bytes(length: number): Uint8Array;
}

/** One-shot hash of `bytes`; ciphers and hashes come in as arguments too. */
export type Hash = (bytes: Uint8Array) => Uint8Array;
