/** What a layer costs, beside a dense layer of the same sizes. */

import { Command } from "./command.js";
import { element, part } from "./element.js";
import { large, shape } from "./format.js";
import { Task } from "./task.js";

export class Cost {
  #model = null;
  #layers = [];

  /**
   * @param {HTMLElement} area
   * @param {import("./scene.js").Scene} scene
   */
  constructor(area, scene) {
    this.area = area;
    this.scene = scene;
    this.select = part(area, "layer");
    this.task = new Task(part(area, "status"), area);
    this.command = new Command(part(area, "call"), scene.service);
    this.select.onchange = () => this.#compare();
  }

  hide() {
    this.task.stop();
  }

  show() {
    const { scene } = this;
    if (this.#model === scene.model) return;
    this.task.run(async (signal) => {
      const layers = await scene.layers(signal);
      this.#model = scene.model;
      this.command.show({ path: scene.path("/layers") });
      this.#list(layers.filter((layer) => layer.dense));
    });
  }

  #list(layers) {
    this.#layers = layers;
    this.select.replaceChildren(
      ...layers.map((layer, i) => element("option", { value: i, textContent: `${layer.path} (${shape(layer.shape)})` })),
    );
    this.#compare();
  }

  #compare() {
    const layer = this.#layers[this.select.value];
    const place = part(this.area, "bars");
    if (!layer) {
      place.replaceChildren(element("p", { className: "quiet", textContent: "No layer of this network multiplies weights." }));
      return;
    }
    const { dense } = layer;
    place.replaceChildren(
      ...pair("Operations for one photo", layer.flops, dense.flops, dense.times_less_work),
      ...pair("Numbers to learn and store", layer.parameters, dense.weights, dense.times_less_storage),
    );
  }
}

/** Two bars on one scale, and what they say. */
function pair(title, own, dense, times) {
  const most = Math.max(own, dense);
  const saved = times === null ? "" : times > 1.05 ? `${large(times)} times fewer` : "no fewer: it is a dense layer";
  return [
    element("h4", { textContent: title }),
    element("ul", { className: "bars" }, bar("this layer", own, most), bar("a dense layer", dense, most)),
    element("p", { className: "said", textContent: saved }),
  ];
}

function bar(name, value, most) {
  const fill = element("span", { className: "fill" });
  fill.style.setProperty("--part", String(most > 0 ? value / most : 0));
  return element(
    "li",
    {},
    element("span", { className: "name", textContent: name }),
    element("span", { className: "track", ariaHidden: "true" }, fill),
    element("span", { className: "number", textContent: large(value) }),
  );
}
