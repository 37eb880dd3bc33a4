/** The layers of a network, from input to output. */

import { element } from "./element.js";
import { sees } from "./field.js";
import { shape } from "./format.js";
import { isPooling } from "./layer.js";
import { reachable, rove } from "./rover.js";

const ITEM = "[role=option]:not([hidden])";
const HIGHEST = 48; // pixels of a drawn block

export class Strip {
  /** @type {import("./scene.js").Layer[]} */
  #layers = [];

  /**
   * @param {HTMLElement} list
   * @param {(layer: import("./scene.js").Layer) => void} onOpen
   */
  constructor(list, onOpen) {
    this.list = list;
    this.onOpen = onOpen;
    rove(list, ITEM);
    list.addEventListener("click", ({ target }) => this.#openAt(target.closest(ITEM)));
    list.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.#openAt(event.target);
    });
  }

  /** @param {import("./scene.js").Layer[]} layers */
  show(layers) {
    this.#layers = layers;
    const tallest = Math.max(1, ...layers.map((layer) => layer.shape?.[1] ?? 1));
    this.list.replaceChildren(...layers.map((layer) => card(layer, tallest)));
    reachable(this.list, ITEM);
  }

  /**
   * Show only layers whose path, alias or operator holds a text.
   * @param {string} text
   * @returns {number} How many there are.
   */
  narrow(text) {
    const wanted = text.trim().toLowerCase();
    let count = 0;
    for (const [i, { path, aliases, operator }] of this.#layers.entries()) {
      const found = [path, operator, ...aliases].some((name) => name.toLowerCase().includes(wanted));
      this.list.children[i].hidden = !found;
      count += Number(found);
    }
    reachable(this.list, ITEM, this.list.querySelector(`${ITEM}[aria-selected=true]`));
    return count;
  }

  /**
   * Mark a layer as the open one, and bring it into sight.
   * @param {import("./scene.js").Layer} layer
   */
  mark(layer) {
    for (const item of this.list.children) item.ariaSelected = "false";
    const item = this.list.children[layer.index];
    item.ariaSelected = "true";
    reachable(this.list, ITEM, item.hidden ? null : item);
    const { offsetLeft, offsetWidth } = item;
    this.list.scrollTo({ left: offsetLeft - (this.list.clientWidth - offsetWidth) / 2 });
  }

  #openAt(item) {
    const layer = this.#layers[[...this.list.children].indexOf(item)];
    if (layer) this.onOpen(layer);
  }
}

/** A layer as a block: as high as its maps, as wide as it has many. */
function card(layer, tallest) {
  const block = element("span", { className: `block ${family(layer)}`, ariaHidden: "true" });
  const [channels, height] = layer.shape ?? [1, 1];
  block.style.setProperty("--high", `${4 + (HIGHEST - 4) * Math.sqrt((height ?? 1) / tallest)}px`);
  block.style.setProperty("--wide", `${4 + 5 * Math.log2(1 + (channels ?? 1))}px`);
  return element(
    "div",
    { role: "option", className: "card", ariaSelected: "false", tabIndex: -1 },
    element("span", { className: "stand" }, block),
    element("strong", { title: layer.path }, element("bdi", { textContent: layer.path })),
    element("span", { textContent: layer.operator }),
    element("span", { textContent: shape(layer.shape) }),
    element("span", { textContent: sees(layer) }),
  );
}

/** What kind of work a layer does; kinds have looks of their own. */
function family(layer) {
  if (layer.dense) return "learned";
  return isPooling(layer) ? "pooling" : "";
}
