/** Arrays as NumPy writes them. */

/**
 * An array.
 * @typedef {{shape: number[], values: Float32Array}} NumberArray
 */

const MAGIC = "\x93NUMPY";

/**
 * Read an npy file of little-endian float32 in C order, which is what the service sends.
 * @param {ArrayBuffer} buffer
 * @returns {NumberArray}
 */
export function parseNpy(buffer) {
  const view = new DataView(buffer);
  const magic = String.fromCharCode(...new Uint8Array(buffer, 0, 6));
  if (magic !== MAGIC) throw new Error("the answer is no npy file");
  const wide = view.getUint8(6) > 1;
  const start = wide ? 12 : 10;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder("latin1").decode(new Uint8Array(buffer, start, length));
  if (!header.includes("'<f4'") || header.includes("True")) throw new Error(`the array is not float32: ${header}`);
  const shape = /\(([^)]*)\)/.exec(header)[1].split(",").filter((size) => size.trim()).map(Number);
  return { shape, values: new Float32Array(buffer, start + length) };
}
