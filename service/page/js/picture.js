/** Numbers become pictures on a canvas. */

import { colormap } from "./colormap.js";

/** @typedef {{low: number, high: number}} Range */

// Of the largest value; what varies less is the same everywhere, but for rounding.
const NOISE = 1e-6;

/**
 * The smallest and largest finite value; both 0 where there is none.
 * @param {Float32Array} values
 * @returns {Range}
 */
export function rangeOf(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low && value !== -Infinity) low = value;
    if (value > high && value !== Infinity) high = value;
  }
  return low <= high ? { low, high } : { low: 0, high: 0 };
}

/**
 * A range with 0 in the middle, for colours that have a middle.
 * @param {Range} range
 * @returns {Range}
 */
export function symmetric({ low, high }) {
  const most = Math.max(Math.abs(low), Math.abs(high));
  return { low: -most, high: most };
}

/**
 * Draw values on a canvas, one pixel each; NaN is the lowest.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas It gets the size of the map.
 * @param {Float32Array} values Row by row.
 * @param {{height: number, width: number, range: Range, colors: import("./colormap.js").ColormapName}} how
 */
export function paint(canvas, values, { height, width, range, colors }) {
  const { low, high } = colors === "rdbu" ? symmetric(range) : range;
  const table = colormap(colors);
  const varies = high - low > NOISE * Math.max(Math.abs(low), Math.abs(high));
  const factor = varies ? 255 / (high - low) : 0;
  const plain = varies ? 0 : colors === "rdbu" ? 127.5 : 0;
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) {
    const level = (values[i] - low) * factor + plain;
    pixels[i] = table[level > 0 ? (level < 255 ? Math.round(level) : 255) : 0];
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * Mark a box on a canvas from outside, to be seen on dark and on light.
 * @param {CanvasRenderingContext2D} context In pixels of the photo.
 * @param {{left: number, top: number, right: number, bottom: number}} box
 * @param {number} thick Of the line, in the same pixels.
 */
export function outline(context, box, thick) {
  for (const [color, line] of [["#000", 5 * thick], ["#fb923c", 3 * thick]]) {
    context.strokeStyle = color;
    context.lineWidth = line;
    const away = 1.5 * thick;
    context.strokeRect(box.left - away, box.top - away, box.right - box.left + 2 * away, box.bottom - box.top + 2 * away);
  }
}

/**
 * Darken what lies outside a box.
 * @param {CanvasRenderingContext2D} context In pixels of the photo.
 * @param {{left: number, top: number, right: number, bottom: number}} box
 * @param {{width: number, height: number}} photo
 */
export function dimOutside(context, box, photo) {
  const rest = new Path2D();
  rest.rect(0, 0, photo.width, photo.height);
  rest.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  context.fillStyle = "#0006";
  context.fill(rest, "evenodd");
}

/**
 * Keep photos of few pixels sharp: their pixels are what is to be seen.
 * @param {HTMLCanvasElement} canvas
 */
export function sharpen(canvas) {
  canvas.classList.toggle("pixelated", Math.max(canvas.width, canvas.height) < 160);
}

const PROFILE_HEIGHT = 96;

/**
 * Draw values side by side, as bars up and down from 0.
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array} values
 * @param {Range} range Of the bars.
 */
export function profile(canvas, values, range = rangeOf(values)) {
  const [low, high] = [Math.min(range.low, 0), Math.max(range.high, 0)];
  canvas.width = Math.max(values.length, 320);
  canvas.height = PROFILE_HEIGHT;
  const context = canvas.getContext("2d");
  context.fillStyle = "#c2410c";
  const wide = canvas.width / values.length;
  const scale = high > low ? PROFILE_HEIGHT / (high - low) : 0;
  for (const [i, value] of values.entries()) {
    const top = (high - Math.max(value, 0)) * scale;
    context.fillRect(i * wide, top, Math.max(1, wide * 0.8), Math.max(0.5, Math.abs(value) * scale));
  }
}
