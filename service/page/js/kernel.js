/** The kernel of one channel. */

import { element } from "./element.js";
import { short, whole } from "./format.js";
import { paint, rangeOf } from "./picture.js";
import { Problem } from "./service.js";

const MOST = 12; // inputs that are shown
const MOST_BYTES = 16e6;

/**
 * Show the kernel of a channel; where the layer has none, say so as the service does.
 * @param {HTMLElement} place
 * @param {{scene: import("./scene.js").Scene, layer: import("./scene.js").Layer, channel: number, signal: AbortSignal}} of
 */
export async function showKernel(place, { scene, layer, channel, signal }) {
  if (4 * layer.parameters > MOST_BYTES) {
    place.replaceChildren(note(`The layer has ${whole(layer.parameters)} learned numbers: too many to be shown here.`));
    return;
  }
  try {
    const call = { path: scene.layerPath(layer, "/filters"), query: { format: "npy" } };
    const { shape, values } = await scene.service.array(call, signal);
    place.replaceChildren(...pictures(values, shape, channel, seesColors(layer, scene.model.input)));
  } catch (error) {
    if (!(error instanceof Problem) || error.kind !== "model-task") throw error;
    place.replaceChildren(note(`${error.message}.`));
  }
}

/** Whether a kernel looks at the red, green and blue of the photo itself. */
function seesColors({ kernel, receptive_field: { size } }, { color }) {
  return color === "rgb" && String(kernel) === String(size);
}

function pictures(values, shape, channel, inColor) {
  if (shape.length !== 4) return [note(`${shape.slice(1).join("×")} weights, without an extent.`)];
  const [, inputs, height, width] = shape;
  const size = height * width;
  const kernel = values.subarray(channel * inputs * size, (channel + 1) * inputs * size);
  const plane = (input) => kernel.subarray(input * size, (input + 1) * size);
  const strength = (input) => plane(input).reduce((sum, value) => sum + value * value, 0);
  const order = [...Array(inputs).keys()];
  if (inputs > 3) order.sort((one, other) => strength(other) - strength(one));
  const range = rangeOf(kernel);
  const colored = inColor && inputs === 3 ? [picture("in colour", composite(kernel, size, width, height))] : [];
  const names = inColor && inputs === 3 ? ["red", "green", "blue"] : null;
  const planes = order.slice(0, MOST).map((input) => {
    const canvas = element("canvas", { className: "pixelated" });
    paint(canvas, plane(input), { height, width, range, colors: "rdbu" });
    return picture(names?.[input] ?? (size > 1 ? `input ${input}` : `input ${input}: ${short(plane(input)[0])}`), canvas);
  });
  const which = inputs > MOST ? `the ${MOST} strongest of ${inputs} inputs` : inputs > 1 ? `all ${inputs} inputs` : "one input";
  const text = `${height}×${width} weights for ${which}; red is positive, blue negative, white 0; the largest is ${short(Math.max(Math.abs(range.low), Math.abs(range.high)))}.`;
  return [element("div", { className: "kernel" }, ...colored, ...planes), note(text)];
}

/** A kernel that sees colours, in these colours: 0 is grey. */
function composite(kernel, size, width, height) {
  const most = kernel.reduce((high, value) => Math.max(high, Math.abs(value)), 1e-12);
  const image = new ImageData(width, height);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = 127.5 * (1 + kernel[c * size + i] / most);
    image.data[4 * i + 3] = 255;
  }
  const canvas = element("canvas", { className: "pixelated", width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function picture(name, canvas) {
  return element("figure", {}, canvas, element("figcaption", { textContent: name }));
}

function note(text) {
  return element("p", { className: "quiet", textContent: text });
}
