type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

/** Leaves out what was not given: an absent field stays as it is. */
export function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
