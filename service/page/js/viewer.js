/** What the network sees of the photo, and the box of it that a unit sees. */

import { part } from "./element.js";
import { dimOutside, outline, sharpen } from "./picture.js";

export class Viewer {
  /**
   * @param {HTMLElement} panel
   * @param {import("./scene.js").Scene} scene
   */
  constructor(panel, scene) {
    this.scene = scene;
    /** @type {HTMLCanvasElement} */
    this.canvas = part(panel, "seen");
    this.caption = part(panel, "caption");
    this.readout = part(panel, "readout");
    scene.addEventListener("crop", () => this.#show());
  }

  #show() {
    const { crop, photo } = this.scene;
    this.point(null, "");
    if (!crop) {
      this.caption.textContent = photo?.name ?? "";
      this.canvas.setAttribute("aria-label", "No photo yet");
      return;
    }
    const size = `${crop.width}×${crop.height}`;
    this.caption.textContent = `The middle of ${photo.name}, at ${size} pixels. ${photo.note}`;
    this.canvas.setAttribute("aria-label", `What the network sees of ${photo.name}, ${size} pixels`);
  }

  /**
   * Show what a unit sees.
   * @param {import("./field.js").Box | null} box
   * @param {string} text
   */
  point(box, text) {
    const { crop } = this.scene;
    this.readout.textContent = text;
    if (!crop) {
      this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
      return;
    }
    drawSeen(this.canvas, crop, box);
  }
}

/**
 * Draw what the network sees, and a box on it.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} crop
 * @param {import("./field.js").Box | null} box
 * @param {{canvas: CanvasImageSource, opacity: number} | null} over What lies over the photo.
 */
export function drawSeen(canvas, crop, box, over = null) {
  const scale = Math.max(1, Math.ceil(448 / crop.width)); // so that lines are thin on small inputs
  const [width, height] = [crop.width * scale, crop.height * scale];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.imageSmoothingEnabled = false; // the pixels are what the network sees
  context.drawImage(crop, 0, 0);
  if (over) {
    context.globalAlpha = over.opacity;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(over.canvas, 0, 0, crop.width, crop.height);
    context.globalAlpha = 1;
  }
  if (box) {
    dimOutside(context, box, crop);
    outline(context, box, 1 / scale);
  }
  canvas.dataset.box = box ? [box.left, box.top, box.right, box.bottom].join(" ") : "";
  sharpen(canvas);
}
