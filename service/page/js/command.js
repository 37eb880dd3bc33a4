/** The call behind a view, ready to copy. */

import { curl } from "./call.js";
import { element, say } from "./element.js";

export class Command {
  /** @type {import("./call.js").Call | null} */
  #call = null;

  /**
   * @param {HTMLElement} place
   * @param {import("./service.js").Service} service
   */
  constructor(place, service) {
    this.service = service;
    this.place = place;
    this.code = element("code");
    this.note = element("p", { className: "quiet" });
    this.button = element("button", { type: "button", textContent: "Copy", onclick: () => this.#copy() });
    const heading = element("span", { className: "call-title", textContent: "The call behind it" });
    place.className = "call";
    place.hidden = true;
    place.append(element("div", { className: "row tight" }, heading, this.button), element("pre", {}, this.code), this.note);
    service.addEventListener("key", () => this.#call && this.show(this.#call));
  }

  /** @param {import("./call.js").Call | null} call */
  show(call) {
    this.#call = call;
    this.place.hidden = !call;
    if (!call) return;
    this.code.textContent = curl(call, { hasKey: this.service.hasKey });
    this.button.textContent = "Copy";
    this.note.replaceChildren(...this.#notes(call));
  }

  #notes({ photo }) {
    const notes = [];
    if (this.service.hasKey) notes.push("Set KEY to your key first. ");
    if (photo?.made) {
      const link = element("a", { href: "#", textContent: photo.name, onclick: (event) => this.#save(event, photo) });
      notes.push("The page made this photo; save it to run the command: ", link);
    } else if (photo && !photo.address) notes.push("Run it in the folder of the photo.");
    return notes;
  }

  /** Save a photo that only the page has. */
  #save(event, photo) {
    event.preventDefault();
    const href = URL.createObjectURL(photo.blob);
    element("a", { href, download: photo.name }).click();
    URL.revokeObjectURL(href);
  }

  async #copy() {
    const text = this.code.textContent;
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    this.button.textContent = done || this.#copySelected() ? "Copied" : "Select and copy";
    say(this.button.textContent);
  }

  /** Where the page comes over plain HTTP, browsers have no other way. */
  #copySelected() {
    getSelection().selectAllChildren(this.code);
    return document.execCommand("copy");
  }
}
