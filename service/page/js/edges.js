/** The filter bank: kernels that are written down, on one's own photo. */

import { Command } from "./command.js";
import { element, part } from "./element.js";
import { hasMaps } from "./layer.js";
import { paint, rangeOf } from "./picture.js";
import { Task } from "./task.js";

const BANK = "filter-bank";

export class Edges {
  /**
   * @param {HTMLElement} area
   * @param {import("./scene.js").Scene} scene
   */
  constructor(area, scene) {
    this.area = area;
    this.scene = scene;
    this.bank = part(area, "bank");
    this.task = new Task(part(area, "status"), area);
    this.command = new Command(part(area, "call"), scene.service);
  }

  /** @param {boolean} served Whether there is a filter bank. */
  offer(served) {
    this.area.hidden = !served;
  }

  hide() {
    this.task.stop();
  }

  show() {
    if (this.scene.crop && !this.area.hidden) this.task.run((signal) => this.#show(signal));
    else this.task.stop();
  }

  async #show(signal) {
    const { service, photo } = this.scene;
    const { layers } = await service.json({ path: `v1/models/${BANK}/layers` }, signal);
    const shown = layers.filter((layer) => hasMaps(layer) && layer.shape[0] === 1);
    const figures = await Promise.all(shown.map((layer) => this.#figure(layer, photo, signal)));
    if (signal.aborted) return;
    this.bank.replaceChildren(...figures);
    this.command.show(callFor(shown[0], photo));
  }

  async #figure(layer, photo, signal) {
    const { values, shape } = await this.scene.service.array(callFor(layer, photo), signal);
    const [, , height, width] = shape;
    const range = rangeOf(values);
    const canvas = element("canvas", { className: "pixels", role: "img", ariaLabel: `The photo through ${layer.path}` });
    const isSigned = -range.low > range.high / 2; // sharpening goes a little below 0, edges as far as above
    paint(canvas, values, { height, width, range, colors: isSigned ? "rdbu" : "grey" });
    const onclick = () => this.command.show(callFor(layer, photo));
    const button = element("button", { type: "button", className: "plain", textContent: layer.path, onclick, title: "Show its call" });
    return element("figure", {}, canvas, element("figcaption", {}, button));
  }
}

function callFor(layer, photo) {
  const query = { layer: layer.path, channels: 0, format: "npy" };
  return { path: `v1/models/${BANK}/feature-maps`, query, photo, output: `${layer.path}.npy` };
}
