/** The views side by side, one of them shown. */

import { rove } from "./rover.js";

export class Tabs extends EventTarget {
  /**
   * Tells by an event "show" when another view is shown.
   * @param {HTMLElement} list
   */
  constructor(list) {
    super();
    this.tabs = [...list.querySelectorAll("[role=tab]")];
    for (const tab of this.tabs) tab.onclick = () => this.show(tab.getAttribute("aria-controls"));
    rove(list, "[role=tab]:not([disabled])", { onMove: (tab) => tab.click() });
    window.addEventListener("hashchange", () => this.#follow());
    this.#select(this.#fromAddress());
  }

  /** The name of the view that is shown. */
  get shown() {
    return this.tabs.find((tab) => tab.ariaSelected === "true").getAttribute("aria-controls");
  }

  /** @param {string} name Of a view. */
  show(name) {
    if (name === this.shown) return;
    history.replaceState(null, "", `#${name}`);
    this.#select(name);
    this.dispatchEvent(new Event("show"));
  }

  /**
   * Offer a view, or not.
   * @param {string[]} names
   * @param {boolean} offered
   */
  offer(names, offered) {
    for (const tab of this.tabs) if (names.includes(tab.getAttribute("aria-controls"))) tab.disabled = !offered;
    if (!offered && names.includes(this.shown)) this.show("inside");
  }

  #follow() {
    const name = this.#fromAddress();
    if (name !== this.shown) this.show(name);
  }

  #fromAddress() {
    const name = location.hash.slice(1);
    const known = this.tabs.some((tab) => tab.getAttribute("aria-controls") === name && !tab.disabled);
    return known ? name : "classify";
  }

  #select(name) {
    for (const tab of this.tabs) {
      const chosen = tab.getAttribute("aria-controls") === name;
      tab.ariaSelected = String(chosen);
      tab.tabIndex = chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
    }
  }
}
