/** A part of the panel's front end (see panel.js): one release with its controls. */

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
    this.changes = h("p", { class: "changes", title: `Run nbdeploy diff ${tag} for all changes` });
    this.gatesWords = h("span");
    this.gatesReport = h("button", { type: "button", class: "button quiet", "aria-label": `Report on the gates of ${short(tag)}`,
      onclick: () => panel.showReport(tag, this.gatesReport) }, "Open the report");
    this.gatesLines = h("ul");
    this.gatesAt = h("span", { class: "faint" });
    this.gates = h("details", { class: "gates", hidden: true }, h("summary", {}, this.gatesWords), this.gatesLines,
      h("p", { class: "row" }, this.gatesAt, this.gatesReport));
    this.health = healthLine();
    this.counts = h("dl", { class: "counts" });
    this.published = h("p", { class: "published faint", hidden: true });
    this.controls = h("div", { class: "controls" });
    this.element = h("article", { class: "card", "aria-labelledby": heading },
      h("div", { class: "top" }, h("h4", { id: heading, title: tag }, short(tag)), this.badge),
      this.who, this.changes, this.gates, this.published, this.health, this.counts, this.controls);
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
      onclick: () => panel.showBelow({ do: "compare", tag }, this.compare) }, "Compare");
    this.publish = h("button", { type: "button", class: "button", "aria-label": `Publish ${name}`, title: "Build a container image of this release and push it to a registry",
      onclick: () => panel.publishing.ask(tag, this.publish) }, "Publish…");
    this.ofCandidates = [shadow, canary, this.compare, this.promote];
    this.controls.append(shadow, canary, h("div", { class: "row end" }, this.publish, this.compare, this.promote));
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
    const parts = [card.variable, card.notebook, card.framework, card.image ? "runs from an image" : "", card.stochastic ? "stochastic" : "", card.found, ago(card.created)];
    write(this.who, parts.filter(Boolean).join(" · "));
    write(this.changes, card.changes);
    this.changes.hidden = !card.changes;
    this.gates.hidden = !card.gates;
    if (card.gates) {
      this.gates.dataset.verdict = card.gates.verdict;
      write(this.gatesWords, card.gates.words);
      writeLines(this.gatesLines, card.gates.lines);
      write(this.gatesAt, `validated ${ago(card.gates.at)}`);
      this.gatesAt.title = clock(card.gates.at);
      this.gatesReport.hidden = !card.gates.report;
    }
    this.who.title = [card.path, card.image, `created ${clock(card.created)}`, ...(card.findings ?? [])].filter(Boolean).join("\n");
    for (const control of this.ofCandidates) control.hidden = card.role === "stable";
    this.published.hidden = !card.published.length;
    write(this.published, `published as ${card.published.join(", ")}`);
    this.switch.setAttribute("aria-checked", String(card.role === "shadow"));
    this.shareDraft.follow(card.role === "shadow" ? card.percent : 100);
    this.sliderDraft.follow(card.role === "canary" ? card.percent : 0);
    if (card.role !== "shadow") this.shareDraft.submit.disabled = true; // the percent goes with the switch
    this.compare.disabled = idle;
    this.compare.title = idle ? "An idle release gets no traffic to compare" : "";
  }

  reset() {
    this.shareDraft.reset();
    this.sliderDraft.reset();
  }

  updateLive(live) {
    const looked = live && !(this.card?.role === "idle" && !live.health);
    health(this.health, looked ? live.healthy : null, live ? live.health : "not checked yet");
    const counts = live?.counts;
    const rates = counts?.rates ?? [];
    const rate = rates.at(-1);
    const copies = this.card?.role === "shadow";
    const facts = counts
      ? [[copies ? "copies" : "requests", counts.requests.toLocaleString(), "predictions, since the gateway started"],
         ["errors", counts.errors.toLocaleString(), "answers of 500 and above"],
         ["now", perSecond(rate), "requests a second"],
         ["median", milliseconds(counts.p50_ms), "time to an answer, as the gateway measured it"]]
      : [];
    const key = JSON.stringify([facts, rates]);
    if (key === this.drawn) return;
    this.drawn = key;
    this.counts.replaceChildren(...facts.map(([name, value, title]) =>
      h("div", { title, class: name === "errors" && counts.errors ? "bad" : undefined }, h("dt", {}, name), h("dd", {}, value))));
    if (rates.length > 1) this.counts.append(sparkline(rates));
  }
}
