/** Numbers and names as people read them. */

const LARGE = new Intl.NumberFormat("en", { notation: "compact", compactDisplay: "long", maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en");

/** @param {number} value As 1,234,567. */
export const whole = (value) => WHOLE.format(value);

/** @param {number} value As 1.23 million. */
export const large = (value) => (value < 1e6 ? WHOLE.format(Number(value.toPrecision(3))) : LARGE.format(value));

/** @param {number} part From 0 to 1, as 12.3 %. */
export const percent = (part) => `${(100 * part).toFixed(part > 0 && part < 0.0995 ? 2 : 1)} %`;

/** @param {number | null} value With three significant digits. */
export function short(value) {
  if (value === null || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

/** @param {number[] | null} sizes As 64×56×56. */
export const shape = (sizes) => (sizes ? sizes.map((size) => size ?? "?").join("×") : "not fixed");

/** @param {{class_id: number | null, label: string | null}} found The name of a class. */
export const className = (found) => found.label ?? `class ${found.class_id}`;
