/** The classes of the photo. */

import { Command } from "./command.js";
import { element, part, say } from "./element.js";
import { className, large, percent, whole } from "./format.js";
import { Task } from "./task.js";

const STAGES = [
  ["queue", "waiting for its turn"],
  ["decode", "decoding and resizing the photo"],
  ["compute", "running the network"],
  ["encode", "writing the answer"],
];

export class Classify {
  /**
   * @param {HTMLElement} panel
   * @param {import("./scene.js").Scene} scene
   * @param {(classId: number) => void} onWhy Asks for the evidence for a class.
   */
  constructor(panel, scene, onWhy) {
    this.scene = scene;
    this.onWhy = onWhy;
    this.about = part(panel, "about");
    this.facts = part(panel, "facts");
    this.bars = part(panel, "bars");
    this.timing = part(panel, "timing");
    this.command = new Command(part(panel, "call"), scene.service);
    this.task = new Task(part(panel, "status"), panel);
  }

  hide() {
    this.task.stop();
  }

  show() {
    const { scene } = this;
    this.about.textContent = scene.model.summary ?? "";
    this.facts.replaceChildren(...facts(scene.model).map((textContent) => element("span", { textContent })));
    if (!scene.crop) {
      this.bars.replaceChildren();
      this.timing.replaceChildren();
      this.command.show(null);
      this.task.stop();
      return;
    }
    const { classes } = scene.model;
    const query = classes ? { top_k: Math.min(5, classes) } : undefined; // without labels, how many is not known
    const call = { path: scene.path("/classify"), query, photo: scene.photo };
    this.command.show(call);
    this.task.run((signal) => scene.askForClasses(() => this.#classify(call, signal)));
  }

  async #classify(call, signal) {
    const start = performance.now();
    const { body, timing } = await this.scene.service.ask(call, signal, async (response) => ({
      body: await response.json(),
      timing: response.headers.get("server-timing") ?? "",
    }));
    this.#showClasses(body.results[0].predictions);
    this.#showTiming(timing, performance.now() - start);
  }

  #showClasses(found) {
    this.bars.replaceChildren(...found.map((one) => this.#bar(one)));
    say(found.map((one) => `${className(one)}, ${percent(one.probability)}`).join("; "));
  }

  #bar(one) {
    const name = className(one);
    const onclick = () => this.onWhy(one.class_id);
    const why = element("button", { type: "button", className: "plain", textContent: "Why?", onclick, ariaLabel: `Why ${name}?` });
    const fill = element("span", { className: "fill" });
    fill.style.setProperty("--part", String(one.probability));
    return element(
      "li",
      {},
      element("span", { className: "name", textContent: name }),
      element("span", { className: "track", ariaHidden: "true" }, fill),
      element("span", { className: "number", textContent: percent(one.probability) }),
      why,
    );
  }

  /**
   * @param {string} header As `decode;dur=1.2, compute;dur=8.0`: milliseconds.
   * @param {number} total As seen from here, in milliseconds.
   */
  #showTiming(header, total) {
    const spent = new Map([...header.matchAll(/(\w+);dur=([\d.]+)/g)].map(([, name, value]) => [name, Number(value)]));
    const known = [...spent.values()].reduce((sum, value) => sum + value, 0);
    const rows = STAGES.map(([name, meaning]) => [meaning, spent.get(name) ?? 0]);
    rows.push(["on the way", Math.max(0, total - known)]);
    const items = rows.map(([meaning, value]) =>
      element("div", {}, element("dt", { textContent: meaning }), element("dd", { textContent: `${value.toFixed(1)} ms` })),
    );
    const heading = element("h3", { textContent: `Where the ${total.toFixed(0)} milliseconds went` });
    this.timing.replaceChildren(heading, element("dl", { className: "numbers" }, ...items));
  }
}

/** @param {import("./scene.js").Model} model */
function facts({ parameters, classes, input, reported, measured }) {
  const [figure] = [...measured, ...reported];
  return [
    parameters && `${large(parameters)} learned numbers`,
    classes && `${whole(classes)} classes`,
    input && `sees ${input.width}×${input.height}`,
    figure && `${percent(figure.value)} ${figure.metric} on ${figure.dataset}`,
  ].filter(Boolean);
}
