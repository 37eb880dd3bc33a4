/** Elements, made and found. */

/**
 * Make an element.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag Its name.
 * @param {Record<string, unknown>} properties Properties, or attributes where there is no such property.
 * @param {...(Node | string)} children What it holds.
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * The part of an element that has a name (`data-part`).
 * @param {ParentNode} whole
 * @param {string} name
 * @returns {any} An element; which kind is seen in index.html.
 */
export function part(whole, name) {
  const found = whole.querySelector(`[data-part="${name}"]`);
  if (!found) throw new Error(`there is no part ${name}`);
  return found;
}

/**
 * Tell screen readers of a result.
 * @param {string} text
 */
export function say(text) {
  document.getElementById("said").textContent = text;
}
