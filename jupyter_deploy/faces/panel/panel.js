/**
 * The panel's front end: shows what the model says, and sends what the user wants, with the revision that this very
 * view showed. What is typed and not yet in force lives here, in the controls, and survives every update.
 */

// JupyterLab takes keys for itself (Enter edits the cell, arrows leave it) unless the focused element says so.
const OWN_KEYS = "data-lm-suppress-shortcuts";
const FOCUSABLE = new Set(["button", "input", "summary"]);

/** An element with attributes, listeners (`onclick`) and children. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (FOCUSABLE.has(tag)) element.setAttribute(OWN_KEYS, "");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** Sets a text only when it is another one: what is the same keeps its selection, and is not read aloud again. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let ids = 0;
const newId = () => `nbdeploy-${++ids}`;
const percent = (value) => `${Number(value.toFixed(2))} %`;
const short = (tag) => {
  const [name, version] = tag.split(":");
  return `${name}:${(version ?? "").slice(0, 8)}`;
};

function ago(iso) {
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  }
  return "just now";
}

function clock(iso) {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** Requests a second as a line, the latest at the right. */
function sparkline(rates) {
  const most = Math.max(...rates, 1);
  const step = 100 / 59;
  const points = rates.map((rate, i) => `${(100 - (rates.length - 1 - i) * step).toFixed(1)},${(22 - (rate / most) * 20).toFixed(1)}`);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 24");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("spark");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points.join(" "));
  svg.append(line);
  return svg;
}

function health(element, healthy, words) {
  element.dataset.healthy = String(healthy);
  write(element.querySelector("i"), healthy === null ? "○" : healthy ? "●" : "▲");
  write(element.querySelector("span"), words);
}

const healthLine = () => h("p", { class: "health" }, h("i", { "aria-hidden": "true" }), h("span"));

/** The traffic as bars: who answers, and under it who gets copies. Its words are its name. */
function drawTraffic(figure, cards) {
  const answering = cards.filter((card) => card.role === "stable" || card.role === "canary");
  const shadows = cards.filter((card) => card.role === "shadow");
  const words = [...answering, ...shadows].map((card) => `${card.role} ${short(card.tag)} ${percent(card.percent)}`);
  const label = `Traffic: ${words.join(", ")}`;
  if (figure.getAttribute("aria-label") === label) return;
  figure.setAttribute("aria-label", label);
  const segment = (card) => {
    const part = h("span", { class: "segment", "data-role": card.role, title: `${card.tag}: ${card.role} ${percent(card.percent)}` },
      `${card.role} ${percent(card.percent)}`);
    part.style.flexGrow = card.percent;
    return part;
  };
  const copies = shadows.map((card) => {
    const fill = h("span", { class: "fill", "data-role": "shadow" });
    fill.style.width = `${card.percent}%`;
    return h("div", { class: "copies", title: `${card.tag}: gets copies of ${percent(card.percent)} of the requests` },
      h("div", { class: "track" }, fill), h("span", {}, `copies to ${short(card.tag)} ${percent(card.percent)}`));
  });
  figure.replaceChildren(h("div", { class: "bar" }, ...answering.filter((card) => card.percent > 0).map(segment)), ...copies);
}

/** A control whose value follows the endpoint until the user touches it, and then waits for the user. */
class Draft {
  constructor(input, submit, onInput) {
    this.input = input;
    this.submit = submit;
    this.touched = false;
    input.addEventListener("input", () => {
      this.touched = true;
      this.refresh();
      onInput?.();
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // in a notebook's page the browser does not submit a form by itself
      input.form.requestSubmit();
    });
    this.onChange = onInput;
  }
  follow(value) {
    this.value = value;
    if (Number(this.input.value) === value && this.input.value !== "") this.touched = false;
    if (!this.touched && this.input.value !== String(value)) this.input.value = value;
    this.refresh();
    this.onChange?.();
  }
  reset() {
    this.touched = false;
    this.follow(this.value);
  }
  refresh() {
    this.input.classList.toggle("touched", this.touched);
    this.submit.disabled = !this.touched;
  }
}

class Card {
  constructor(tag, panel) {
    this.tag = tag;
    this.panel = panel;
    const heading = newId();
    this.badge = h("span", { class: "badge" });
    this.who = h("p", { class: "who" });
    this.changes = h("p", { class: "changes", title: `nbdeploy diff ${tag} shows all` });
    this.health = healthLine();
    this.counts = h("dl", { class: "counts" });
    this.controls = h("div", { class: "controls" });
    this.element = h("article", { class: "card", "aria-labelledby": heading },
      h("div", { class: "top" }, h("h4", { id: heading, title: tag }, short(tag)), this.badge),
      this.who, this.changes, this.health, this.counts, this.controls);
    this.makeControls();
  }

  makeControls() {
    const { tag, panel } = this;
    const name = short(tag);
    this.switch = h("button", { type: "button", role: "switch", class: "switch", "aria-label": `Shadow ${name}`, title: `Send copies of requests to ${tag}`,
      onclick: () => panel.ask("traffic", { shadow: { [tag]: this.card.role === "shadow" ? 0 : this.sharePercent() } }, this.switch) },
      h("i", { "aria-hidden": "true" }));
    this.share = h("input", { type: "number", min: 0, max: 100, step: "any", required: true, "aria-label": `Percent of requests copied to ${name}` });
    const apply = h("button", { type: "submit", class: "button", "aria-label": `Apply the shadow's percent for ${name}` }, "Apply");
    this.shareDraft = new Draft(this.share, apply);
    const shadow = h("form", { class: "row", onsubmit: (event) => {
      event.preventDefault();
      if (this.shareDraft.touched) panel.ask("traffic", { shadow: { [tag]: Number(this.share.value) } }, this.share);
    } }, h("span", { class: "label" }, "Shadow"), this.switch, this.share, h("span", {}, "%"), apply);

    this.slider = h("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": `Percent of requests answered by ${name} as the canary` });
    this.sliderText = h("output", {});
    const review = h("button", { type: "submit", class: "button", "aria-label": `Review the canary's percent for ${name}` }, "Review…");
    this.sliderDraft = new Draft(this.slider, review, () => {
      const words = percent(Number(this.slider.value));
      write(this.sliderText, words);
      this.slider.setAttribute("aria-valuetext", words);
    });
    const canary = h("form", { class: "row", onsubmit: (event) => {
      event.preventDefault();
      if (this.sliderDraft.touched) panel.ask("traffic", { canary: { [tag]: Number(this.slider.value) } }, this.slider);
    } }, h("span", { class: "label" }, "Canary"), this.slider, this.sliderText, review);

    this.promote = h("button", { type: "button", class: "button primary", "aria-label": `Promote ${name}`,
      onclick: () => panel.ask("promote", { tag }, this.promote) }, "Promote…");
    this.compare = h("button", { type: "button", class: "button", "aria-label": `Compare ${name} with stable`,
      onclick: () => panel.send({ do: "compare", tag }) }, "Compare");
    this.controls.append(shadow, canary, h("div", { class: "row end" }, this.compare, this.promote));
  }

  sharePercent() {
    return Number(this.share.value) || 100;
  }

  update(card) {
    this.card = card;
    this.element.dataset.role = card.role;
    this.badge.dataset.role = card.role;
    const idle = card.role === "idle";
    write(this.badge, idle ? "idle" : `${card.role} ${percent(card.percent)}`);
    const parts = [card.variable, card.notebook, card.framework, card.stochastic ? "stochastic" : "", card.found, ago(card.created)];
    write(this.who, parts.filter(Boolean).join(" · "));
    write(this.changes, card.changes);
    this.changes.hidden = !card.changes;
    this.who.title = [card.path, `created ${clock(card.created)}`, ...(card.findings ?? [])].filter(Boolean).join("\n");
    this.controls.hidden = card.role === "stable";
    this.switch.setAttribute("aria-checked", String(card.role === "shadow"));
    this.shareDraft.follow(card.role === "shadow" ? card.percent : 100);
    this.sliderDraft.follow(card.role === "canary" ? card.percent : 0);
    if (card.role !== "shadow") this.shareDraft.submit.disabled = true; // the percent goes with the switch
    this.compare.disabled = idle;
  }

  reset() {
    this.shareDraft.reset();
    this.sliderDraft.reset();
  }

  updateLive(live) {
    health(this.health, live ? live.healthy : null, live ? live.words : "not looked at yet");
    const counts = live?.counts;
    const rate = live?.rates?.at(-1);
    const copies = this.card?.role === "shadow";
    const facts = counts
      ? [[copies ? "copies" : "requests", counts.requests.toLocaleString(), "since the gateway started"],
         ["errors", counts.errors.toLocaleString(), "answers of 500 and above"],
         ["per second", rate === undefined ? "–" : rate.toFixed(1), "in the last second"],
         ["median", counts.p50_ms === null ? "–" : `${counts.p50_ms.toFixed(0)} ms`, "time to an answer, as the gateway measured it"]]
      : [];
    const key = JSON.stringify([facts, live?.rates]);
    if (key === this.drawn) return;
    this.drawn = key;
    this.counts.replaceChildren(...facts.map(([name, value, title]) =>
      h("div", { title, class: name === "errors" && counts.errors ? "bad" : undefined }, h("dt", {}, name), h("dd", {}, value))));
    if (live?.rates?.length > 1) this.counts.append(sparkline(live.rates));
  }
}

class View {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.cards = new Map();
    this.build();
    this.listeners = ["endpoint", "live", "history", "pending", "comparison", "problem", "said"].map((name) => {
      const listener = () => this.update(name);
      model.on(`change:${name}`, listener);
      return [`change:${name}`, listener];
    });
    this.timer = setInterval(() => this.updateEndpoint(), 30_000); // "3 min ago"
    this.updateEndpoint();
    for (const name of ["history", "pending", "comparison", "problem"]) this.update(name);
  }

  build() {
    const title = newId();
    this.title = h("h3", { id: title });
    this.health = healthLine();
    this.revision = h("span", { class: "revision" });
    this.url = h("code");
    this.copy = h("button", { type: "button", class: "button quiet", "aria-label": "Copy the URL", onclick: () => this.copyUrl() }, "Copy");
    this.rollback = h("button", { type: "button", class: "button", onclick: () => this.ask("rollback", {}, this.rollback) }, "Roll back…");
    this.problem = h("div", { class: "notice bad", role: "alert", hidden: true });
    this.traffic = h("div", { class: "traffic", role: "img" });
    this.pending = h("div", { class: "pending", role: "group", hidden: true, tabindex: "-1", [OWN_KEYS]: true });
    this.cardList = h("div", { class: "cards" });
    this.compared = h("div", { class: "compared", hidden: true });
    this.historyCount = h("summary");
    this.historyBody = h("tbody");
    const head = ["revision", "when", "who", "what", "why", ""].map((name) => h("th", { scope: "col" }, name));
    this.history = h("details", { class: "history" }, this.historyCount,
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ...head)), this.historyBody)));
    this.live = h("div", { role: "status", "aria-live": "polite", class: "unseen" });
    this.section = h("section", { class: "nbdeploy-panel", "aria-labelledby": title },
      h("header", {}, h("div", {}, h("div", { class: "title" }, this.title, this.health, this.revision),
        h("div", { class: "url" }, this.url, this.copy)), this.rollback),
      this.problem, this.traffic, this.pending, this.cardList, this.history, this.compared, this.live);
    // While Ctrl or Cmd is held, keys are the notebook's again: Ctrl+S still saves.
    for (const kind of ["keydown", "keyup"]) {
      this.section.addEventListener(kind, (event) => event.target.toggleAttribute(OWN_KEYS, !(event.ctrlKey || event.metaKey)));
    }
    this.root.append(this.section);
  }

  /** One change at a time: the next one waits. Controls are not disabled meanwhile, or they would lose the focus. */
  get busy() { return this.model.get("pending")?.phase === "working"; }

  /** The control of that name: a row of the history may have been drawn anew. */
  named(label) { return this.section.querySelector(`:is(button, input)[aria-label="${CSS.escape(label ?? "")}"]`); }

  get endpoint() { return this.model.get("endpoint"); }

  send(message) { this.model.send(message); }

  /** Asks for a change of what this view shows now; `from` is where the focus goes back to. */
  ask(verb, given, from) {
    this.from = from;
    const message = { do: "ask", verb, given, revision: this.endpoint.revision };
    if (this.busy) this.next = message;
    else this.send(message);
  }

  update(name) {
    if (name === "endpoint") this.updateEndpoint();
    else if (name === "live") this.updateLive();
    else if (name === "history") this.updateHistory();
    else if (name === "pending") this.updatePending();
    else if (name === "comparison") this.updateComparison();
    else if (name === "problem") this.updateProblem();
    else if (name === "said") write(this.live, this.model.get("said")[1]);
  }

  updateEndpoint() {
    const endpoint = this.endpoint;
    write(this.title, endpoint.name);
    write(this.revision, `revision ${endpoint.revision}`);
    write(this.url, endpoint.url);
    this.rollback.disabled = !endpoint.previous;
    this.rollback.title = endpoint.previous ? `Back to revision ${endpoint.previous}` : "There is no earlier revision";
    drawTraffic(this.traffic, endpoint.running ? endpoint.cards : []);
    this.traffic.hidden = !endpoint.running;
    const shown = endpoint.cards.map((card) => {
      const known = this.cards.get(card.tag) ?? new Card(card.tag, this);
      this.cards.set(card.tag, known);
      known.update(card);
      return known;
    });
    const wanted = shown.map((card) => card.element);
    for (const [tag, card] of this.cards) {
      if (wanted.includes(card.element)) continue;
      card.element.remove();
      this.cards.delete(tag);
    }
    const focused = this.cardList.contains(document.activeElement) ? document.activeElement : null;
    wanted.forEach((element, i) => {
      if (this.cardList.children[i] !== element) this.cardList.insertBefore(element, this.cardList.children[i] ?? null);
    });
    if (focused?.isConnected && document.activeElement !== focused) focused.focus(); // a moved element loses its focus
    this.updateLive();
  }

  updateLive() {
    const live = this.model.get("live");
    health(this.health, live.healthy, live.words);
    for (const [tag, card] of this.cards) card.updateLive(live.releases[tag]);
  }

  updateHistory() {
    const revisions = this.model.get("history");
    write(this.historyCount, `History (${revisions[0]?.revision ?? 0} revisions)`);
    const current = revisions[0]?.revision;
    const label = this.historyBody.contains(document.activeElement) ? document.activeElement.ariaLabel : null;
    this.historyBody.replaceChildren(...revisions.map((revision) => this.revisionRow(revision, revision.revision !== current)));
    if (label) this.named(label)?.focus();
  }

  revisionRow(revision, back) {
    const button = h("button", { type: "button", class: "button quiet", "aria-label": `Go back to revision ${revision.revision}`,
      onclick: () => this.ask("rollback", { to: revision.revision }, button) }, "Go back…");
    return h("tr", {}, h("td", {}, String(revision.revision)), h("td", { title: clock(revision.at) }, ago(revision.at)), h("td", {}, revision.by),
      h("td", {}, revision.what), h("td", {}, revision.reason), h("td", {}, back ? button : h("span", { class: "faint" }, "now")));
  }

  updateProblem() {
    const problem = this.model.get("problem");
    this.problem.hidden = !problem;
    if (problem) this.problem.replaceChildren(...notice("What is shown may be out of date: ", problem));
    else this.problem.replaceChildren();
  }

  updatePending() {
    const pending = this.model.get("pending");
    const had = this.pending.contains(document.activeElement);
    this.pending.hidden = !pending;
    this.section.setAttribute("aria-busy", String(this.busy));
    const next = this.next;
    if (!this.busy) this.next = undefined;
    if (!pending && next) this.send(next); // after a change that failed, what was to follow it is not right any more
    if (!pending) {
      this.pending.replaceChildren();
      if (had && this.from) (this.from.isConnected ? this.from : this.named(this.from.ariaLabel))?.focus();
    } else {
      this.pending.dataset.phase = pending.phase;
      this.drawPending(pending);
      // The focus follows the question only where it was asked; a step of the work does not move it.
      if (this.from && (had || pending.phase !== "working")) this.pending.focus({ preventScroll: false });
    }
  }

  drawPending(pending) {
    const { number, phase } = pending;
    const reason = h("input", { type: "text", "aria-label": "Why (optional)", placeholder: "Why? (optional, kept in the history)" });
    const act = (words, message, primary) => h("button", { type: "button", class: primary ? "button primary" : "button",
      onclick: () => this.send({ number, ...message() }) }, words);
    const cancel = h("button", { type: "button", class: "button", onclick: () => {
      for (const card of this.cards.values()) card.reset();
      this.send({ do: "dismiss", number });
    } }, phase === "preview" ? "Cancel" : "Discard");
    const actions = {
      preview: () => [reason, act("Confirm", () => ({ do: "confirm", reason: reason.value }), true), cancel],
      working: () => [],
      failed: () => [act("Look again", () => ({ do: "again" }), true), cancel],
      conflict: () => [act("Look again", () => ({ do: "again" }), true), cancel],
    }[phase]();
    reason.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.send({ number, do: "confirm", reason: reason.value });
    });
    this.pending.onkeydown = (event) => { if (event.key === "Escape" && phase !== "working") cancel.click(); };
    this.pending.setAttribute("aria-label", pending.title);
    const rows = pending.rows.map((row) => h("tr", { class: row.before === row.after ? "faint" : undefined },
      h("th", { scope: "row", title: row.tag }, short(row.tag)), h("td", {}, row.before), h("td", { "aria-hidden": "true" }, "→"), h("td", {}, row.after)));
    const newer = pending.newer.map((revision) => h("li", {}, h("b", {}, `revision ${revision.revision}`),
      ` by ${revision.by}, ${ago(revision.at)}: ${revision.what}${revision.reason ? ` (${revision.reason})` : ""}`));
    this.pending.replaceChildren(...[
      h("h4", {}, { preview: "Before you confirm: ", working: "Working: ", failed: "Not done: ", conflict: "Somebody was faster: " }[phase] + pending.title),
      pending.problem ? h("div", { class: "notice bad", role: "alert" }, ...notice("", pending.problem)) : null,
      newer.length ? h("ul", { class: "newer" }, ...newer) : null,
      rows.length && phase !== "conflict" ? h("table", { class: "difference" }, h("tbody", {}, ...rows)) : null,
      ...(phase === "conflict" ? [] : pending.notes.map((note) => h("p", {}, note))),
      phase === "working" ? h("progress", { "aria-label": "Working" }) : null,
      actions.length ? h("div", { class: "row" }, ...actions) : null,
    ].filter(Boolean));
  }

  updateComparison() {
    const comparison = this.model.get("comparison");
    this.compared.hidden = !comparison;
    for (const [tag, card] of this.cards) write(card.compare, comparison?.tag === tag && comparison.phase === "shown" ? "Compare again" : "Compare");
    if (!comparison) return;
    const words = { working: `Comparing ${short(comparison.tag)} with stable …`, failed: `${short(comparison.tag)} was not compared. `,
      shown: `Compared at ${comparison.at ? new Date(comparison.at).toLocaleTimeString() : ""}` }[comparison.phase];
    this.compared.replaceChildren(...[
      h("span", {}, words),
      ...(comparison.problem ? notice("", comparison.problem) : []),
      comparison.phase === "working" ? null : h("button", { type: "button", class: "button quiet", "aria-label": "Hide the comparison",
        onclick: () => this.send({ do: "hide comparison" }) }, "Hide"),
    ].filter(Boolean));
  }

  async copyUrl() {
    const select = () => { // where the browser has no clipboard to give (plain HTTP from elsewhere)
      const range = document.createRange();
      range.selectNodeContents(this.url);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    };
    try {
      await navigator.clipboard.writeText(this.endpoint.url);
      write(this.live, "copied");
      write(this.copy, "Copied");
    } catch {
      select();
      write(this.copy, "Selected");
    }
    setTimeout(() => write(this.copy, "Copy"), 1500);
  }

  close() {
    clearInterval(this.timer);
    for (const [event, listener] of this.listeners) this.model.off(event, listener);
  }
}

function notice(before, problem) {
  return [
    h("p", {}, before + problem.message),
    problem.details ? h("pre", {}, problem.details) : null,
    problem.remedy ? h("p", {}, `→ ${problem.remedy}`) : null,
  ].filter(Boolean);
}

export default {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.close();
  },
};
