import { readFileSync } from "node:fs";

/** The WebAssembly interface as far as it is used here; it is not part of the language's library. */
interface WasmExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  malloc(size: number): number;
  free(pointer: number): void;
  stackSave(): number;
  stackRestore(pointer: number): void;
  opus_decoder_get_size(channels: number): number;
  opus_decoder_init(state: number, rate: number, channels: number): number;
  opus_decode(
    state: number,
    data: number,
    length: number,
    pcm: number,
    frames: number,
    decodeFec: number,
  ): number;
  opus_decoder_ctl_set(state: number, request: number, value: number): number;
  opus_encoder_get_size(channels: number): number;
  opus_encoder_init(state: number, rate: number, channels: number, application: number): number;
  opus_encode(state: number, pcm: number, frames: number, data: number, room: number): number;
  opus_encoder_ctl_set(state: number, request: number, value: number): number;
  opus_encoder_ctl_get(state: number, request: number): number;
}

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** Requests of `opus_encoder_ctl` and `opus_decoder_ctl`. */
export const OPUS_CTL = {
  setBitrate: 4002,
  setMaximumBandwidth: 4004,
  setVbr: 4006,
  setComplexity: 4010,
  setInbandFec: 4012,
  setPacketLossPercent: 4014,
  setDtx: 4016,
  getLookahead: 4027,
  resetState: 4028,
} as const;

export const OPUS_APPLICATION_VOIP = 2048;

/** 120 ms, the most that one packet holds, at 48 kHz (RFC 6716 §3.2.5). */
export const OPUS_MAXIMUM_FRAMES_48K = 5760;
/** Room for payloads. 1275 octets are a frame's limit; telephony sends one or a few frames a packet. */
export const OPUS_MAXIMUM_PAYLOAD = 16_384;

/**
 * libopus as WebAssembly, the binary of the package `@evan/opus`, one instance a thread.
 *
 * Not its native add-on: that keeps one buffer for all threads of the process, so that two media workers would write
 * into each other's audio; and what a hostile packet could do stays within this instance's memory. Not the package's
 * own binding either, which knows neither loss concealment nor in-band FEC, and allocates for each packet.
 */
export class OpusLibrary {
  readonly calls: WasmExports;
  /** Where payloads and samples are exchanged, of `OPUS_MAXIMUM_PAYLOAD` octets and 120 ms of stereo. */
  readonly payloadPointer: number;
  readonly samplesPointer: number;
  #payload = new Uint8Array(0);
  #samples = new Int16Array(0);

  constructor(calls: WasmExports) {
    this.calls = calls;
    this.payloadPointer = calls.malloc(OPUS_MAXIMUM_PAYLOAD);
    this.samplesPointer = calls.malloc(2 * 2 * OPUS_MAXIMUM_FRAMES_48K);
  }

  /** The payload area; valid until the next allocation in the library. */
  get payload(): Uint8Array {
    if (this.#payload.buffer !== this.calls.memory.buffer) this.#look();
    return this.#payload;
  }

  get samples(): Int16Array {
    if (this.#samples.buffer !== this.calls.memory.buffer) this.#look();
    return this.#samples;
  }

  /** The memory has grown: its views are new. */
  #look(): void {
    const { buffer } = this.calls.memory;
    this.#payload = new Uint8Array(buffer, this.payloadPointer, OPUS_MAXIMUM_PAYLOAD);
    this.#samples = new Int16Array(buffer, this.samplesPointer, 2 * OPUS_MAXIMUM_FRAMES_48K);
  }
}

let library: OpusLibrary | undefined;

/** This thread's instance; made at the first call, which takes some milliseconds. */
export function opusLibrary(): OpusLibrary {
  library ??= new OpusLibrary(instantiate());
  return library;
}

function instantiate(): WasmExports {
  const nothing = (): number => 0;
  const imports = {
    wasi_snapshot_preview1: { fd_seek: nothing, fd_write: nothing, fd_close: nothing, proc_exit: nothing },
    env: { emscripten_notify_memory_growth: nothing },
  };
  const { exports } = new WebAssembly.Instance(compile(), imports);
  const calls = exports as WasmExports;
  calls._initialize();
  return calls;
}

/** With SIMD where the machine has it. */
function compile(): object {
  const read = (name: string): Uint8Array =>
    readFileSync(new URL(import.meta.resolve(`@evan/opus/wasm/${name}.wasm`)));
  try {
    return new WebAssembly.Module(read("simd"));
  } catch {
    return new WebAssembly.Module(read("opus"));
  }
}
