/** The page: drop a photo, see what the network sees.  It uses the public API and nothing else. */

import { Classify } from "./classify.js";
import { Cost } from "./cost.js";
import { Edges } from "./edges.js";
import { element, part, say } from "./element.js";
import { Inside } from "./inside.js";
import { Intake } from "./intake.js";
import { SAMPLES } from "./photo.js";
import { Scene } from "./scene.js";
import { Problem, Service } from "./service.js";
import { Shift } from "./shift.js";
import { Tabs } from "./tabs.js";
import { Task } from "./task.js";
import { Viewer } from "./viewer.js";
import { Why } from "./why.js";

const the = (/** @type {string} */ id) => document.getElementById(id);

const service = new Service();
const scene = new Scene(service);
const viewer = new Viewer(the("photo"), scene);
const tabs = new Tabs(document.querySelector("[role=tablist]"));
const intake = new Intake(the("photo"), the("drop"));
const why = new Why(the("why"), scene);
const edges = new Edges(part(the("ideas"), "edges"), scene);
const ideas = [new Shift(part(the("ideas"), "shift"), scene), edges, new Cost(part(the("ideas"), "cost"), scene)];
const views = {
  classify: [new Classify(the("classify"), scene, askWhy)],
  inside: [new Inside(the("inside"), scene, viewer, the("channel"))],
  why: [why],
  ideas,
};
const looking = new Task(part(the("photo"), "status"), the("photo"));
const listing = new Task(part(the("photo"), "status"), the("photo"));
let models = [];

/** Bring the shown view up to date, and end the work of the others. */
function refresh() {
  if (!scene.model) return;
  for (const [name, parts] of Object.entries(views)) {
    for (const view of parts) name === tabs.shown ? view.show() : view.hide();
  }
  document.body.dataset.view = tabs.shown;
}

function askWhy(classId) {
  why.want(classId);
  tabs.show("why");
}

/** @param {() => Promise<import("./photo.js").Photo>} get */
function look(get) {
  looking.run(async (signal) => scene.look(await get(), signal));
}

/** List the models once none is loading any more, and take the one that was in use, or the first classifier. */
function listModels() {
  listing.run(async (signal) => {
    models = await service.models(signal);
    if (models.length === 0) throw new Problem("There is no model in the repository.", { title: "No models" });
    const select = the("model");
    select.replaceChildren(...models.map((model, i) => element("option", { value: i, textContent: nameOf(model) })));
    const used = models.findIndex(({ model, version }) => model === scene.model?.model && version === scene.model.version);
    const first = models.findIndex((model) => model.state === "ready" && model.classes);
    select.value = String(used >= 0 ? used : Math.max(first, 0));
    edges.offer(models.some(({ model, state }) => model === "filter-bank" && state === "ready"));
    useModel();
  });
}

function useModel() {
  const model = models[the("model").value];
  scene.use(model);
  tabs.offer(["classify", "why"], true);
  if (model.state === "failed") {
    looking.fail(new Problem(model.reason, { title: `${model.model} could not be loaded` }), listModels);
    return;
  }
  if (scene.photo) look(async () => scene.photo);
  else intake.takeSample(SAMPLES[0]);
}

function nameOf({ model, version, versions, state }) {
  const which = versions.length > 1 ? ` ${version}` : "";
  return `${model}${which}${state === "ready" ? "" : ` (${state})`}`;
}

function showBanner(text) {
  const banner = the("banner");
  banner.hidden = !text;
  const button = element("button", { type: "button", textContent: "Try now", onclick: () => service.tryNow() });
  banner.replaceChildren(...(text ? [text, button] : []));
}

the("model").onchange = useModel;
scene.addEventListener("crop", refresh);
scene.addEventListener("task", () => {
  tabs.offer(["classify", "why"], false);
  say(`${scene.model.model} tells no classes`);
});
tabs.addEventListener("show", refresh);
intake.addEventListener("photo", ({ detail }) => look(detail));
service.addEventListener("away", ({ detail: { reason, wait } }) => showBanner(`${reason} Looking again in ${wait / 1000} s.`));
service.addEventListener("returned", () => {
  showBanner("");
  say("The service is back");
});
the("key").querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  service.useKey(the("key-value").value);
  the("key").open = false;
  listModels();
};

listModels();
