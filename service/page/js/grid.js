/** The feature maps of a layer side by side, fetched as they come into sight. */

import { element } from "./element.js";
import { paint, rangeOf } from "./picture.js";
import { reachable, rove } from "./rover.js";

const TILE = "button.map";
const MOST_MAPS = 64; // in one answer
const MOST_BYTES = 8e6;

/** @typedef {{colors: import("./colormap.js").ColormapName, range: import("./picture.js").Range | null}} Look */

export class Grid {
  /** @type {Map<number, Float32Array>} The maps that have come, by channel. */
  #maps = new Map();
  #observer = null;

  /**
   * @param {HTMLElement} place
   * @param {{onOpen: (channel: number) => void, onUnit: (channel: number, row: number, column: number, value: number) => void,
   *   onLeave: () => void}} on What to do when a map is opened, a unit pointed at, none any more.
   */
  constructor(place, on) {
    this.place = place;
    this.on = on;
    rove(place, TILE, { columns: () => columnsOf(place) });
    place.addEventListener("click", ({ target }) => this.#openAt(target.closest(TILE)));
    place.addEventListener("pointermove", (event) => this.#pointAt(event));
    place.addEventListener("pointerleave", on.onLeave);
  }

  /**
   * Show places for the maps, and fetch those in sight.
   * @param {{order: number[], height: number, width: number, look: Look,
   *   fetch: (channels: number[]) => Promise<Float32Array>}} what `fetch` gives maps one after the other.
   */
  show({ order, height, width, look, fetch }) {
    this.clear();
    this.layout = { order, height, width, fetch };
    this.look = look;
    this.place.setAttribute("role", "group");
    this.place.setAttribute("aria-label", `${order.length} feature maps`);
    this.place.replaceChildren(...order.map(tile));
    reachable(this.place, TILE);
    const size = Math.max(1, Math.min(MOST_MAPS, Math.floor(MOST_BYTES / (4 * height * width))));
    const asked = new Set();
    this.#observer = new IntersectionObserver(
      (entries) => {
        const seen = entries.filter((entry) => entry.isIntersecting).map(({ target }) => this.#indexOf(target));
        const chunks = new Set(seen.map((index) => Math.floor(index / size)).filter((chunk) => !asked.has(chunk)));
        for (const chunk of chunks) {
          asked.add(chunk);
          this.#load(order.slice(chunk * size, (chunk + 1) * size));
        }
      },
      { rootMargin: "400px" },
    );
    for (const item of this.place.children) this.#observer.observe(item);
  }

  clear() {
    this.#observer?.disconnect();
    this.#maps.clear();
    this.place.replaceChildren();
    this.place.removeAttribute("role");
    this.place.removeAttribute("aria-label");
  }

  /** @param {Look} look */
  restyle(look) {
    this.look = look;
    for (const channel of this.#maps.keys()) this.#draw(channel);
  }

  /** The channels before and after one, as they are ordered here. */
  beside(channel) {
    const { order } = this.layout;
    const index = order.indexOf(channel);
    return { previous: order[index - 1], next: order[index + 1] };
  }

  /** @param {number} channel The one to come back to. */
  focus(channel) {
    this.place.children[this.layout.order.indexOf(channel)]?.focus();
  }

  async #load(channels) {
    const { layout } = this;
    const values = await layout.fetch(channels);
    if (!values || layout !== this.layout) return;
    const size = layout.height * layout.width;
    for (const [i, channel] of channels.entries()) {
      this.#maps.set(channel, values.subarray(i * size, (i + 1) * size));
      this.#draw(channel);
    }
  }

  #draw(channel) {
    const values = this.#maps.get(channel);
    const { height, width, order } = this.layout;
    const canvas = this.place.children[order.indexOf(channel)].firstChild;
    paint(canvas, values, { height, width, range: this.look.range ?? rangeOf(values), colors: this.look.colors });
    canvas.classList.add("drawn");
  }

  #indexOf(item) {
    return [...this.place.children].indexOf(item);
  }

  #openAt(item) {
    if (item) this.on.onOpen(this.layout.order[this.#indexOf(item)]);
  }

  #pointAt(event) {
    const item = event.target.closest?.(TILE);
    const channel = item && this.layout.order[this.#indexOf(item)];
    const values = this.#maps.get(channel);
    if (!values) return;
    const { height, width } = this.layout;
    const { row, column } = unitAt(event, item.firstChild, height, width);
    this.on.onUnit(channel, row, column, values[row * width + column]);
  }
}

/**
 * The unit under the pointer.
 * @param {PointerEvent} event
 * @param {HTMLCanvasElement} canvas That shows a map of this height and width.
 */
export function unitAt(event, canvas, height, width) {
  const box = canvas.getBoundingClientRect();
  const place = (/** @type {number} */ part, /** @type {number} */ count) => Math.max(0, Math.min(count - 1, Math.floor(part * count)));
  return {
    row: place((event.clientY - box.top) / box.height, height),
    column: place((event.clientX - box.left) / box.width, width),
  };
}

function tile(channel) {
  const canvas = element("canvas", { className: "pixelated", width: 1, height: 1 });
  const label = element("span", { textContent: String(channel) });
  return element("button", { type: "button", className: "map", ariaLabel: `Channel ${channel}` }, canvas, label);
}

/** How many tiles lie side by side. */
function columnsOf(place) {
  return getComputedStyle(place).gridTemplateColumns.split(" ").length;
}
