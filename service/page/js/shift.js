/** Shift the photo, and see how much two layers change. */

import { Command } from "./command.js";
import { element, part, say } from "./element.js";
import { percent, shape } from "./format.js";
import { firstOf, hasMaps, isPooling } from "./layer.js";
import { Photo } from "./photo.js";
import { paint, profile, rangeOf } from "./picture.js";
import { Task } from "./task.js";

const SHOWN = 4; // maps of a layer

export class Shift {
  #model = null;
  #frame = null;

  /**
   * @param {HTMLElement} area
   * @param {import("./scene.js").Scene} scene
   */
  constructor(area, scene) {
    this.area = area;
    this.scene = scene;
    this.task = new Task(part(area, "status"), area);
    this.command = new Command(part(area, "call"), scene.service);
    this.slider = part(area, "slider");
    this.slider.oninput = () => this.#ask();
    part(area, "zero").onclick = () => {
      this.slider.value = "0";
      this.#ask();
    };
    this.sides = [new Side(part(area, "early"), this), new Side(part(area, "late"), this)];
  }

  hide() {
    this.task.stop();
  }

  show() {
    if (!this.scene.crop) {
      this.task.stop();
      return;
    }
    this.#frame = null;
    this.slider.value = "0";
    this.slider.max = String(Math.round(this.scene.model.input.width / 7));
    this.slider.min = String(-this.slider.max);
    this.#ask();
  }

  /** Another layer was chosen: nothing is known of it yet. */
  chosen(side) {
    side.forget();
    this.#ask();
  }

  #ask() {
    const amount = Number(this.slider.value);
    part(this.area, "amount").textContent = `${amount} ${Math.abs(amount) === 1 ? "pixel" : "pixels"}`;
    this.task.run((signal) => this.#show(amount, signal));
  }

  async #show(amount, signal) {
    const { scene } = this;
    if (this.#model !== scene.model) this.#list(await scene.layers(signal));
    if (!this.#frame) {
      this.#frame = await frame(scene.photo, scene.model.input, Number(this.slider.max));
      for (const side of this.sides) side.forget();
    }
    const photo = await this.#frame.shifted(amount);
    if (signal.aborted) return;
    this.command.show(this.sides[0].call(photo));
    if (this.sides.some((side) => !side.known)) {
      const still = await this.#frame.shifted(0);
      for (const side of this.sides) if (!side.known) await side.start(still, signal);
    }
    const found = await Promise.all(this.sides.map((side) => side.compare(photo, amount, signal)));
    this.#frame.draw(part(this.area, "photo"), amount);
    for (const [i, side] of this.sides.entries()) side.draw(found[i]);
    say(this.sides.map((side) => `${side.layer.path}: ${side.said}`).join("; "));
  }

  #list(layers) {
    this.#model = this.scene.model;
    const early = firstOf(layers);
    const pooling = layers.filter(isPooling);
    const late = pooling.find((layer) => !hasMaps(layer)) ?? pooling.at(-1) ?? layers.at(-1);
    this.sides[0].list(layers, early);
    this.sides[1].list(layers, late);
  }
}

/** One of the two layers. */
class Side {
  /** @type {import("./scene.js").Layer} */
  layer;
  /** What it was before the shift; null while nothing is known. */
  known = null;
  said = "";

  constructor(place, shift) {
    this.place = place;
    this.shift = shift;
    this.select = element("select", { onchange: () => this.#choose() });
    this.numbers = element("p", { className: "change" });
    this.maps = element("div", { className: "few" });
    const label = element("label", { className: "field" }, element("span", { textContent: "Layer" }), this.select);
    place.append(label, this.maps, this.numbers);
  }

  list(layers, chosen) {
    this.layers = layers;
    this.select.replaceChildren(
      ...layers.map((layer) => element("option", { value: layer.index, textContent: `${layer.path} (${shape(layer.shape)})` })),
    );
    this.select.value = String(chosen.index);
    this.layer = chosen;
    this.forget();
  }

  #choose() {
    this.layer = this.layers[this.select.value];
    this.shift.chosen(this);
  }

  forget() {
    this.known = null;
  }

  call(photo) {
    const query = { layer: this.layer.path, format: "npy" };
    return { path: this.shift.scene.path("/feature-maps"), query, photo, output: "maps.npy" };
  }

  /** Get the layer of the photo where it lies. */
  async start(photo, signal) {
    const { values } = await this.shift.scene.service.array(this.call(photo), signal);
    const [channels, height, width] = hasMaps(this.layer) ? this.layer.shape : [1, 1, values.length];
    const size = height * width;
    const order = [...Array(channels).keys()];
    const strength = order.map((channel) => values.subarray(channel * size, (channel + 1) * size).reduce((a, b) => a + b, 0));
    order.sort((one, other) => strength[other] - strength[one]);
    this.known = { values, channels, height, width, shown: order.slice(0, SHOWN) };
  }

  /** Get the layer of the shifted photo, and how much it differs. */
  async compare(photo, amount, signal) {
    const { values } = await this.shift.scene.service.array(this.call(photo), signal);
    const { known } = this;
    const change = difference(values, known.values);
    const back = this.#movedBack(values, amount);
    return { values, change, back };
  }

  /** How much a map differs when it is moved back; null where that has no meaning. */
  #movedBack(values, amount) {
    const { receptive_field: seen } = this.layer;
    const { channels, height, width } = this.known;
    const step = seen.step?.at(-1);
    const places = amount / step;
    if (!amount || width === 1 || !step || !Number.isInteger(places)) return null;
    const margin = Math.ceil(seen.size.at(-1) / step) + 1; // those at the borders see other pixels, or padding
    const [first, last] = [margin + Math.max(0, places), width - margin + Math.min(0, places)];
    if (last - first < 2) return null;
    const [one, other] = [[], []];
    for (let row = 0; row < channels * height; row++) {
      for (let column = first; column < last; column++) {
        one.push(values[row * width + column]);
        other.push(this.known.values[row * width + column - places]);
      }
    }
    return { places, change: difference(one, other) };
  }

  draw({ values, change, back }) {
    const { known } = this;
    const { height, width, shown } = known;
    if (hasMaps(this.layer)) {
      this.maps.replaceChildren(...shown.map((channel) => drawn(values, known.values, channel, height, width)));
    } else {
      const canvas = element("canvas", { className: "profile", role: "img", ariaLabel: `${values.length} values` });
      profile(canvas, values, rangeOf(known.values));
      this.maps.replaceChildren(canvas);
    }
    this.said = `changed by ${percent(change)}`;
    if (back) this.said += `; moved back by ${back.places} ${Math.abs(back.places) === 1 ? "place" : "places"}, by ${percent(back.change)}`;
    this.numbers.replaceChildren(element("strong", { textContent: percent(change) }), ` change${back ? `. Moved back by ${back.places}: ` : ""}`);
    if (back) this.numbers.append(element("strong", { textContent: percent(back.change) }));
  }
}

/** One map, on the scale that it had before the shift. */
function drawn(values, before, channel, height, width) {
  const size = height * width;
  const of = (/** @type {Float32Array} */ all) => all.subarray(channel * size, (channel + 1) * size);
  const canvas = element("canvas", { className: "pixelated", role: "img", ariaLabel: `Channel ${channel}` });
  paint(canvas, of(values), { height, width, range: rangeOf(of(before)), colors: "viridis" });
  return canvas;
}

/** The length of a difference, as a part of the length of what was before. */
function difference(after, before) {
  let [apart, whole] = [0, 0];
  for (let i = 0; i < before.length; i++) {
    apart += (after[i] - before[i]) ** 2;
    whole += before[i] ** 2;
  }
  return whole > 0 ? Math.sqrt(apart / whole) : Number(apart > 0);
}

/**
 * The photo at the size at which a network resizes nothing, with room at both sides, so that each shift is a cut from the
 * same pixels.
 * @param {Photo} photo
 * @param {import("./scene.js").Input} input
 * @param {number} most The largest shift, in pixels of the input.
 */
async function frame(photo, input, most) {
  const whole = await photo.bitmap();
  const [width, height] = [input.width, input.height].map((size) => Math.round(size / input.crop_fraction));
  const factor = Math.max(width / whole.width, height / whole.height);
  const [drawnWidth, drawnHeight] = [Math.round(whole.width * factor), Math.round(whole.height * factor)];
  const wide = new OffscreenCanvas(width + 2 * most, height);
  const context = wide.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#808080"; // beyond the photo
  context.fillRect(0, 0, wide.width, wide.height);
  context.drawImage(whole, Math.round((wide.width - drawnWidth) / 2), Math.round((height - drawnHeight) / 2), drawnWidth, drawnHeight);
  const cut = (canvas, amount) => {
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").drawImage(wide, amount - most, 0);
  };
  return {
    draw: cut,
    async shifted(amount) {
      const canvas = new OffscreenCanvas(width, height);
      cut(canvas, amount);
      const name = `${photo.name.replace(/\.\w+$/, "")}-shifted.png`;
      return new Photo(await canvas.convertToBlob({ type: "image/png" }), name, { made: true });
    },
  };
}
