import type { AesEcb } from "./ciphers.ts";
import { Keystream } from "./keystream.ts";
import { ReplayWindow } from "./replay-window.ts";

/** What is kept for one synchronization source, for its SRTP packets or for its SRTCP packets. */
export class Source {
  readonly ssrc: number;
  readonly window = new ReplayWindow();
  #keystream: Keystream | undefined;

  constructor(ssrc: number) {
    this.ssrc = ssrc;
  }

  /** The keystream under one key; another key starts another. */
  keystream(aes: AesEcb, salt: Uint8Array): Keystream {
    if (this.#keystream?.aes !== aes) this.#keystream = new Keystream(aes, salt, this.ssrc);
    return this.#keystream;
  }
}
