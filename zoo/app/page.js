"use strict";

const byId = (id) => document.getElementById(id);
const panels = [];
let models = [];
let sizes = null;

async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error || `error ${answer.status}`);
  return content;
}

function say(element, text, error = false) {
  element.textContent = text;
  element.classList.toggle("error", error);
}

function place() {
  const axis = sizes && sizes.length === 3 ? Number(byId("axis").value) : 2;
  return { axis, slice: Number(byId("slice").value) };
}

class Panel {
  constructor(root, number) {
    this.root = root;
    this.number = number;
    this.version = 0;
    root.append(byId("panel").content.cloneNode(true));
    this.find = (name) => root.querySelector(`.${name}`);
    this.find("run").append(...models.map((one) => new Option(one.name, one.name)));
    this.find("run-label").hidden = models.length < 2;
    this.find("run").selectedIndex = Math.min(number, models.length - 1);
    this.find("run").addEventListener("change", () => this.choose());
    this.find("go").addEventListener("click", () => this.segment());
    const picture = this.find("picture");
    picture.addEventListener("mousemove", (event) => this.point(event));
    picture.addEventListener("mouseleave", () => { this.find("pointer").textContent = "\u00a0"; });
    picture.addEventListener("wheel", (event) => scroll(event), { passive: false });
    this.choose();
  }

  get model() { return models.find((one) => one.name === this.find("run").value); }

  choose() {
    const { text, classes, kinds } = this.model;
    this.find("kind").replaceChildren(...kinds.map((one) => new Option(one, one)));
    this.find("kind-label").hidden = kinds.length < 2;
    const fields = text === "report" ? [["Report", ""]]
      : text === "class" ? classes.map((one) => [one.name, one.sentence]) : [];
    this.find("texts").replaceChildren(...fields.map(([name, sentence]) => {
      const label = document.createElement("label");
      const area = document.createElement("textarea");
      area.rows = 2;
      area.defaultValue = sentence;
      area.name = name;
      area.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); this.segment(); }
      });
      label.append(name, area);
      return label;
    }));
    this.list({}, "");
  }

  text() {
    const areas = [...this.find("texts").querySelectorAll("textarea")];
    if (this.model.text === "none") return null;
    if (this.model.text === "report") return areas[0].value;
    return Object.fromEntries(areas.filter((area) => area.value !== area.defaultValue).map((area) => [area.name, area.value]));
  }

  async segment() {
    const button = this.find("go");
    if (button.disabled) return;
    button.disabled = true;
    say(this.find("said"), "Segmenting ...");
    try {
      const body = JSON.stringify({ panel: this.number, run: this.model.name, text: this.text(), kind: this.find("kind").value });
      const found = await ask("segment", { method: "POST", body });
      this.version += 1;
      this.list(found.volumes, found.unit);
      const read = found.text.length ? `Read: ${found.text.join(" | ")} (trained on: ${found.track}).` : "No text is read.";
      say(this.find("said"), [read, ...found.warnings].join(" "));
      this.show();
    } catch (error) {
      say(this.find("said"), error.message, true);
    } finally {
      button.disabled = false;
    }
  }

  list(volumes, unit) {
    this.find("classes").replaceChildren(...this.model.classes.map(({ name, colour }) => {
      const item = document.createElement("li");
      const key = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      box.setAttribute("width", "100%");
      box.setAttribute("height", "100%");
      box.setAttribute("fill", colour);
      key.append(box);
      item.append(key, name in volumes ? `${name}: ${Number(volumes[name].toPrecision(4))} ${unit}` : name);
      return item;
    }));
  }

  show() {
    if (!sizes) return;
    const { axis, slice } = place();
    const picture = this.find("picture");
    picture.src = `picture?panel=${this.number}&axis=${axis}&slice=${slice}&version=${this.version}`;
    picture.hidden = false;
  }

  async point(event) {
    const box = event.target.getBoundingClientRect();
    this.wanted = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.wanted) {
        const [across, down] = this.wanted;
        this.wanted = null;
        const { axis, slice } = place();
        const found = await ask(`probability?panel=${this.number}&axis=${axis}&slice=${slice}&across=${across}&down=${down}`);
        const words = Object.entries(found).sort((one, other) => other[1] - one[1]).slice(0, 4)
          .map(([name, value]) => `${name} ${value.toFixed(3)}`);
        this.find("pointer").textContent = words.join(", ") || "\u00a0";
      }
    } catch (error) {
      say(this.find("said"), error.message, true);
    } finally {
      this.asking = false;
    }
  }
}

function scroll(event) {
  if (!sizes || sizes.length < 3) return;
  event.preventDefault();
  byId("slice").value = Number(byId("slice").value) + Math.sign(event.deltaY);
  show();
}

function show() {
  byId("place").textContent = byId("slice").value;
  for (const panel of panels) panel.show();
}

function turn() {
  if (!sizes || sizes.length < 3) return;
  const last = sizes[Number(byId("axis").value)] - 1;
  byId("slice").max = last;
  byId("slice").value = Math.floor(last / 2);
  show();
}

async function take(files) {
  if (!files.length) return;
  const status = byId("status");
  for (const panel of panels) panel.find("go").disabled = true;
  try {
    say(status, "Reading ...");
    await ask("begin", { method: "POST" });
    for (const file of files) await ask(`file?name=${encodeURIComponent(file.name)}`, { method: "PUT", body: file });
    const found = await ask("open", { method: "POST" });
    sizes = found.sizes;
    say(status, `${found.files.length > 1 ? `${found.files.length} files` : found.files[0]}: ${sizes.join(" x ")}`);
    byId("planes").hidden = sizes.length < 3;
    for (const panel of panels) {
      panel.find("go").disabled = false;
      panel.version += 1;
      panel.list({}, "");
      say(panel.find("said"), "");
    }
    if (sizes.length === 3) turn(); else show();
  } catch (error) {
    sizes = null;
    say(status, error.message, true);
  }
}

async function start() {
  models = await ask("models");
  document.querySelectorAll("section.panel").forEach((root, number) => panels.push(new Panel(root, number)));
  byId("files").addEventListener("change", (event) => take([...event.target.files]));
  byId("slice").addEventListener("input", show);
  byId("axis").addEventListener("change", turn);
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      byId("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop") take([...event.dataTransfer.files]);
    });
  }
}

start().catch((error) => say(byId("status"), error.message, true));
