// Draws the entry point that is chosen, and shows what the pointer is on.
const element = (id) => document.getElementById(id);
const escapeText = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const scaled = (value, step, units) => {
  let unit = 0;
  while (value >= step && unit + 1 < units.length) { value /= step; ++unit; }
  return (unit && value < 100 ? value.toPrecision(3) : Math.round(value)) + " " + units[unit];
};
const bytesText = (value) => scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
const countText = (value) => scaled(value, 1000, ["", "k", "M", "G", "T", "P"]).trim();
const timeText = (ms) => (ms < 1 ? (ms * 1000).toPrecision(3) + " µs" : ms.toPrecision(3) + " ms");
const Bounds = { products: "products", memory: "memory", arithmetic: "other arithmetic", launch: "its launch" };

let entry, plan, pinned = -1;

function shorten(text, width) {
  const most = Math.floor(width / 6.5);
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

function drawEdge(from, to, className, attributes) {
  return `<path class="edge ${className}" ${attributes} d="M${from.x} ${from.y}C${from.x} ${(from.y + to.y) / 2} ${to.x} ${(from.y + to.y) / 2} ${to.x} ${to.y}"/>`;
}

// Around what lies between, in a lane left of the operations or right of the steps.
function drawDetour(x, y1, y2, start, end, attributes) {
  const r = 6, side = x < start ? 1 : -1;
  return `<path class="edge far" ${attributes} d="M${start} ${y1}H${x + side * r}Q${x} ${y1} ${x} ${y1 + r}V${y2 - r}Q${x} ${y2} ${x + side * r} ${y2}H${end}"/>`;
}

function drawOperationEdges() {
  let text = "";
  const far = [];
  entry.operations.forEach((operation, id) => operation.inputs.forEach((source) => {
    const a = plan.places[source], b = plan.places[id];
    if (!a || !b) return;
    const from = plan.owners[source], to = plan.owners[id], mark = `data-from="${from}" data-to="${to}"`;
    if (from !== to && entry.steps[to].operations.includes(source)) return; // it computes that again
    const isNext = a.y === b.y && b.x > a.x && b.x - a.x - a.width <= Sizes.chipGap + 1;
    if (isNext) text += `<path class="edge" ${mark} d="M${a.x + a.width} ${a.y + 10}H${b.x}"/>`;
    else if (Math.abs(to - from) <= 1) {
      if (a.y === b.y) text += `<path class="edge" ${mark} d="M${a.x + a.width / 2} ${a.y}C${a.x + a.width / 2} ${a.y - 9} ${b.x + b.width / 2} ${b.y - 9} ${b.x + b.width / 2} ${b.y}"/>`;
      else text += drawEdge({ x: a.x + a.width / 2, y: a.y + (b.y > a.y ? a.height : 0) }, { x: b.x + b.width / 2, y: b.y + (b.y > a.y ? 0 : b.height) }, "", mark);
    } else far.push({ from, to, a, b, mark });
  }));
  for (const edge of assignLanes(far)) {
    const x = Sizes.gutter - 22 - edge.lane * (Sizes.lane - 1);
    text += drawDetour(x, edge.a.y + 10, edge.b.y + 10, edge.a.x, edge.b.x, edge.mark);
  }
  return text;
}

function drawStepEdges() {
  let text = "";
  const far = [];
  entry.steps.forEach((step, to) => step.inputs.forEach((from) => {
    const a = plan.rows[from].box, b = plan.rows[to].box, mark = `data-from="${from}" data-to="${to}"`;
    const x = b.x + 26;
    if (to - from === 1) text += drawEdge({ x: a.x + 26, y: a.y + a.height }, { x, y: b.y }, "", mark);
    else far.push({ from, to, a, b, mark });
  }));
  for (const edge of assignLanes(far)) {
    const { a, b } = edge;
    text += drawDetour(Math.max(a.x + a.width, b.x + b.width) + 10 + edge.lane * Sizes.lane, a.y + a.height - 8, b.y + 10, a.x + a.width, b.x + b.width, edge.mark);
  }
  return text;
}

function drawChip(chip, step) {
  const operation = entry.operations[chip.id];
  const isAnchor = step.anchor !== "pointwise" && chip.id === plan.anchors[chip.step];
  const kind = plan.aliases.has(chip.id) ? "alias" : operation.role === "view" ? "view" : isAnchor ? "anchor" : "";
  const title = `${operation.op}  ${operation.name}\n${operation.type}${operation.layout ? "  " + operation.layout : ""}\n${operation.source}${plan.aliases.has(chip.id) ? "\nmoves nothing: another name of the memory" : ""}`;
  return `<g class="chip ${kind}" data-op="${chip.id}"><title>${escapeText(title)}</title><rect x="${chip.x}" y="${chip.y}" width="${chip.width}" height="${chip.height}" rx="5"/><text x="${chip.x + chip.width / 2}" y="${chip.y + 14}">${escapeText(operation.op)}</text></g>`;
}

// What lies under the edges of a row.
function drawBack(row) {
  const { cluster, box } = row;
  let text = `<g class="row" data-step="${row.index}"><rect class="back" x="0" y="${row.top - 4}" width="${plan.width}" height="${row.height + 8}" rx="4"/>`;
  if (cluster.chips.length) {
    const right = cluster.x + cluster.width;
    text += `<path class="ribbon" d="M${right} ${cluster.y}L${box.x} ${box.y}V${box.y + box.height}L${right} ${cluster.y + cluster.height}Z"/>`;
    text += `<rect class="cluster" x="${cluster.x}" y="${cluster.y}" width="${cluster.width}" height="${cluster.height}" rx="8"/>`;
  }
  return text + "</g>";
}

function drawRow(row, longest) {
  const step = entry.steps[row.index], { cluster, box } = row;
  let text = `<g class="row" data-step="${row.index}">`;
  text += `<text class="number" x="18" y="${row.top + row.height / 2 + 4}">${row.index + 1}</text>`;
  text += cluster.chips.map((chip) => drawChip({ ...chip, step: row.index }, step)).join("");
  const how = [step.layout, step.kind === "kernel" ? step.tactic || step.anchor : step.kind === "product" ? step.tactic : step.launch].filter(Boolean).join("  ");
  text += `<g class="step ${step.kind}"><rect class="box" x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="6"/>`;
  text += `<rect class="bar-${step.bound}" x="${box.x}" y="${box.y}" width="5" height="${box.height}" rx="2"/>`;
  text += `<text class="name" x="${box.x + 13}" y="${box.y + 16}">${escapeText(shorten(step.name, box.width - 20))}</text>`;
  text += `<text class="faint" x="${box.x + 13}" y="${box.y + 32}">${escapeText(shorten(how, box.width - 12))}</text></g>`;
  const width = Math.max(1.5, (step.floor_milliseconds / longest) * Sizes.barWidth), middle = box.y + box.height / 2;
  text += `<rect class="bar-${step.bound}" x="${plan.barX}" y="${middle - 7}" width="${width}" height="14" rx="2"/>`;
  text += `<text class="faint" x="${plan.barX + width + 6}" y="${middle + 4}">${timeText(step.floor_milliseconds)}${step.times > 1 ? " × " + step.times : ""}</text></g>`;
  return text;
}

// The operation that gives a step its anchor.
function findAnchors() {
  return entry.steps.map((step) => step.operations.find((id) => entry.operations[id].role === step.anchor));
}

function highlight(code) {
  return escapeText(code).replace(/(\/\/.*)|\b(const|auto|if|for|return|using|struct|float|int|void|unsigned|long|extern|template|class|bool)\b/g,
    (all, comment, word) => (comment ? `<span class="comment">${comment}</span>` : `<span class="word">${word}</span>`));
}

function showDetails(index) {
  const step = entry.steps[index];
  const facts = [["what", [step.kind, step.anchor].filter(Boolean).join(", ")], ["code", step.symbol], ["tactic", step.tactic], ["launch", step.launch],
    ["layout", step.layout], ["floor", `${timeText(step.floor_milliseconds)}, by ${Bounds[step.bound]}${step.times > 1 ? `; ${step.times} times` : ""}`],
    ["bytes", `${bytesText(step.bytes_read)} read, ${bytesText(step.bytes_written)} written`],
    ["operations", `${countText(step.products)} in products, ${countText(step.arithmetic)} others`]].filter((fact) => fact[1]);
  let text = `<h2>${index + 1}  ${escapeText(step.name)}</h2><div class="where">${escapeText(step.source)}</div><table>`;
  text += facts.map(([name, value]) => `<tr><td>${name}</td><td>${escapeText(value)}</td></tr>`).join("") + "</table>";
  if (step.operations.length) {
    text += "<h3>operations</h3><table>" + step.operations.map((id) => entry.operations[id]).map((operation) =>
      `<tr title="${escapeText(operation.name)}"><td>${escapeText(operation.op)}</td><td>${escapeText(operation.type)}</td><td class="where">${escapeText(operation.source.split("/").pop())}</td></tr>`).join("") + "</table>";
  }
  if (step.refused.length)
    text += "<h3>not fused with</h3><ul>" + step.refused.map((line) => `<li>${escapeText(line)}</li>`).join("") + "</ul>";
  if (step.tensors.length)
    text += "<h3>memory</h3><table>" + step.tensors.map((tensor) => `<tr><td>${tensor.written ? "writes" : "reads"}</td><td>${escapeText(tensor.name)}<br><span class="where">${escapeText(tensor.type)}</span></td><td class="figure">${bytesText(tensor.bytes)}</td></tr>`).join("") + "</table>";
  const code = explanation.code[step.symbol];
  if (code) text += `<h3>generated code</h3><pre>${highlight(code)}</pre>`;
  element("details").innerHTML = text;
}

// What to look at first, before the pointer is on anything.
function showOverview() {
  const order = entry.steps.map((step, index) => index).filter((index) => entry.steps[index].depth === 0);
  order.sort((a, b) => entry.steps[b].floor_milliseconds - entry.steps[a].floor_milliseconds);
  const rows = order.slice(0, 15).map((index) => {
    const step = entry.steps[index];
    return `<tr class="jump" data-step="${index}"><td>${index + 1}</td><td>${escapeText(step.name)}</td><td><b class="dot-${step.bound}"></b></td><td class="figure">${timeText(step.floor_milliseconds)}</td></tr>`;
  });
  element("details").innerHTML = `<p class="hint">Point at a step for its figures and its code; click to keep them. A box on the left is what fusion made one step of. Dashed operations are views: they move nothing where they are fused.</p>` +
    `<h3>the longest floors</h3><table>${rows.join("")}</table>`;
}

function mark(index) {
  document.querySelectorAll(".row.chosen, .edge.chosen, #strip .chosen").forEach((node) => node.classList.remove("chosen"));
  if (index < 0) return showOverview();
  document.querySelectorAll(`.row[data-step="${index}"]`).forEach((node) => node.classList.add("chosen"));
  element("strip").children[index].classList.add("chosen");
  document.querySelectorAll(`.edge[data-from="${index}"], .edge[data-to="${index}"]`).forEach((node) => node.classList.add("chosen"));
  showDetails(index);
}

function find(text) {
  text = text.toLowerCase();
  let first = null;
  document.querySelectorAll(".found").forEach((node) => node.classList.remove("found"));
  if (!text) return;
  document.querySelectorAll(".chip").forEach((node) => {
    const operation = entry.operations[node.dataset.op];
    if (!`${operation.op} ${operation.name}`.toLowerCase().includes(text)) return;
    node.classList.add("found");
    first = first || node;
  });
  document.querySelectorAll(".row").forEach((node) => {
    const step = entry.steps[node.dataset.step];
    if (!node.querySelector(".step") || !`${step.name} ${step.symbol} ${step.tactic}`.toLowerCase().includes(text)) return;
    node.querySelector(".step").classList.add("found");
    first = first || node;
  });
  if (first) first.scrollIntoView({ block: "center" });
}

function draw(number) {
  entry = explanation.entries[number];
  plan = layOut(entry);
  plan.anchors = findAnchors();
  const outer = entry.steps.filter((step) => step.depth === 0), sum = (part) => outer.reduce((all, step) => all + part(step), 0);
  const sizes = Object.entries(entry.sizes).map(([name, size]) => `${name} = ${size}`).join(", ");
  const rates = `${explanation.gpu} (${explanation.measured_rates ? "measured rates" : "rates of its data sheet"})`;
  element("summary").textContent = `${sizes ? "at " + sizes + ": " : ""}${entry.operations.length} operations in ${entry.steps.length} steps; at least ${timeText(entry.floor_milliseconds)} on ${rates}, ` +
    `${bytesText(sum((step) => step.bytes_read + step.bytes_written))}, ${countText(sum((step) => step.products + step.arithmetic))} operations`;
  element("strip").innerHTML = entry.steps.map((step, index) => `<i data-step="${index}" class="dot-${step.bound}" style="flex:${step.depth ? 0 : Math.ceil(step.floor_milliseconds * 1e5)}" title="${escapeText(`${index + 1} ${step.name}: ${timeText(step.floor_milliseconds)}`)}"></i>`).join("");
  const longest = Math.max(...entry.steps.map((step) => step.floor_milliseconds), 1e-9);
  const picture = element("picture");
  picture.setAttribute("width", plan.width);
  picture.setAttribute("height", plan.height);
  picture.innerHTML = plan.rows.map(drawBack).join("") + `<g pointer-events="none">${drawOperationEdges()}${drawStepEdges()}</g>` +
    plan.rows.map((row) => drawRow(row, longest)).join("");
  const heads = element("heads").children, starts = [Sizes.gutter, Sizes.gutter + Sizes.clusterWidth + Sizes.gap, plan.barX];
  starts.forEach((x, index) => { heads[index].style.left = x + "px"; });
  pinned = -1;
  showOverview();
}

const stepOf = (event) => { const node = event.target.closest("[data-step]"); return node ? Number(node.dataset.step) : -1; };
function pin(index, scrolls) {
  pinned = index;
  mark(index);
  if (scrolls && index >= 0) document.querySelector(`.row[data-step="${index}"]`).scrollIntoView({ block: "center" });
}
for (const id of ["picture", "strip", "details"]) {
  if (id !== "details") element(id).addEventListener("mouseover", (event) => { if (pinned < 0 && stepOf(event) >= 0) mark(stepOf(event)); });
  element(id).addEventListener("click", (event) => {
    const index = stepOf(event);
    if (id !== "details" || index >= 0) pin(index === pinned ? -1 : index, id !== "picture");
  });
}
element("graph").addEventListener("mouseleave", () => { if (pinned < 0) mark(-1); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") pin(-1, false); });
element("search").addEventListener("input", (event) => find(event.target.value));
element("title").textContent = `${explanation.model} for ${explanation.target}`;
element("entries").innerHTML = explanation.entries.map((one, index) => `<option value="${index}">${escapeText(one.entry + (one.variant ? " for " + one.variant : ""))}</option>`).join("");
element("entries").hidden = explanation.entries.length < 2;
element("entries").addEventListener("change", (event) => draw(Number(event.target.value)));
element("legend").innerHTML = Object.keys(Bounds).map((bound) => `<span><b class="dot-${bound}"></b>bound by ${Bounds[bound]}</span>`).join("");
draw(0);
// page.html#7 opens step 7.
const asked = Number(location.hash.slice(1)) - 1;
if (entry.steps[asked]) pin(asked, true);
