/** A sender's clock and the arrivals may disagree about two tracks by this much; what is more is a mistake. */
const SAME_SOURCE_SPREAD_MS = 1_000;
/** Names that differ at one address are several names of one machine, or a relay of several machines' reports. */
const SAME_ADDRESS_SPREAD_MS = 200;

/** When a track began, by both clocks. */
export interface TrackStart {
  /** By arrival, epoch milliseconds; null before a packet. */
  readonly firstPacketTime: number | null;
  /** By the sender's reports (RFC 3550 §6.4.1); null without. */
  readonly senderStart: { readonly time: number; readonly cname: string | null } | null;
  /** The address that the session description names. */
  readonly mediaHost: string | null;
}

/**
 * How much later than the first each track began, in milliseconds; a track without packets began with the first.
 *
 * By the sender's clock when all tracks that have packets have it from one source: what the network did on the way has
 * no say then, and `isBySender` says so. Otherwise by arrival, for all of them alike: two clocks are never mixed.
 */
export function align(tracks: readonly TrackStart[]): {
  readonly offsets: readonly number[];
  readonly isBySender: boolean;
} {
  const heard = tracks.filter(({ firstPacketTime }) => firstPacketTime !== null);
  const isBySender = haveOneClock(heard);
  const timeOf = isBySender
    ? ({ senderStart }: TrackStart) => senderStart!.time
    : ({ firstPacketTime }: TrackStart) => firstPacketTime!;
  const first = Math.min(...heard.map(timeOf));
  const offsets = tracks.map((track) => (track.firstPacketTime === null ? 0 : timeOf(track) - first));
  return { offsets, isBySender };
}

function haveOneClock(tracks: readonly TrackStart[]): boolean {
  const [first] = tracks;
  if (first === undefined || tracks.some(({ senderStart }) => senderStart === null)) return false;
  const differences = tracks.map(({ senderStart, firstPacketTime }) => senderStart!.time - firstPacketTime!);
  const spread = Math.max(...differences) - Math.min(...differences);
  if (tracks.every((track) => isSameSource(track, first))) return spread <= SAME_SOURCE_SPREAD_MS;
  const isOneHost =
    first.mediaHost !== null && tracks.every(({ mediaHost }) => mediaHost === first.mediaHost);
  return isOneHost && spread <= SAME_ADDRESS_SPREAD_MS;
}

/** One CNAME, or CNAMEs of one host: `user@host` (RFC 3550 §6.5.1). */
function isSameSource(a: TrackStart, b: TrackStart): boolean {
  const [one, other] = [a.senderStart?.cname ?? null, b.senderStart?.cname ?? null];
  if (one === null || other === null) return false;
  return one === other || (hostIn(one) !== "" && hostIn(one) === hostIn(other));
}

function hostIn(cname: string): string {
  return cname.slice(cname.lastIndexOf("@") + 1 || cname.length);
}
