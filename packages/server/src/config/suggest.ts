/** The known name nearest to a mistyped one; undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(fold(name), fold(candidate));
    if (distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = { name: candidate, distance };
  }
  return best !== undefined && best.distance <= Math.max(2, Math.floor(fold(name).length / 4))
    ? best.name
    : undefined;
}

const fold = (name: string): string => name.slice(0, 64).toLowerCase().replace(/[-_]/g, "");

/** Levenshtein's distance, two rows at a time. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const here = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1;
      here.push(Math.min(above[column]! + 1, here[column - 1]! + 1, above[column - 1]! + change));
    }
    above = here;
  }
  return above[b.length]!;
}
