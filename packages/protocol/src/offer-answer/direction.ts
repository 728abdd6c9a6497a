import {
  connectionOf,
  type Direction,
  directionOf,
  hostOf,
  isNullAddress,
  type MediaDescription,
  type SessionDescription,
} from "../sdp/index.ts";

const sends = (direction: Direction) => direction === "sendrecv" || direction === "sendonly";
const receives = (direction: Direction) => direction === "sendrecv" || direction === "recvonly";

function directionFrom(send: boolean, receive: boolean): Direction {
  if (send) return receive ? "sendrecv" : "sendonly";
  return receive ? "recvonly" : "inactive";
}

/** The same streams as the other side sees them. */
export function reverseDirection(direction: Direction): Direction {
  return directionFrom(receives(direction), sends(direction));
}

/** What both allow. */
export function intersectDirections(a: Direction, b: Direction): Direction {
  return directionFrom(sends(a) && sends(b), receives(a) && receives(b));
}

/**
 * Direction of a line as its writer means it, both hold styles in one: a writer without an address (`c=0.0.0.0`)
 * receives nothing, but may still send (RFC 3264 §8.4).
 */
export function effectiveDirectionOf(description: SessionDescription, media: MediaDescription): Direction {
  const direction = directionOf(description, media);
  const connection = connectionOf(description, media);
  if (!connection || !isNullAddress(hostOf(connection))) return direction;
  return intersectDirections(direction, "sendonly");
}

/** The direction an answerer may state: at most what the offer left open (RFC 3264 §6.1). */
export function answerDirection(offered: Direction, wanted: Direction): Direction {
  return intersectDirections(reverseDirection(offered), wanted);
}
