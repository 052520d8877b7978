/**
 * The panel's front end: shows what the model says, and sends what the user wants, with the revision that this very
 * view showed. What is typed and not yet in force lives here, in the controls, and survives every update.
 *
 * One module: elements.js, card.js, publish.js and this file in this order, joined by widget.py. A widget has one text, and no build.
 */

class View {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.cards = new Map();
    this.build();
    this.listeners = ["endpoint", "live", "history", "pending", "publishing", "validations", "below", "problem", "said"].map((name) => {
      const listener = () => this.update(name);
      model.on(`change:${name}`, listener);
      return [`change:${name}`, listener];
    });
    this.timer = setInterval(() => this.updateEndpoint(), 30_000); // "3 min ago"
    this.updateEndpoint();
    for (const name of ["history", "pending", "publishing", "validations", "below", "problem"]) this.update(name);
  }

  build() {
    const title = newId();
    this.title = h("h3", { id: title });
    this.health = healthLine();
    this.revision = h("span", { class: "revision" });
    this.records = h("span", { class: "revision" });
    this.url = h("code");
    this.copy = copier("Copy the URL", this.url, (words) => write(this.live, words));
    this.rollback = h("button", { type: "button", class: "button", onclick: () => this.ask("rollback", {}, this.rollback) }, "Roll back…");
    this.stop = h("button", { type: "button", class: "button", title: "Records and history are kept; the endpoint can be started again",
      onclick: () => this.ask("stop", {}, this.stop) }, "Stop…");
    this.delete = h("button", { type: "button", class: "button", title: "The endpoint, its history and its records go permanently",
      onclick: () => this.ask("delete", {}, this.delete) }, "Delete…");
    this.askedCount = h("summary");
    this.askedLines = h("ul");
    this.validated = h("details", { class: "faint", hidden: true }, this.askedCount, this.askedLines);
    this.problem = h("div", { class: "notice bad", role: "alert", hidden: true });
    this.traffic = h("div", { class: "traffic", role: "img" });
    this.pending = h("div", { class: "pending", role: "group", hidden: true, tabindex: "-1", [OWN_KEYS]: true });
    this.says = h("p", { class: "says" });
    this.cardList = h("div", { class: "cards" });
    this.below = h("div", { class: "below", hidden: true });
    this.report = h("div", { class: "report", hidden: true });
    this.publishing = new Publishing(this);
    this.id = `${Date.now()}-${newId()}`;
    this.onMessage = (message) => { if (message.view === this.id) this.drawReport(message); };
    this.model.on("msg:custom", this.onMessage);
    this.historyCount = h("summary");
    this.historyBody = h("tbody");
    const head = ["revision", "time", "user", "change", "reason", ""].map((name) => h("th", { scope: "col" }, name));
    this.history = h("details", { class: "history" }, this.historyCount,
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ...head)), this.historyBody)), this.buildValidations());
    this.live = h("div", { role: "status", "aria-live": "polite", class: "unseen" });
    this.section = h("section", { class: "nbdeploy-panel", "aria-labelledby": title },
      h("header", {}, h("div", {}, h("div", { class: "title" }, this.title, this.health, this.revision, this.records),
        h("div", { class: "url" }, this.url, this.copy), this.validated),
        h("div", { class: "row" }, this.rollback, this.stop, this.delete)),
      this.problem, this.traffic, this.pending, this.publishing.element, this.report, this.cardList, this.history, this.below, this.live);
    // While Ctrl or Cmd is held, keys are the notebook's again: Ctrl+S still saves.
    for (const kind of ["keydown", "keyup"]) {
      this.section.addEventListener(kind, (event) => event.target.toggleAttribute(OWN_KEYS, !(event.ctrlKey || event.metaKey)));
    }
    this.root.append(this.section);
  }

  buildValidations() {
    const heading = newId();
    this.validations = h("ul", { "aria-label": "Validations, newest first" });
    this.notMeasured = h("p", { class: "faint" });
    this.measured = h("button", { type: "button", class: "button", onclick: () => this.showBelow({ do: "measured" }, this.measured) },
      "Show the metrics");
    return h("section", { class: "validations", "aria-labelledby": heading },
      h("div", { class: "row" }, h("h4", { id: heading }, "Validations"), this.measured), this.notMeasured, this.validations);
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
    else if (name === "publishing") this.publishing.update();
    else if (name === "validations") this.updateValidations();
    else if (name === "below") this.updateBelow();
    else if (name === "problem") this.updateProblem();
    else if (name === "said") write(this.live, this.model.get("said")[1]);
  }

  updateEndpoint() {
    const endpoint = this.endpoint;
    write(this.title, endpoint.name);
    write(this.revision, `revision ${endpoint.revision}`);
    write(this.records, `records: ${endpoint.record}`);
    write(this.url, endpoint.url);
    const count = endpoint.validations.length;
    this.validated.hidden = !count;
    write(this.askedCount, `${count} validation${count === 1 ? "" : "s"} of every release`);
    writeLines(this.askedLines, endpoint.validations);
    this.stop.hidden = !endpoint.running;
    write(this.rollback, endpoint.running ? "Roll back…" : "Start again…");
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
    if (problem) this.problem.replaceChildren(...notice("The data below may be out of date: ", problem));
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
      this.asked = undefined;
      this.pending.replaceChildren();
      if (had && this.from) (this.from.isConnected ? this.from : this.named(this.from.ariaLabel))?.focus();
    } else {
      const { number, phase } = pending;
      write(this.says, pending.comparison);
      this.says.hidden = !pending.comparison;
      // What the comparison says comes a moment after the question, when a reason may be half typed.
      if (phase === "preview" && this.asked === number) return;
      this.asked = phase === "preview" ? number : undefined;
      this.pending.dataset.phase = phase;
      this.drawPending(pending);
      // The focus follows the question only where it was asked; a step of the work does not move it.
      if (this.from && (had || pending.phase !== "working")) this.pending.focus({ preventScroll: false });
    }
  }

  drawPending(pending) {
    const { number, phase } = pending;
    const reason = h("input", { type: "text", "aria-label": "Reason (optional)", placeholder: "Reason (optional, stored in the history)" });
    const act = (words, message, primary) => h("button", { type: "button", class: primary ? "button primary" : "button",
      onclick: () => this.send({ number, ...message() }) }, words);
    const cancel = h("button", { type: "button", class: "button", onclick: () => {
      for (const card of this.cards.values()) card.reset();
      this.send({ do: "dismiss", number });
    } }, phase === "preview" ? "Cancel" : "Discard");
    const why = h("input", { type: "text", "aria-label": "Reason for the override", placeholder: "Reason (stored permanently)" });
    const force = act("Override the gates", () => ({ do: "force", reason: why.value }));
    force.disabled = true;
    why.addEventListener("input", () => { force.disabled = !why.value.trim(); });
    why.addEventListener("keydown", (event) => { if (event.key === "Enter" && !force.disabled) force.click(); });
    const report = h("button", { type: "button", class: "button", onclick: () => this.showReport("", report) }, "Report");
    const gates = pending.problem?.gates ? [...(pending.problem.report ? [report] : []), why, force] : [];
    const actions = {
      preview: () => [reason, act("Confirm", () => ({ do: "confirm", reason: reason.value }), true), cancel],
      working: () => [],
      failed: () => [act("Refresh", () => ({ do: "again" }), true), cancel, ...gates],
      conflict: () => [act("Refresh", () => ({ do: "again" }), true), cancel],
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
      h("h4", {}, { preview: "Preview: ", working: "In progress: ", failed: "Failed: ", conflict: "Conflict: " }[phase] + pending.title),
      pending.problem ? h("div", { class: "notice bad", role: "alert" }, ...notice("", pending.problem)) : null,
      newer.length ? h("ul", { class: "newer" }, ...newer) : null,
      rows.length && phase !== "conflict" ? h("table", { class: "difference" }, h("tbody", {}, ...rows)) : null,
      ...(phase === "conflict" ? [] : pending.notes.map((note) => h("p", {}, note))),
      phase === "preview" ? this.says : null,
      phase === "working" ? h("progress", { "aria-label": "Working" }) : null,
      actions.length ? h("div", { class: "row" }, ...actions) : null,
    ].filter(Boolean));
  }

  /** Asks for a validation's page: of a release by its tag, of what was refused by "". */
  showReport(of, from) {
    this.reportFrom = from;
    this.send({ do: "report", of, view: this.id });
  }

  /** The page may show what a model said: in a frame of its own, without scripts and without this page's rights. */
  drawReport({ report, problem, path }) {
    const hide = h("button", { type: "button", class: "button quiet", "aria-label": "Hide the report", onclick: () => {
      this.report.hidden = true;
      this.report.replaceChildren();
      if (this.reportFrom?.isConnected) this.reportFrom.focus();
    } }, "Hide");
    const frame = report ? h("iframe", { sandbox: "", title: "Report of the validation", srcdoc: report }) : null;
    this.report.replaceChildren(...[h("div", { class: "row" }, h("code", {}, path || problem), hide),
      report ? frame : h("p", {}, problem)].filter(Boolean));
    this.report.hidden = false;
    hide.focus();
  }

  updateValidations() {
    const { rows = [], charts = 0 } = this.model.get("validations");
    const words = { pass: "passed", fail: "failed", inconclusive: "undecided" };
    this.validations.replaceChildren(...rows.map((row) => h("li", { "data-verdict": row.verdict }, h("b", {}, words[row.verdict]),
      row.release ? h("span", { title: row.release }, short(row.release)) : null,
      h("span", { class: "faint", title: clock(row.at) }, `${row.trigger} by ${row.by}, ${ago(row.at)}`))));
    this.measured.hidden = !charts;
    this.notMeasured.hidden = charts > 0;
    write(this.notMeasured, rows.length ? "A metric is drawn once it has two measurements."
      : "No validations yet. Choose a validation notebook when you deploy: it runs for each release, and its metrics are drawn here.");
  }

  /** Asks for what is drawn below the panel; `from` is where the focus goes back to. */
  showBelow(message, from) {
    this.belowFrom = from;
    this.send(message);
  }

  updateBelow() {
    const below = this.model.get("below");
    const had = this.below.contains(document.activeElement);
    this.below.hidden = !below;
    for (const [tag, card] of this.cards) write(card.compare, below?.tag === tag && below.phase === "shown" ? "Compare again" : "Compare");
    if (!below) {
      this.below.replaceChildren();
      if (had && this.belowFrom?.isConnected) this.belowFrom.focus();
      return;
    }
    const measured = below.what === "validations";
    const words = measured ? "Metrics of the validations, by release"
      : { working: `Comparing ${short(below.tag)} with stable …`, failed: `${short(below.tag)} could not be compared. `,
        shown: `Compared at ${below.at ? new Date(below.at).toLocaleTimeString() : ""}` }[below.phase];
    this.below.replaceChildren(...[
      h("span", {}, words),
      ...(below.problem ? notice("", below.problem) : []),
      below.phase === "working" ? null : h("button", { type: "button", class: "button quiet",
        "aria-label": measured ? "Hide the metrics" : "Hide the comparison", onclick: () => this.send({ do: "hide" }) }, "Hide"),
    ].filter(Boolean));
  }

  close() {
    clearInterval(this.timer);
    for (const [event, listener] of this.listeners) this.model.off(event, listener);
    this.model.off("msg:custom", this.onMessage);
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
