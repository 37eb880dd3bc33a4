/** Perceptual colour maps: the ones that the service draws with. */

/** @typedef {"grey" | "viridis" | "magma" | "rdbu"} ColormapName */

// Seventeen colours of each of matplotlib's maps of these names (CC0), evenly spread.
const COLORS = {
  grey: "000000 ffffff",
  viridis:
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1f9f88 27ad81 3dbc74 5cc863 81d34d aadc32 d5e21a fde725",
  magma:
    "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 cf4070 e55064 f4695c fb8761 fea571 fec287 fde0a1 fcfdbf",
  rdbu: "053061 175290 2a71b2 3f8ec0 6bacd1 9bc9e0 c2ddec e0ecf3 f7f6f6 fbe6da fbceb7 f5ac8b e58368 d25849 bb2a34 960f27 67001f",
};
const LEVELS = 256;

/** @type {Map<string, Uint32Array>} */
const tables = new Map();

/**
 * The colours of the levels 0 to 255, each as the four bytes of a pixel.
 * @param {ColormapName} name
 * @returns {Uint32Array}
 */
export function colormap(name) {
  const known = tables.get(name);
  if (known) return known;
  const table = mixed(COLORS[name].split(" ").map((hex) => hex.match(/../g).map((pair) => parseInt(pair, 16))));
  tables.set(name, table);
  return table;
}

/** @param {number[][]} anchors Colours, evenly spread. */
function mixed(anchors) {
  const bytes = new Uint8ClampedArray(4 * LEVELS);
  for (let level = 0; level < LEVELS; level++) {
    const place = (level / (LEVELS - 1)) * (anchors.length - 1);
    const first = Math.min(Math.floor(place), anchors.length - 2);
    for (let c = 0; c < 3; c++) {
      bytes[4 * level + c] = anchors[first][c] + (place - first) * (anchors[first + 1][c] - anchors[first][c]);
    }
    bytes[4 * level + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}
