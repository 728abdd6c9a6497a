/** One command of the command line. */
export interface Command {
  /** What `--help` prints. */
  readonly help: string;
  /** @returns the exit code. @throws UsageError for a command line it does not understand */
  run(argv: readonly string[]): Promise<number>;
}
