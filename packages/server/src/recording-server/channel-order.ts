/** Tracks as channels: what the platform receives from the recorded party goes to the left, the others as they came. */
export function inChannelOrder<T extends { readonly label: string }>(tracks: readonly T[]): readonly T[] {
  return [...tracks].sort((a, b) => Number(b.label === "inbound") - Number(a.label === "inbound"));
}
