import type { ForkConnection, MediaEvent, MediaPlane, MediaPort } from "../media/index.ts";
import type { Clock } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import type { TrackLine } from "./recording-offer.ts";
import type { TrackLabel } from "./tracks.ts";

/** A media worker that has not opened a port by then never will. */
const OPEN_LIMIT_MS = 5_000;

export interface ForkMediaOptions {
  readonly media: MediaPlane;
  readonly clock: Clock;
  readonly log: Log;
  readonly labels: readonly TrackLabel[];
  /** ICMP said that nobody listens at the recorder's port; told once. */
  readonly onUnreachable: (label: TrackLabel) => void;
  /** The worker died, and the ports with it. */
  readonly onLost: () => void;
}

/** The media side of one fork: a port pair a track, where its copies go, and an end that leaves nothing open. */
export class ForkMedia {
  readonly #options: ForkMediaOptions;
  readonly #ports = new Map<TrackLabel, MediaPort>();
  readonly #connected = new Map<TrackLabel, ForkConnection>();
  #remoteAddress: string | undefined;
  #toldUnreachable = false;
  #closed = false;

  constructor(options: ForkMediaOptions) {
    this.#options = options;
  }

  /** By m-line. */
  get lines(): readonly TrackLine[] {
    return this.#options.labels.map((label) => ({ label, port: this.#ports.get(label) }));
  }

  /** Opens what is not open yet, afresh when the recorder is reached by another address of ours. */
  async open(leg: number, remoteAddress: string | undefined): Promise<void> {
    if (this.#ports.size > 0 && remoteAddress !== this.#remoteAddress) this.#closePorts();
    this.#remoteAddress = remoteAddress;
    const missing = this.#options.labels.filter((label) => !this.#ports.has(label));
    await Promise.all(missing.map((track) => this.#openTrack(leg, track, remoteAddress)));
  }

  /** Copies flow there from the next packet on; a connection that is the same already is left alone. */
  connect(label: TrackLabel, connection: ForkConnection): void {
    const port = this.#ports.get(label);
    if (port === undefined || isSame(this.#connected.get(label), connection)) return;
    this.#connected.set(label, connection);
    this.#options.media.startFork(port.id, connection);
  }

  /** No packets for now: the recorder said `inactive`. The stream goes on with its SSRC when it wants them again. */
  pause(label: TrackLabel): void {
    const connection = this.#connected.get(label);
    if (connection !== undefined) this.connect(label, { ...connection, payloadTypes: new Map() });
  }

  /** The recorder refuses this line, for good. */
  closeTrack(label: TrackLabel): void {
    const port = this.#ports.get(label);
    if (port === undefined) return;
    this.#ports.delete(label);
    this.#connected.delete(label);
    void this.#closePort(label, port);
  }

  close(): void {
    this.#closed = true;
    this.#closePorts();
  }

  #closePorts(): void {
    for (const label of [...this.#ports.keys()]) this.closeTrack(label);
  }

  async #openTrack(leg: number, track: TrackLabel, remoteAddress: string | undefined): Promise<void> {
    const { media } = this.#options;
    const opening = media.openFork({ leg, track, ...(remoteAddress !== undefined && { remoteAddress }) });
    let inTime = true;
    // A port that comes too late, or after the end, is given back.
    const kept = opening.then((port) => {
      if (inTime && !this.#closed) this.#keep(track, port);
      else void media.close(port.id).catch(() => {});
    });
    await this.#withLimit(kept, () => {
      inTime = false;
    });
  }

  #keep(label: TrackLabel, port: MediaPort): void {
    this.#ports.set(label, port);
    this.#options.media.onEvent(port.id, (event) => this.#event(label, port, event));
  }

  #withLimit(work: Promise<void>, onLimit: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.setTimer(OPEN_LIMIT_MS, () => {
        onLimit();
        reject(new Error("the media plane opened no port in time"));
      });
      work.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #event(label: TrackLabel, port: MediaPort, event: MediaEvent): void {
    if (this.#ports.get(label) !== port) return;
    if (event.kind === "worker-lost") {
      this.#ports.clear();
      this.#options.onLost();
    } else if (event.kind === "unreachable" && !this.#toldUnreachable) {
      this.#toldUnreachable = true;
      this.#options.onUnreachable(label);
    }
  }

  async #closePort(label: TrackLabel, port: MediaPort): Promise<void> {
    const { media, log } = this.#options;
    try {
      const stats = await media.close(port.id);
      if (stats === undefined) return;
      const { packets, octets, ssrc } = stats.sent;
      log.info({ track: label, packets, octets, ssrc, dropped: stats.dropped }, "siprec: track closed");
    } catch (error) {
      log.warn({ err: error, track: label }, "siprec: a port was not closed properly");
    }
  }
}

function isSame(a: ForkConnection | undefined, b: ForkConnection): boolean {
  return (
    a !== undefined &&
    a.remote.address === b.remote.address &&
    a.remote.rtpPort === b.remote.rtpPort &&
    a.remote.rtcpPort === b.remote.rtcpPort &&
    a.clockRateHz === b.clockRateHz &&
    a.payloadTypes.size === b.payloadTypes.size &&
    [...a.payloadTypes].every(([from, to]) => b.payloadTypes.get(from) === to)
  );
}
