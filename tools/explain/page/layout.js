// Where everything of one entry point goes: a row per step, its operations on the left, the step on the right.
const Sizes = { gutter: 84, clusterWidth: 500, gap: 46, boxWidth: 330, boxHeight: 40, barGap: 26, barWidth: 170, chipHeight: 20, chipGap: 8,
  lineGap: 8, pad: 8, rowGap: 14, indent: 18, lane: 6, lanes: 8 };

// Text has no width before it is drawn; this is close enough for the fonts of the page.
const chipWidth = (text) => Math.round(text.length * 6.4) + 16;

// The step that draws an operation: the first that computes it; what no step does is a name for memory and stands with the
// step that makes the memory.
function ownersOf(entry) {
  const owners = new Array(entry.operations.length).fill(-1);
  entry.steps.forEach((step, index) => step.operations.forEach((id) => { if (owners[id] < 0) owners[id] = index; }));
  const aliases = new Set();
  const readers = entry.operations.map(() => []);
  entry.operations.forEach((operation, id) => operation.inputs.forEach((from) => readers[from].push(id)));
  for (let pass = 0; pass < 4; ++pass)
    entry.operations.forEach((operation, id) => {
      if (owners[id] >= 0) return;
      const near = [...operation.inputs, ...readers[id]].find((other) => owners[other] >= 0);
      if (near === undefined) return;
      owners[id] = owners[near];
      aliases.add(id);
    });
  return { owners, aliases };
}

// Chips of one cluster in lines, in the order of the model.
function placeChips(entry, ids, left, top) {
  const chips = [];
  let x = left + Sizes.pad, y = top + Sizes.pad, right = left;
  for (const id of ids) {
    const width = chipWidth(entry.operations[id].op);
    if (x > left + Sizes.pad && x + width > left + Sizes.clusterWidth - Sizes.pad) {
      x = left + Sizes.pad;
      y += Sizes.chipHeight + Sizes.lineGap;
    }
    chips.push({ id, x, y, width, height: Sizes.chipHeight });
    x += width + Sizes.chipGap;
    right = Math.max(right, x - Sizes.chipGap + Sizes.pad);
  }
  return { chips, width: right - left, height: ids.length ? y + Sizes.chipHeight + Sizes.pad - top : 0 };
}

function layOut(entry) {
  const { owners, aliases } = ownersOf(entry);
  const members = entry.steps.map(() => []);
  owners.forEach((step, id) => { if (step >= 0) members[step].push(id); });
  const rows = [], places = new Array(entry.operations.length);
  let top = 6;
  entry.steps.forEach((step, index) => {
    const left = Sizes.gutter + step.depth * Sizes.indent;
    const cluster = placeChips(entry, members[index], left, top);
    const height = Math.max(cluster.height, Sizes.boxHeight);
    const shift = (height - cluster.height) / 2;
    cluster.chips.forEach((chip) => { chip.y += shift; places[chip.id] = chip; });
    const boxX = Sizes.gutter + Sizes.clusterWidth + Sizes.gap + step.depth * Sizes.indent;
    rows.push({ index, top, height, cluster: { ...cluster, x: left, y: top + shift }, box: { x: boxX, y: top + (height - Sizes.boxHeight) / 2,
      width: Sizes.boxWidth - step.depth * Sizes.indent, height: Sizes.boxHeight } });
    top += height + Sizes.rowGap;
  });
  const barX = Sizes.gutter + Sizes.clusterWidth + Sizes.gap + Sizes.boxWidth + Sizes.barGap + Sizes.lanes * Sizes.lane;
  return { rows, places, owners, aliases, barX, width: barX + Sizes.barWidth + 110, height: top + 10 };
}

// Lanes for edges that pass rows, so that they do not lie on each other: [{from, to, lane}].
function assignLanes(edges) {
  const ends = [];
  edges.sort((a, b) => a.from - b.from || a.to - b.to);
  for (const edge of edges) {
    let lane = ends.findIndex((end) => end <= edge.from);
    if (lane < 0) lane = ends.length < Sizes.lanes ? ends.length : edge.to % Sizes.lanes;
    ends[lane] = Math.max(ends[lane] || 0, edge.to);
    edge.lane = lane;
  }
  return edges;
}
