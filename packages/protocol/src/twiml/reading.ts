import { childElements, textOf, type XmlElement } from "../text/index.ts";
import type { Position, TwimlIssue } from "./document.ts";

/** Collects the issues of one document while its elements are read. */
export class TwimlReading {
  readonly issues: TwimlIssue[] = [];
  readonly #faults = new Map<XmlElement, TwimlIssue>();

  /** What the author should know; the element is carried out all the same. */
  warn(element: XmlElement, code: number, message: string): void {
    this.#report({ code, level: "warning", message, ...positionOf(element) });
  }

  /** The element cannot be carried out; only its first fault is kept with it. */
  fault(element: XmlElement, code: number, message: string): void {
    const issue: TwimlIssue = { code, level: "error", message, ...positionOf(element) };
    this.#report(issue);
    if (!this.#faults.has(element)) this.#faults.set(element, issue);
  }

  /** Position and fault: what every node begins with. Call it when the element has been read. */
  node(element: XmlElement): Position & { readonly fault?: TwimlIssue } {
    const fault = this.#faults.get(element);
    return { ...positionOf(element), ...(fault === undefined ? {} : { fault }) };
  }

  /** Reports text where only elements belong. */
  noText(element: XmlElement): void {
    if (textOf(element).trim() !== "") this.warn(element, 12200, `text inside <${element.name}> is ignored`);
  }

  /** Reports elements where none belong. */
  noChildren(element: XmlElement): void {
    for (const child of childElements(element)) {
      this.warn(child, 12200, `<${child.name}> is not allowed inside <${element.name}>`);
    }
  }

  #report(issue: TwimlIssue): void {
    if (this.issues.length < MAX_ISSUES) this.issues.push(issue);
  }
}

/** Text inside an element, white space around it removed. */
export const contentOf = (element: XmlElement): string => textOf(element).trim();

const positionOf = ({ line, column }: XmlElement): Position => ({ line, column });

const MAX_ISSUES = 200;
