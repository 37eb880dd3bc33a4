/** Arrow keys among many: one of them is reached by Tab, the others from there. */

/**
 * Make the items of an element reachable by arrow keys, Home and End.
 * @param {HTMLElement} whole
 * @param {string} selector Of its items.
 * @param {{columns?: () => number, onMove?: (item: HTMLElement) => void}} more How many items lie side by side, where
 *   they are a grid; what to do when one is reached.
 */
export function rove(whole, selector, { columns, onMove } = {}) {
  whole.addEventListener("focusin", ({ target }) => {
    if (target.matches(selector)) reachable(whole, selector, target);
  });
  whole.addEventListener("keydown", (event) => {
    const items = [...whole.querySelectorAll(selector)];
    const here = items.indexOf(document.activeElement);
    if (here < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const target = items[placeAfter(event.key, here, items.length, columns)];
    if (!target) return;
    event.preventDefault();
    target.focus();
    onMove?.(target);
  });
}

/**
 * Let Tab reach one item of all.
 * @param {HTMLElement} whole
 * @param {string} selector
 * @param {HTMLElement | null} item The first where it is null.
 */
export function reachable(whole, selector, item = null) {
  const items = whole.querySelectorAll(selector);
  const chosen = item ?? items[0];
  for (const other of items) other.tabIndex = other === chosen ? 0 : -1;
}

/** Where a key leads to; nowhere is undefined. */
function placeAfter(key, here, count, columns) {
  switch (key) {
    case "ArrowRight":
      return here + 1;
    case "ArrowLeft":
      return here - 1;
    case "ArrowDown":
      return columns && here + columns();
    case "ArrowUp":
      return columns && here - columns();
    case "Home":
      return 0;
    case "End":
      return count - 1;
  }
}
