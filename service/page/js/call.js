/** One call of the service: what the page asks, and the `curl` that asks the same. */

/**
 * A call.
 * @typedef {object} Call
 * @property {string} path Below the address of the page, as `v1/models`.
 * @property {Record<string, string | number>} [query]
 * @property {import("./photo.js").Photo} [photo] Sent as the body; the call is a GET where there is none.
 * @property {string} [output] The file for an answer that is not text.
 */

/**
 * The address of a call, relative to the page.
 * @param {Call} call
 */
export function address(call) {
  const query = new URLSearchParams(Object.entries(call.query ?? {}).map(([name, value]) => [name, String(value)]));
  return call.query ? `${call.path}?${query}` : call.path;
}

/**
 * The same call, for a shell.
 * @param {Call} call
 * @param {{hasKey: boolean}} how Whether the service wants a key; it is not written out, but taken from $KEY.
 */
export function curl(call, { hasKey }) {
  const key = hasKey ? ['-H "Authorization: Bearer $KEY"'] : [];
  const body = call.photo ? [`--data-binary @${call.photo.address ? "-" : quoted(call.photo.name)}`] : [];
  const output = call.output ? [`-o ${call.output}`] : [];
  const lines = [...key, ...body, quoted(new URL(address(call), document.baseURI).href), ...output];
  const fetched = call.photo?.address ? `curl -s ${quoted(new URL(call.photo.address, document.baseURI).href)} |\n` : "";
  return `${fetched}curl -s ${lines.join(" \\\n  ")}`;
}

/**
 * A layer's path as part of an address; it may hold slashes.
 * @param {string} layer
 */
export const inPath = (layer) => layer.split("/").map(encodeURIComponent).join("/");

/** @param {string} text For a shell. */
function quoted(text) {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
