/** What is looked at: a network and a photo. */

import { inPath } from "./call.js";
import { Problem } from "./service.js";

/** @typedef {{height: number, width: number, color: string, crop_fraction: number}} Input */
/** @typedef {{model: string, version: number, versions: number[], state: string, reason: string | null,
 *   summary: string | null, input: Input | null, classes: number | null}} Model */
/** @typedef {{status: string, size: number[] | null, step: number[] | null, start: number[] | null}} Seen */
/** @typedef {{index: number, path: string, aliases: string[], operator: string, shape: (number | null)[] | null,
 *   kernel: number[] | null, stride: number[] | null, parameters: number, flops: number | null,
 *   receptive_field: Seen, dense: Record<string, number> | null}} Layer */

// Pixels of the copies of a photo that is too large; the last one is not made smaller any more.
const SIDES = [2048, 1024, 512, 0];

/** Tells by events: "model" (another network), "crop" (what the network sees has come, or another photo has), "task". */
export class Scene extends EventTarget {
  /** @type {Model | null} */
  model = null;
  /** @type {import("./photo.js").Photo | null} */
  photo = null;
  /** @type {ImageBitmap | null} What the network sees of the photo; null while it is not known. */
  crop = null;
  /** @type {Layer[] | null} */
  #layers = null;

  /** @param {import("./service.js").Service} service */
  constructor(service) {
    super();
    this.service = service;
  }

  /** @param {Model} model */
  use(model) {
    this.model = model;
    this.crop = null;
    this.#layers = null;
    this.dispatchEvent(new Event("model"));
  }

  /** The path of a call about this network. */
  path(rest = "") {
    const { model, version, versions } = this.model;
    const chosen = versions.length > 1 ? `/versions/${version}` : "";
    return `v1/models/${encodeURIComponent(model)}${chosen}${rest}`;
  }

  /** The path of a call about a layer. */
  layerPath(layer, rest) {
    return this.path(`/layers/${inPath(layer.path)}${rest}`);
  }

  /**
   * Look at a photo.  One that is too large for the service is made smaller until it is not.
   * @param {import("./photo.js").Photo} photo
   * @param {AbortSignal} signal
   */
  async look(photo, signal) {
    this.photo = photo;
    this.crop = null;
    this.dispatchEvent(new Event("crop"));
    for (const side of SIDES) {
      try {
        await this.#see(this.photo, signal);
        return;
      } catch (error) {
        if (!(error instanceof Problem) || error.kind !== "request-too-large" || !side) throw error;
        const smaller = await photo.smaller(side, error.message).catch(() => Promise.reject(error));
        if (signal.aborted) return;
        this.photo = smaller;
      }
    }
  }

  async #see(photo, signal) {
    const call = { path: this.path("/preprocessed"), photo };
    const blob = await this.service.ask(call, signal, (response) => response.blob());
    const crop = await createImageBitmap(blob);
    if (signal.aborted) return;
    this.crop = crop;
    this.dispatchEvent(new Event("crop"));
  }

  /**
   * The layers of the network, in order of execution.
   * @param {AbortSignal} signal
   * @returns {Promise<Layer[]>}
   */
  async layers(signal) {
    const model = this.model;
    if (this.#layers) return this.#layers;
    const { layers } = await this.service.json({ path: this.path("/layers") }, signal);
    if (model === this.model) this.#layers = layers;
    return layers;
  }

  /**
   * Ask what only a network with classes answers.  Whether it has any is found out by asking: "task" tells of one that
   * has none.
   * @param {() => Promise<void>} ask
   */
  async askForClasses(ask) {
    try {
      await ask();
    } catch (error) {
      if (!(error instanceof Problem) || error.kind !== "model-task") throw error;
      this.dispatchEvent(new Event("task"));
    }
  }
}
