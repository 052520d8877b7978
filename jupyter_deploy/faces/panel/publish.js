/** A part of the panel's front end (see panel.js): a release on its way to a registry. The form lives in this view alone. */

class Publishing {
  constructor(panel) {
    this.panel = panel;
    this.element = h("div", { class: "pending publish", role: "group", hidden: true, tabindex: "-1", [OWN_KEYS]: true });
  }

  get shown() { return this.panel.model.get("publishing"); }

  /** The form for a release; `from` is where the focus goes back to. */
  ask(tag, from, given = { to: this.panel.endpoint.publish_to, overwrite: false }) {
    this.from = from;
    if (this.shown?.phase === "working") {
      this.element.focus();
      return;
    }
    this.asks = true;
    const to = h("input", { type: "text", "aria-label": "Destination", placeholder: `registry.example/team/${this.panel.endpoint.name}`,
      spellcheck: "false", autocomplete: "off", value: given.to });
    const overwrite = h("input", { type: "checkbox", checked: given.overwrite });
    const form = h("form", { onsubmit: (event) => {
      event.preventDefault();
      this.send(tag, { to: to.value, overwrite: overwrite.checked });
    } },
    h("label", { class: "field" }, h("span", {}, "Destination"), to),
    h("p", { class: "faint" }, "HOST/PATH or HOST/PATH:TAG; without a tag the release's version is the tag."),
    h("label", { class: "row" }, overwrite, h("span", {}, "Move the tag if it names another image")),
    h("div", { class: "row" }, h("button", { type: "submit", class: "button primary" }, "Publish"),
      this.button("Cancel", () => this.close())));
    to.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // in a notebook's page the browser does not submit a form by itself
      form.requestSubmit();
    });
    this.draw(`Publish ${short(tag)}`, "form",
      h("p", {}, "Builds a container image of this release and pushes it to a registry. Any container engine or cloud can start it."), form);
    to.focus();
    to.select();
  }

  send(tag, { to, overwrite, reason = "" }) {
    this.asked = { to, overwrite };
    this.panel.send({ do: "publish", tag, to, overwrite, reason });
  }

  button(words, onclick, primary = false) {
    return h("button", { type: "button", class: primary ? "button primary" : "button", onclick }, words);
  }

  draw(title, phase, ...parts) {
    const had = this.element.contains(document.activeElement);
    this.element.hidden = false;
    this.element.dataset.phase = phase;
    this.element.setAttribute("aria-label", title);
    this.element.onkeydown = (event) => { if (event.key === "Escape" && phase !== "working") this.close(); };
    this.element.replaceChildren(h("h4", {}, title), ...parts.filter(Boolean));
    if (had && phase !== "form") this.element.focus();
  }

  /** What is shown goes from all views, the form from this one. */
  close() {
    if (this.shown) this.panel.send({ do: "published", number: this.shown.number });
    this.asks = false;
    this.hide();
  }

  hide() {
    const had = this.element.contains(document.activeElement);
    this.element.hidden = true;
    this.element.replaceChildren();
    if (had && this.from?.isConnected) this.from.focus();
  }

  update() {
    const shown = this.shown;
    if (!shown) {
      if (!this.asks) this.hide();
      return;
    }
    this.asks = false;
    this[shown.phase](shown);
  }

  working({ tag, to, step, steps, lines }) {
    const bar = h("progress", { "aria-label": `Publishing ${short(tag)}`, ...(steps ? { max: steps, value: Math.max(0, step - 0.5) } : {}) });
    this.draw(`Publishing ${short(tag)}${to ? ` to ${to}` : ""}`, "working", bar, h("p", {}, lines.at(-1) ? `${lines.at(-1)} …` : "…"),
      this.soFar(lines.slice(0, -1)));
  }

  /** What was done, opened if it was before. */
  soFar(lines) {
    if (!lines.length) return null;
    const opened = this.element.querySelector("details.soFar")?.open ?? false;
    return h("details", { class: "soFar", open: opened }, h("summary", {}, `Done so far: ${lines.length}`),
      h("ul", {}, ...lines.map((line) => h("li", {}, line))));
  }

  failed({ tag, to, lines, problem }) {
    const again = this.button("Try again…", () => this.ask(tag, this.from, { overwrite: false, ...this.asked, to }), true);
    const why = h("input", { type: "text", "aria-label": "Reason for the override", placeholder: "Reason (stored permanently)" });
    const force = this.button("Override the gates", () => this.send(tag, { overwrite: false, ...this.asked, to, reason: why.value }));
    force.disabled = true;
    why.addEventListener("input", () => { force.disabled = !why.value.trim(); });
    why.addEventListener("keydown", (event) => { if (event.key === "Enter" && !force.disabled) force.click(); });
    const report = this.button("Report", () => this.panel.showReport(tag, report));
    const gates = problem.gates ? [...(problem.report ? [report] : []), why, force] : [];
    this.draw(`Failed to publish: ${short(tag)}`, "failed", h("div", { class: "notice bad", role: "alert" }, ...notice("", problem)), this.soFar(lines),
      h("div", { class: "row" }, again, this.button("Close", () => this.close()), ...gates));
  }

  /** What came of it: its reference, its digest and the line that starts it are there to be copied. */
  done({ tag, page }) {
    const say = (words) => write(this.panel.live, words);
    const copied = { reference: "Copy the reference", digest: "Copy the digest" };
    const facts = page.facts.flatMap(([name, value]) => {
      const words = h(copied[name] ? "code" : "span", {}, value);
      return [h("dt", {}, name), h("dd", {}, words, copied[name] ? copier(copied[name], words, say) : "")];
    });
    const command = h("pre", { tabindex: "0", "aria-label": "Start command" }, page.command);
    const rows = page.layers.map((row) => h("tr", { title: row.at(-1) }, ...row.slice(0, -1).map((cell) => h("td", {}, cell))));
    this.draw(`Published: ${short(tag)}`, "done", h("p", {}, page.headline), h("dl", { class: "facts" }, ...facts),
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ...page.head.slice(0, -1).map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, ...rows))),
      h("p", { class: "faint" }, "Any container engine can start it:"), h("div", { class: "row command" }, command, copier("Copy the start command", command, say)),
      h("div", { class: "row" }, this.button("Close", () => this.close())));
  }
}
