/** Where the evidence for a class is. */

import { Command } from "./command.js";
import { element, part, say } from "./element.js";
import { className, percent, short } from "./format.js";
import { unitAt } from "./grid.js";
import { parseNpy } from "./npy.js";
import { paint, rangeOf, symmetric } from "./picture.js";
import { Task } from "./task.js";
import { drawSeen } from "./viewer.js";

const FIRST = 10; // classes above the others
const METHODS = {
  cam: ["class activation map", "Each place's share of the score of the class."],
  "eigen-cam": ["Eigen-CAM", "Where the maps of the layer answer most, whatever the class."],
  "score-cam": ["Score-CAM", "Maps, weighted by what the network says where only they are seen."],
  occlusion: ["occlusion", "By how much the probability falls where a square is hidden."],
};

export class Why {
  #photo = null;
  #model = null;
  #heat = null;
  #wanted = null;
  #map = document.createElement("canvas");

  /**
   * @param {HTMLElement} panel
   * @param {import("./scene.js").Scene} scene
   */
  constructor(panel, scene) {
    this.panel = panel;
    this.scene = scene;
    this.task = new Task(part(panel, "status"), panel);
    this.command = new Command(part(panel, "call"), scene.service);
    this.target = part(panel, "class");
    this.versus = part(panel, "versus");
    this.method = part(panel, "method");
    for (const select of [this.target, this.versus, this.method]) select.onchange = () => this.#ask();
    part(panel, "opacity").oninput = () => this.#draw();
    part(panel, "heat").addEventListener("pointermove", (event) => this.#pointAt(event));
  }

  /** @param {number} classId The class to show evidence for, when this view is shown. */
  want(classId) {
    this.#wanted = classId;
  }

  hide() {
    this.task.stop();
  }

  show() {
    const { scene } = this;
    part(this.panel, "figure").hidden = true;
    this.command.show(null);
    if (!scene.crop) {
      this.task.stop();
      return;
    }
    this.task.run((signal) => scene.askForClasses(() => this.#begin(signal)));
  }

  async #begin(signal) {
    const { scene } = this;
    if (this.#model !== scene.model) await this.#chooseMethod(signal);
    if (this.#photo !== scene.photo || this.#model !== scene.model) await this.#listClasses(signal);
    if (this.#wanted !== null) this.target.value = String(this.#wanted);
    this.#wanted = null;
    await this.#show(signal);
  }

  #ask() {
    this.task.run((signal) => this.#show(signal));
  }

  /** The class activation map where the network has one, else Score-CAM, which works for any classifier. */
  async #chooseMethod(signal) {
    const call = { path: this.scene.path("/heatmap"), query: { format: "npy" }, photo: this.scene.photo };
    const best = await this.scene.service.ask(call, signal, async (response) => response.headers.get("striate-method"));
    this.method.value = best === "cam" ? "cam" : "score-cam";
    this.method.querySelector("[value=cam]").disabled = best !== "cam";
  }

  async #listClasses(signal) {
    const { scene } = this;
    const last = (await scene.layers(signal)).at(-1);
    const query = { top_k: scene.model.classes ?? last.shape[0] };
    const { results } = await scene.service.json({ path: scene.path("/classify"), query, photo: scene.photo }, signal);
    const found = results[0].predictions;
    this.target.replaceChildren(...choices(found));
    this.versus.replaceChildren(element("option", { value: "", textContent: "(no other class)" }), ...choices(found));
    this.#photo = scene.photo;
    this.#model = scene.model;
  }

  /** Whether the method is about a class. */
  get #ofClass() {
    return this.method.value !== "eigen-cam";
  }

  #call() {
    const query = { method: this.method.value };
    if (this.#ofClass) query.class = this.target.value;
    if (this.#ofClass && this.versus.value) query.vs = this.versus.value;
    return { path: this.scene.path("/heatmap"), query: { ...query, format: "npy" }, photo: this.scene.photo, output: "heat.npy" };
  }

  async #show(signal) {
    const call = this.#call();
    this.command.show(call);
    this.target.disabled = this.versus.disabled = !this.#ofClass;
    part(this.panel, "figure").classList.add("stale");
    const { array, headers } = await this.scene.service.ask(call, signal, async (response) => ({
      array: parseNpy(await response.arrayBuffer()),
      headers: response.headers,
    }));
    const [, height, width] = array.shape;
    this.#heat = { values: array.values, height, width };
    this.#paint();
    const [method, meaning] = METHODS[headers.get("striate-method")];
    const layer = headers.get("striate-layer");
    const others = this.versus.value ? ` rather than ${nameIn(this.versus)}` : "";
    const text = this.#ofClass ? `Evidence for ${nameIn(this.target)}${others}` : "Where the maps answer most";
    const how = [method, layer && `of layer ${decodeURIComponent(layer)}`, `${height}×${width} places`].filter(Boolean).join(", ");
    part(this.panel, "caption").replaceChildren(element("strong", { textContent: text }));
    part(this.panel, "how").textContent = `${meaning} ${how[0].toUpperCase()}${how.slice(1)}.`;
    part(this.panel, "heat").setAttribute("aria-label", `${text}, over the photo`);
    part(this.panel, "figure").hidden = false;
    part(this.panel, "figure").classList.remove("stale");
    say(text);
  }

  #paint() {
    const { values, height, width } = this.#heat;
    const colors = this.#ofClass && this.versus.value ? "rdbu" : "magma";
    const range = rangeOf(values);
    const { low, high } = colors === "rdbu" ? symmetric(range) : range;
    paint(this.#map, values, { height, width, range, colors });
    const ramp = Float32Array.from({ length: 256 }, (_, level) => level - 127.5);
    paint(part(this.panel, "legend"), ramp, { height: 1, width: 256, range: rangeOf(ramp), colors });
    part(this.panel, "low").textContent = short(low);
    part(this.panel, "high").textContent = short(high);
    part(this.panel, "readout").textContent = "";
    this.#draw();
  }

  #draw() {
    const over = { canvas: this.#map, opacity: part(this.panel, "opacity").value / 100 };
    if (this.scene.crop) drawSeen(part(this.panel, "heat"), this.scene.crop, null, over);
  }

  #pointAt(event) {
    const { values, height, width } = this.#heat;
    const { row, column } = unitAt(event, part(this.panel, "heat"), height, width);
    const value = values[row * width + column];
    part(this.panel, "readout").textContent = `Row ${row}, column ${column}: ${short(value)}`;
  }
}

/** Options for classes: the most probable ones, then all by name. */
function choices(found) {
  const option = (one, text) => element("option", { value: String(one.class_id), textContent: text });
  const first = found.slice(0, FIRST).map((one) => option(one, `${className(one)} (${percent(one.probability)})`));
  if (found.length <= FIRST) return first;
  const others = found.slice(FIRST).sort((one, other) => className(one).localeCompare(className(other), "en", { numeric: true }));
  return [
    element("optgroup", { label: "Most probable" }, ...first),
    element("optgroup", { label: "All others" }, ...others.map((one) => option(one, className(one)))),
  ];
}

/** The chosen class, without its probability. */
function nameIn(select) {
  return select.selectedOptions[0].textContent.replace(/ \([\d.]+ %\)$/, "");
}
