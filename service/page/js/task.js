/** One piece of work at a time: a new one ends the one before, so that no old answer comes after a new one. */

import { element } from "./element.js";
import { Problem } from "./service.js";

export class Task {
  #controller = new AbortController();

  /**
   * @param {HTMLElement} status Where errors are shown.
   * @param {HTMLElement} area What is marked as busy.
   */
  constructor(status, area) {
    this.status = status;
    this.area = area;
  }

  /**
   * Do it; when it fails, say why, and offer to try again.
   * @param {(signal: AbortSignal) => Promise<void>} work
   */
  async run(work) {
    this.stop();
    const { signal } = (this.#controller = new AbortController());
    this.area.setAttribute("aria-busy", "true");
    try {
      await work(signal);
      if (!signal.aborted) this.stop();
    } catch (error) {
      if (!signal.aborted) this.fail(error, () => this.run(work));
    }
  }

  /**
   * Say why something failed.
   * @param {unknown} error
   * @param {() => void} again
   */
  fail(error, again) {
    this.stop();
    this.status.replaceChildren(panel(error, again));
  }

  /** End what is being done, and forget the last error. */
  stop() {
    this.#controller.abort();
    this.area.setAttribute("aria-busy", "false");
    this.status.replaceChildren();
  }
}

/**
 * @param {unknown} error
 * @param {() => void} again
 */
function panel(error, again) {
  const known = error instanceof Problem;
  if (!known) console.error(error);
  const title = known ? `${error.status || ""} ${error.title}`.trim() : "The page has a fault";
  const button = element("button", { type: "button", textContent: "Try again", onclick: again });
  return element(
    "div",
    { className: "problem", role: "alert" },
    element("strong", { textContent: title }),
    element("p", { textContent: known ? error.message : String(error) }),
    button,
  );
}
