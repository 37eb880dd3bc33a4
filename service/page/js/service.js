/** The service: asks it, and waits for it when it is away. */

import { address } from "./call.js";
import { parseNpy } from "./npy.js";

/** An error in the service's own words (RFC 9457). */
export class Problem extends Error {
  /**
   * @param {string} detail
   * @param {{status?: number, title?: string, kind?: string, retryAfter?: number}} more
   */
  constructor(detail, { status = 0, title = "", kind = "" } = {}) {
    super(detail);
    this.status = status;
    this.title = title;
    this.kind = kind;
  }

  /** @param {Response} response */
  static async of(response) {
    const text = await response.text();
    const { status } = response;
    try {
      const body = JSON.parse(text);
      return new Problem(body.detail, { status, title: body.title, kind: body.type.replace("urn:striate:", "") });
    } catch {
      return new Problem(text.slice(0, 300) || "no reason is given", { status, title: response.statusText });
    }
  }
}

const FIRST_WAIT = 500; // milliseconds, doubled each time
const LONGEST_WAIT = 5000;
const ANSWERS_OF_PROXIES = new Set([502, 503, 504]);

/**
 * Tells by events where it stands: "away" (`detail`: why, and the milliseconds to the next try), "returned", "key".
 */
export class Service extends EventTarget {
  #key = "";
  /** @type {Promise<object[]> | null} */
  #return = null;
  #wake = () => {};

  /** Whether a key is sent. */
  get hasKey() {
    return this.#key !== "";
  }

  /** @param {string} key In memory only; empty for none. */
  useKey(key) {
    this.#key = key.trim();
    this.dispatchEvent(new Event("key"));
  }

  /** Look at once whether the service is back. */
  tryNow() {
    this.#wake();
  }

  /**
   * @param {import("./call.js").Call} call
   * @param {AbortSignal} signal
   * @returns {Promise<any>}
   */
  json(call, signal) {
    return this.ask(call, signal, (response) => response.json());
  }

  /**
   * @param {import("./call.js").Call} call For npy.
   * @param {AbortSignal} signal
   * @returns {Promise<import("./npy.js").NumberArray>}
   */
  array(call, signal) {
    return this.ask(call, signal, async (response) => parseNpy(await response.arrayBuffer()));
  }

  /**
   * Ask, as often as it takes while the service is away: every call only reads.
   * @template T
   * @param {import("./call.js").Call} call
   * @param {AbortSignal} signal
   * @param {(response: Response) => Promise<T>} read Takes what is wanted out of the answer.
   * @returns {Promise<T>}
   * @throws {Problem} The service says no.
   */
  async ask(call, signal, read) {
    for (let lost = 0; ; lost++) {
      const answer = await this.#once(call, signal, read);
      if (answer) return answer.value;
      if (lost === 2) throw new Problem("the connection breaks each time this is asked", { title: "No answer" });
      await this.models(signal);
    }
  }

  /** Ask once; null where there was no answer of the service. */
  async #once(call, signal, read) {
    try {
      const response = await fetch(address(call), {
        method: call.photo ? "POST" : "GET",
        body: call.photo?.blob,
        headers: this.#headers(),
        signal,
      });
      if (response.ok) return { value: await read(response) };
      if (ofProxy(response)) return null;
      throw await Problem.of(response);
    } catch (error) {
      if (error instanceof TypeError && !signal.aborted) return null;
      throw error;
    }
  }

  #headers() {
    return this.#key ? { Authorization: `Bearer ${this.#key}` } : {};
  }

  /**
   * The models, as soon as the service answers and loads none any more.
   * @param {AbortSignal} signal
   * @returns {Promise<import("./scene.js").Model[]>}
   * @throws {Problem} The service does not list them.
   */
  async models(signal) {
    this.#return ??= this.#untilReturned();
    return Promise.race([this.#return, aborted(signal)]);
  }

  async #untilReturned() {
    try {
      return await this.#waited();
    } finally {
      this.#return = null;
    }
  }

  async #waited() {
    let { models, reason } = await this.#look();
    const wasAway = reason !== "";
    for (let wait = FIRST_WAIT; reason; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      this.dispatchEvent(new CustomEvent("away", { detail: { reason, wait } }));
      await new Promise((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, wait);
      });
      ({ models, reason } = await this.#look());
    }
    if (wasAway) this.dispatchEvent(new Event("returned"));
    return models;
  }

  /** The models, and why the service cannot be asked now: empty where it can. */
  async #look() {
    const lost = { models: [], reason: "The service does not answer." };
    try {
      const response = await fetch("v1/models", { headers: this.#headers() });
      if (!response.ok && ofProxy(response)) return lost;
      if (!response.ok) throw await Problem.of(response);
      const { models } = await response.json();
      const isLoading = models.some((model) => model.state === "loading");
      return { models, reason: isLoading ? "The service is loading its models." : "" };
    } catch (error) {
      if (error instanceof TypeError) return lost;
      throw error;
    }
  }
}

/** Whether an answer is not the service's, but of what stands before it. */
function ofProxy(response) {
  return ANSWERS_OF_PROXIES.has(response.status) && !response.headers.get("content-type")?.includes("json");
}

/** @param {AbortSignal} signal Rejects when it is aborted. */
function aborted(signal) {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
