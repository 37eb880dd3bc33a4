/** A layer of a network, as the layer table has it. */

import { sees } from "./field.js";
import { large, shape } from "./format.js";

/**
 * Whether the values of a layer have places.
 * @param {import("./scene.js").Layer} layer
 */
export function hasMaps({ shape: sizes }) {
  return sizes?.length === 3 && sizes.every(Boolean) && sizes[1] * sizes[2] > 1;
}

/**
 * The layer to begin with: the first that is learned and has maps.
 * @param {import("./scene.js").Layer[]} layers
 */
export function firstOf(layers) {
  return layers.find((layer) => layer.dense && hasMaps(layer)) ?? layers.find(hasMaps) ?? layers[0];
}

/**
 * Whether a layer puts many values into one.
 * @param {import("./scene.js").Layer} layer
 */
export function isPooling({ operator }) {
  return /Pool|Reduce/.test(operator);
}

/**
 * What it is, in one line.
 * @param {import("./scene.js").Layer} layer
 */
export function describe(layer) {
  const window = layer.kernel && `kernel ${shape(layer.kernel)}, stride ${shape(layer.stride)}`;
  const weights = layer.parameters > 0 && `${large(layer.parameters)} learned numbers`;
  const work = layer.flops > 0 && `${large(layer.flops)} operations`;
  const aliases = layer.aliases.length > 0 && `also called ${layer.aliases.join(", ")}`;
  return [layer.operator, shape(layer.shape), window, sees(layer), weights, work, aliases].filter(Boolean).join(" · ");
}
