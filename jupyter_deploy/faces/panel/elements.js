/** The first part of the panel's front end (see panel.js): elements and words. */

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

/** The items of a list, drawn anew only when they are others. */
function writeLines(list, lines) {
  if (lines.join("\n") === [...list.children].map((item) => item.textContent).join("\n")) return;
  list.replaceChildren(...lines.map((line) => h("li", {}, line)));
}

// Each panel of a page has a module of its own, and the page one set of ids.
const own = Math.random().toString(36).slice(2, 10);
let ids = 0;
const newId = () => `nbdeploy-${own}-${++ids}`;
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

const perSecond = (value) => (value === undefined || value === null ? "–" : `${value.toFixed(value >= 100 ? 0 : 1)}/s`);
const milliseconds = (value) => (value === undefined || value === null ? "–" : `${value.toFixed(value >= 10 ? 0 : 1)} ms`);

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

/** A button that copies an element's text, and selects it where the browser has no clipboard to give (plain HTTP from elsewhere). */
function copier(label, element, say) {
  const button = h("button", { type: "button", class: "button quiet", "aria-label": label, onclick: async () => {
    try {
      await navigator.clipboard.writeText(element.textContent);
      say("Copied");
      write(button, "Copied");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(element);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      write(button, "Selected");
    }
    setTimeout(() => write(button, "Copy"), 1500);
  } }, "Copy");
  return button;
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
