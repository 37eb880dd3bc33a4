/** How photos come in: dropped, pasted, picked, taken, or one of the samples. */

import { element, part } from "./element.js";
import { Photo, SAMPLES } from "./photo.js";

export class Intake extends EventTarget {
  /**
   * Tells each new photo by an event "photo" (`detail`: a function that gives the photo).
   * @param {HTMLElement} panel
   * @param {HTMLElement} drop Shown while something is dragged over the page.
   */
  constructor(panel, drop) {
    super();
    const [file, camera] = [part(panel, "file"), part(panel, "camera")];
    part(panel, "pick").onclick = () => file.click();
    part(panel, "take").onclick = () => camera.click();
    for (const input of [file, camera]) {
      input.onchange = () => {
        this.#takeFirst(input.files);
        input.value = ""; // so that the same file can be chosen again
      };
    }
    part(panel, "samples").append(...SAMPLES.map((sample) => this.#button(sample)));
    document.addEventListener("paste", (event) => this.#takeFirst(event.clipboardData.files));
    this.#acceptDrops(drop);
  }

  /** @param {{address: string, name: string, label: string}} sample */
  takeSample(sample) {
    this.#tell(async () => {
      const response = await fetch(sample.address, { cache: "force-cache" }); // the button shows it already
      return new Photo(await response.blob(), sample.name, { address: sample.address });
    });
  }

  #button(sample) {
    const image = element("img", { src: sample.address, alt: "", width: 56, height: 56 });
    const onclick = () => this.takeSample(sample);
    return element("button", { type: "button", className: "sample", onclick }, image, sample.label);
  }

  #acceptDrops(drop) {
    const show = (/** @type {boolean} */ over) => (drop.hidden = !over);
    document.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      show(true);
    });
    document.addEventListener("dragleave", (event) => event.relatedTarget ?? show(false));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      show(false);
      this.#takeFirst(event.dataTransfer.files);
    });
  }

  /** @param {FileList} files */
  #takeFirst([file]) {
    if (file) this.#tell(async () => new Photo(file, file.name || "pasted.png", { made: !file.lastModified }));
  }

  /** @param {() => Promise<Photo>} get */
  #tell(get) {
    this.dispatchEvent(new CustomEvent("photo", { detail: get }));
  }
}
