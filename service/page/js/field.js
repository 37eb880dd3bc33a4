/** The receptive field of a layer: which pixels each of its units sees, as the service says. */

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box */

/**
 * What the units of one layer see.  The left and right edge of a box are known by the unit's column, the top and bottom by
 * its row, so that few answers tell of all units.
 */
export class Field {
  /** @type {Map<number, [number, number]>} */
  #rows = new Map();
  /** @type {Map<number, [number, number]>} */
  #columns = new Map();

  /**
   * @param {import("./scene.js").Scene} scene
   * @param {import("./scene.js").Layer} layer
   */
  constructor(scene, layer) {
    this.scene = scene;
    this.layer = layer;
  }

  /** The call that tells of a unit. */
  call(row, column) {
    return { path: this.scene.layerPath(this.layer, "/receptive-field"), query: { row, column } };
  }

  /**
   * @param {number} row
   * @param {number} column
   * @param {AbortSignal} signal
   * @returns {Promise<Box | null>} Null where it is not known.
   */
  async box(row, column, signal) {
    if (!this.#rows.has(row) || !this.#columns.has(column)) {
      const { box } = await this.scene.service.json(this.call(row, column), signal);
      if (!box) return null;
      this.#rows.set(row, [box.top, box.bottom]);
      this.#columns.set(column, [box.left, box.right]);
    }
    const [top, bottom] = this.#rows.get(row);
    const [left, right] = this.#columns.get(column);
    return { left, top, right, bottom };
  }
}

/**
 * A box in words.
 * @param {Box | null} box
 */
export function sized(box) {
  return box ? `It sees ${box.right - box.left}×${box.bottom - box.top} pixels.` : "What it sees is not known.";
}

/**
 * How far a layer sees, in words.
 * @param {import("./scene.js").Layer} layer
 */
export function sees({ receptive_field: { status, size } }) {
  if (!size) return "sees: not known";
  const [height, width] = size.length === 2 ? size : [1, ...size];
  if (status === "whole input") return "sees everything";
  return `sees ${status === "upper bound" ? "at most " : ""}${width}×${height}`;
}
