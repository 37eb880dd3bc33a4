/** A photo, as it is sent to the service. */

const QUALITY = 0.92;

/** The samples: every service has them. */
export const SAMPLES = [
  { address: "page/samples/cat.jpg", name: "cat.jpg", label: "Cat" },
  { address: "page/samples/coffee.jpg", name: "coffee.jpg", label: "Coffee" },
  { address: "page/samples/boot.png", name: "boot.png", label: "Boot" },
];

export class Photo {
  /**
   * @param {Blob} blob Its bytes.
   * @param {string} name Of its file.
   * @param {{address?: string, made?: boolean, note?: string}} more `address`: where the service has it; `made`: the
   *   page made it, so that nobody has its file; `note`: what to say about it.
   */
  constructor(blob, name, { address = "", made = false, note = "" } = {}) {
    this.blob = blob;
    this.name = name;
    this.address = address;
    this.made = made;
    this.note = note;
  }

  /** Decoded, upright.  Rejects where this browser cannot decode it. */
  bitmap() {
    return createImageBitmap(this.blob, { imageOrientation: "from-image" });
  }

  /**
   * A copy with fewer pixels.
   * @param {number} side Of the copy, at most, in pixels.
   * @param {string} reason Why there is one.
   */
  async smaller(side, reason) {
    const whole = await this.bitmap();
    const factor = Math.min(1, side / Math.max(whole.width, whole.height));
    const canvas = new OffscreenCanvas(Math.round(whole.width * factor), Math.round(whole.height * factor));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(whole, 0, 0, canvas.width, canvas.height);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
    const note = `The service refused the photo as it is (${reason}). It gets a copy of ${canvas.width}×${canvas.height}.`;
    return new Photo(blob, `${this.name.replace(/\.\w+$/, "")}-smaller.jpg`, { made: true, note });
  }
}
