/** The layers, and the feature maps of the one that is open. */

import { Channel } from "./channel.js";
import { Command } from "./command.js";
import { element, part, say } from "./element.js";
import { Field, sized } from "./field.js";
import { short, whole } from "./format.js";
import { Grid } from "./grid.js";
import { describe, firstOf, hasMaps } from "./layer.js";
import { profile, rangeOf } from "./picture.js";
import { Strip } from "./strip.js";
import { Task } from "./task.js";

export class Inside {
  /** @type {import("./scene.js").Layer | null} */
  #layer = null;
  #model = null;
  #opened = new AbortController();
  #pointing = new AbortController();
  #pointed = "";

  /**
   * @param {HTMLElement} panel
   * @param {import("./scene.js").Scene} scene
   * @param {import("./viewer.js").Viewer} viewer
   * @param {HTMLDialogElement} dialog For one channel.
   */
  constructor(panel, scene, viewer, dialog) {
    this.panel = panel;
    this.scene = scene;
    this.viewer = viewer;
    this.task = new Task(part(panel, "status"), panel);
    this.command = new Command(part(panel, "call"), scene.service);
    this.strip = new Strip(part(panel, "strip"), (layer) => this.#open(layer));
    this.grid = new Grid(part(panel, "grid"), {
      onOpen: (channel) => this.channel.open(this.#layer, channel, this.colors),
      onUnit: (...unit) => this.#point(...unit),
      onLeave: () => this.#leave(),
    });
    this.channel = new Channel(dialog, scene, this.grid);
    part(panel, "find").oninput = ({ target }) => this.#find(target.value);
    part(panel, "colormap").onchange = () => this.#restyle();
    part(panel, "scale").onchange = () => this.#restyle();
    part(panel, "order").onchange = () => this.#open(this.#layer);
  }

  get colors() {
    return part(this.panel, "colormap").value;
  }

  hide() {
    this.#end();
    this.task.stop();
  }

  show() {
    this.task.run(async (signal) => {
      const layers = await this.scene.layers(signal);
      if (this.#model !== this.scene.model) this.#list(layers);
      if (this.#layer) this.#open(this.#layer);
    });
  }

  #list(layers) {
    this.#model = this.scene.model;
    this.strip.show(layers);
    this.#find(part(this.panel, "find").value);
    this.#layer = firstOf(layers) ?? null;
  }

  #find(text) {
    const count = this.strip.narrow(text);
    part(this.panel, "found").textContent = `${count} ${count === 1 ? "layer" : "layers"}`;
  }

  #end() {
    this.#opened.abort();
    this.#leave();
  }

  #open(layer) {
    this.#end();
    this.#opened = new AbortController();
    this.#layer = layer;
    this.field = new Field(this.scene, layer);
    this.strip.mark(layer);
    part(this.panel, "name").textContent = layer.path;
    part(this.panel, "facts").textContent = describe(layer);
    part(this.panel, "controls").hidden = !hasMaps(layer);
    if (!this.scene.crop) {
      this.grid.clear();
      this.command.show(null);
      return;
    }
    this.task.run((signal) => (hasMaps(layer) ? this.#showMaps(layer, signal) : this.#showValues(layer, signal)));
  }

  async #showMaps(layer, signal) {
    const [, height, width] = layer.shape;
    const order = await this.#order(layer, signal);
    const look = await this.#look(layer, signal);
    this.command.show(this.#callFor(layer, order.slice(0, 64)));
    this.grid.show({ order, height, width, look, fetch: (channels) => this.#fetch(layer, channels) });
    say(`${layer.path}: ${layer.shape[0]} maps of ${height} by ${width}`);
  }

  /** A layer whose values have no place: drawn side by side. */
  async #showValues(layer, signal) {
    const call = this.#callFor(layer, null);
    this.command.show(call);
    const { values } = await this.scene.service.array(call, signal);
    const canvas = element("canvas", { className: "profile", role: "img" });
    profile(canvas, values);
    const { low, high } = rangeOf(values);
    const text = `${whole(values.length)} values, from ${short(low)} to ${short(high)}`;
    canvas.setAttribute("aria-label", text);
    this.grid.clear();
    this.grid.place.append(element("figure", { className: "wide" }, canvas, element("figcaption", { className: "quiet", textContent: text })));
    say(`${layer.path}: ${text}`);
  }

  #callFor(layer, channels) {
    const query = { layer: layer.path, format: "npy" };
    if (channels && channels.length < layer.shape[0]) query.channels = ranges(channels);
    return { path: this.scene.path("/feature-maps"), query, photo: this.scene.photo, output: "maps.npy" };
  }

  /** Maps for the grid; nothing where they could not be had. */
  async #fetch(layer, channels) {
    const { signal } = this.#opened;
    try {
      return (await this.scene.service.array(this.#callFor(layer, channels), signal)).values;
    } catch (error) {
      if (!signal.aborted) this.task.fail(error, () => this.#open(layer));
    }
  }

  async #order(layer, signal) {
    const numbers = [...Array(layer.shape[0]).keys()];
    if (part(this.panel, "order").value === "number") return numbers;
    const query = { layer: layer.path, reduce: "mean", format: "npy" };
    const call = { path: this.scene.path("/feature-maps"), query, photo: this.scene.photo };
    const { values } = await this.scene.service.array(call, signal);
    return numbers.sort((one, other) => values[other] - values[one]);
  }

  async #look(layer, signal) {
    const look = { colors: this.colors, range: null };
    if (part(this.panel, "scale").value === "channel") return look;
    const query = { layer: layer.path, statistics: "true" };
    const call = { path: this.scene.path("/feature-maps"), query, photo: this.scene.photo };
    const { results } = await this.scene.service.json(call, signal);
    const { min, max } = results[0].maps[0].statistics;
    return { ...look, range: { low: min, high: max } };
  }

  #restyle() {
    const layer = this.#layer;
    this.task.run(async (signal) => this.grid.restyle(await this.#look(layer, signal)));
  }

  async #point(channel, row, column, value) {
    const pointed = `${channel} ${row} ${column}`;
    if (pointed === this.#pointed) return;
    this.#pointed = pointed;
    this.#pointing.abort();
    const { signal } = (this.#pointing = new AbortController());
    const text = `Channel ${channel}, row ${row}, column ${column}: ${short(value)}`;
    try {
      const box = await this.field.box(row, column, signal);
      if (!signal.aborted) this.viewer.point(box, `${text}. ${sized(box)}`);
    } catch (error) {
      if (!signal.aborted) this.viewer.point(null, `${text}. ${error.message}`);
    }
  }

  #leave() {
    this.#pointing.abort();
    this.#pointed = "";
    this.viewer.point(null, "");
  }
}

/**
 * Channels as the service reads them.
 * @param {number[]} channels
 * @example ranges([0, 1, 2, 5]) // "0-2,5"
 */
function ranges(channels) {
  const runs = [];
  for (const channel of channels) {
    const last = runs.at(-1);
    if (last && channel === last[1] + 1) last[1] = channel;
    else runs.push([channel, channel]);
  }
  return runs.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(",");
}
