/** One channel of a layer: large, over the photo, with its kernel and its statistics. */

import { Command } from "./command.js";
import { element, part } from "./element.js";
import { Field, sized } from "./field.js";
import { percent, short, whole } from "./format.js";
import { unitAt } from "./grid.js";
import { showKernel } from "./kernel.js";
import { outline, paint, rangeOf } from "./picture.js";
import { Task } from "./task.js";
import { drawSeen } from "./viewer.js";

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export class Channel {
  #map = document.createElement("canvas");
  #values = new Float32Array();
  #unit = null;
  #box = null;
  #pointing = new AbortController();

  /**
   * @param {HTMLDialogElement} dialog
   * @param {import("./scene.js").Scene} scene
   * @param {import("./grid.js").Grid} grid Where the channels before and after are found.
   */
  constructor(dialog, scene, grid) {
    this.dialog = dialog;
    this.scene = scene;
    this.grid = grid;
    this.canvas = part(dialog, "map");
    this.opacity = part(dialog, "opacity");
    this.task = new Task(part(dialog, "status"), dialog);
    this.command = new Command(part(dialog, "call"), scene.service);
    part(dialog, "close").onclick = () => dialog.close();
    part(dialog, "previous").onclick = () => this.#turn("previous");
    part(dialog, "next").onclick = () => this.#turn("next");
    this.opacity.oninput = () => this.#draw();
    for (const type of ["pointermove", "pointerdown"]) this.canvas.addEventListener(type, (event) => this.#pointAt(event));
    this.canvas.addEventListener("keydown", (event) => this.#move(event));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => this.#closed());
    scene.addEventListener("crop", () => dialog.close());
  }

  /**
   * @param {import("./scene.js").Layer} layer With maps.
   * @param {number} number Of the channel.
   * @param {import("./colormap.js").ColormapName} colors
   */
  open(layer, number, colors) {
    Object.assign(this, { layer, number, colors, field: new Field(this.scene, layer) });
    const { previous, next } = this.grid.beside(number);
    part(this.dialog, "title").textContent = `${layer.path}, channel ${number} of ${layer.shape[0]}`;
    part(this.dialog, "previous").disabled = previous === undefined;
    part(this.dialog, "next").disabled = next === undefined;
    if (!this.dialog.open) this.dialog.showModal();
    this.task.run((signal) => this.#show(signal));
  }

  #turn(way) {
    this.open(this.layer, this.grid.beside(this.number)[way], this.colors);
  }

  #closed() {
    this.task.stop();
    this.#pointing.abort();
    this.grid.focus(this.number);
  }

  #call(more) {
    const query = { layer: this.layer.path, channels: this.number, ...more };
    return { path: this.scene.path("/feature-maps"), query, photo: this.scene.photo };
  }

  async #show(signal) {
    const { scene, layer, number, dialog } = this;
    const [, height, width] = layer.shape;
    const call = { ...this.#call({ format: "npy" }), output: "map.npy" };
    this.command.show(call);
    const { values } = await scene.service.array(call, signal);
    this.#values = values;
    paint(this.#map, values, { height, width, range: rangeOf(values), colors: this.colors });
    this.canvas.setAttribute("aria-label", `Feature map ${number}, ${height} by ${width} units: arrow keys move among them`);
    this.#box = null;
    this.#unit = this.#unit && this.#unit.row < height && this.#unit.column < width ? this.#unit : null;
    this.#draw();
    if (this.#unit) this.#point(this.#unit);
    const { results } = await scene.service.json(this.#call({ statistics: "true" }), signal);
    part(dialog, "statistics").replaceChildren(...numbers(results[0].maps[0].statistics));
    await showKernel(part(dialog, "kernel"), { scene, layer, channel: number, signal });
  }

  #pointAt(event) {
    const [, height, width] = this.layer.shape;
    this.#point(unitAt(event, this.canvas, height, width));
  }

  #move(event) {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const [, height, width] = this.layer.shape;
    const { row, column } = this.#unit ?? { row: Math.floor(height / 2), column: Math.floor(width / 2) };
    this.#point({
      row: Math.max(0, Math.min(height - 1, row + step[0])),
      column: Math.max(0, Math.min(width - 1, column + step[1])),
    });
  }

  async #point({ row, column }) {
    if (this.#unit?.row === row && this.#unit.column === column && this.#box) return;
    this.#pointing.abort();
    const { signal } = (this.#pointing = new AbortController());
    this.#unit = { row, column };
    const value = this.#values[row * this.layer.shape[2] + column];
    const text = `Row ${row}, column ${column}: ${short(value)}.`;
    try {
      this.#box = await this.field.box(row, column, signal);
      if (signal.aborted) return;
      part(this.dialog, "readout").textContent = `${text} ${sized(this.#box)}`;
    } catch (error) {
      if (signal.aborted) return;
      part(this.dialog, "readout").textContent = `${text} ${error.message}`;
    }
    this.#draw();
  }

  #draw() {
    const { canvas, scene } = this;
    const map = this.#map;
    const scale = Math.max(1, Math.ceil(448 / map.width)); // so that the mark of a unit is thin
    [canvas.width, canvas.height] = [map.width * scale, map.height * scale];
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.drawImage(map, 0, 0);
    if (this.#unit) {
      const { row, column } = this.#unit;
      outline(context, { left: column, top: row, right: column + 1, bottom: row + 1 }, 1 / scale);
    }
    if (!scene.crop) return;
    const over = { canvas: map, opacity: this.opacity.value / 100 };
    drawSeen(part(this.dialog, "photo"), scene.crop, this.#box, over);
  }
}

/** Statistics as entries of a list. */
function numbers(found) {
  const rows = {
    mean: short(found.mean),
    deviation: short(found.deviation),
    smallest: short(found.min),
    median: short(found.quantiles["0.5"]),
    largest: short(found.max),
    zeros: percent(found.sparsity),
    units: whole(found.values),
  };
  if (found.nan + found.infinite > 0) rows["not finite"] = whole(found.nan + found.infinite);
  return Object.entries(rows).map(([name, value]) =>
    element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value })),
  );
}
