"use strict";
(() => {
  const $ = (query, from = document) => from.querySelector(query);
  const $$ = (query, from = document) => [...from.querySelectorAll(query)];
  const data = JSON.parse($("#data").textContent);
  const board = $("#board");
  const bodies = $$("tbody", board);
  const heads = $$("thead th", board);
  const say = (text) => { $("#said").textContent = text; };
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const SEEDS = 4;
  const isHidden = (column) => board.classList.contains(`h${column}`);
  const rowsOf = (body) => $$("tr:not(.group)", body);
  // The name without its swatch and star.
  const nameOf = (row) => row.cells[0].childNodes[1]?.data ?? "";
  const familyOf = (row) => row.dataset.f ?? nameOf(row);
  $$(".tools").forEach((tools) => { tools.hidden = false; });

  // Sorting: within each task; rows without a value come last in both directions.
  const keyOf = (row, column, costs) => {
    const cell = row.cells[column];
    if (column === 0) return nameOf(row).toLowerCase();
    if (!cell || row.className === "missing") return null;
    if (cell.dataset.v !== undefined) return cell.dataset.v === "" ? null : Number(cell.dataset.v);
    if (column > SEEDS && column <= SEEDS + data.costs.length) return costs.get(nameOf(row))?.[column - SEEDS - 1]?.[0] ?? null;
    return column >= SEEDS ? parseFloat(cell.textContent) : cell.textContent.trim() || null;
  };
  const sort = (column, ascending) => {
    const sign = ascending ? 1 : -1;
    for (const [place, body] of bodies.entries()) {
      const costs = new Map(data.targets[place].points.map(([label, , found]) => [label, found]));
      const keyed = rowsOf(body).map((row) => [keyOf(row, column, costs), row]);
      keyed.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : a < b ? -sign : a > b ? sign : 0));
      body.append(...keyed.map(([, row]) => row));
    }
    heads.forEach((head, place) => {
      if (place === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    say(`Sorted by ${heads[column].textContent.trim()}, ${ascending ? "ascending" : "descending"}`);
  };
  heads.forEach((head, column) => {
    const button = make("button", { type: "button", className: "sort" }, ...head.childNodes);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      sort(column, now ? now === "descending" : column === 0);
    });
    head.append(button);
  });

  // Filtering: the Pareto panel and its front use the rows shown in the table.
  const wanted = $("#f-text"), task = $("#f-task"), family = $("#f-family"), status = $("#f-status");
  const filter = () => {
    const words = wanted.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    bodies.forEach((body, place) => {
      const kind = task.value;
      const fits = !kind || kind === `t${place}` || kind === `m${body.dataset.modality}`;
      let any = false;
      for (const row of rowsOf(body)) {
        const name = nameOf(row).toLowerCase();
        const missing = row.className === "missing";
        const fine = fits && words.every((word) => word.startsWith("-") ? word === "-" || !name.includes(word.slice(1)) : name.includes(word)) && (!family.value || familyOf(row) === family.value)
          && (!status.value || (status.value === "ok") !== missing);
        row.hidden = !fine;
        any ||= fine;
        count += fine;
      }
      body.hidden = !any;
    });
    say(`${count} row${count === 1 ? "" : "s"} shown`);
    document.dispatchEvent(new Event("filtered"));
  };
  [wanted, task, family, status].forEach((field) => field.addEventListener("input", filter));

  // Hovering: read the interval of a cost from the table of every measurement.
  const everything = $$("details.everything");
  const intervalOf = (cell) => {
    const row = cell.parentElement, place = bodies.indexOf(row.parentElement), cost = data.costs[cell.cellIndex - SEEDS - 1];
    if (!cost || cell.textContent === "–") return "";
    const rows = $$("tr", everything[place]);
    const column = [...rows[0].cells].findIndex((head) => head.textContent === nameOf(row));
    const found = rows.find((one) => one.cells[0].textContent.split(", ").includes(cost.measured));
    const known = found && column > 0 ? found.cells[column].textContent : "";
    return known && !known.includes(", n = ") ? `${known}, n = ${rows[1].cells[column].textContent}` : known;
  };
  board.addEventListener("mouseover", ({ target }) => {
    if (target.tagName !== "TD" || target.dataset.titled || target.className === "text") return;
    target.dataset.titled = "1";
    const known = intervalOf(target);
    if (known) target.title = [known, target.title].filter(Boolean).join("; ");
  });

  // Columns: show and hide them.
  const choices = $("#columns");
  heads.forEach((head, column) => {
    if (column === 0) return;
    const box = make("input", { type: "checkbox", checked: !isHidden(column) });
    box.addEventListener("change", () => board.classList.toggle(`h${column}`, !box.checked));
    choices.append(make("label", {}, box, ` ${head.textContent.trim()}`));
  });

  // Pinning another baseline: read the precomputed paired differences of all pairs.
  const words = ["better", "worse", "equivalent", "undecided", "too few seeds"];
  const turned = [1, 0, 2, 3, 4];
  const stepOf = (share) => (value) => `${value < 0 ? "-" : "+"}${share ? Math.abs(value).toFixed(1) : Number(Math.abs(value).toPrecision(3))}`;
  const before = bodies.map((body) => ({
    title: $(".group span", body).textContent,
    cells: new Map(rowsOf(body).filter((row) => row.className !== "missing").map((row) => [row, row.cells[2].cloneNode(true)])),
  }));
  const pinned = (body, place, label) => {
    const found = data.targets[place].pairs;
    const names = data.targets[place].labels;
    const points = stepOf(data.targets[place].share);
    const mine = names.indexOf(label);
    const known = before[place];
    const against = (label) => {
      const other = names.indexOf(label);
      if (other === mine) return [null, "baseline"];
      const pair = found[`${mine},${other}`], back = found[`${other},${mine}`];
      if (pair) return [pair, words[pair[3]]];
      return back ? [back.slice(0, 3).map((value) => value === null ? null : -value), words[turned[back[3]]]] : [null, ""];
    };
    for (const [row, cell] of known.cells) {
      const shown = cell.cloneNode(mine < 0);
      if (mine >= 0) {
        const [numbers, word] = against(nameOf(row));
        shown.dataset.v = numbers ? numbers[0] : word ? 0 : "";
        if (numbers) {
          const ends = numbers.slice(1, 3).sort((a, b) => a - b);
          const range = ends[0] === null ? "" : ends[0] === ends[1] ? " (each seed)" : ` [${ends.map(points).join(", ")}]`;
          shown.append(make("span", { className: "d" }, points(numbers[0]) + range), " ");
        }
        if (word) shown.append(make("span", { className: `word ${word.split(" ")[0]}` }, word));
      }
      row.cells[2].replaceWith(shown);
    }
    $(".group span", body).textContent = mine < 0 ? known.title : known.title.replace(/ · .*/, "") + ` · difference to ${label}, corrected over all pairs`;
  };
  $("#f-pin").addEventListener("input", (event) => {
    bodies.forEach((body, place) => pinned(body, place, event.target.value));
    say(event.target.value ? `Differences to ${event.target.value}` : "Differences to the baseline of the suite");
  });

  // Copying: the shown rows and columns.
  const shownTable = () => {
    const columns = heads.map((head, column) => column).filter((column) => !isHidden(column));
    const textOf = (cell) => {
      if (!cell) return "";
      const copy = cell.cloneNode(true);
      $$("svg, .star", copy).forEach((element) => element.remove());
      $$(".sub, .word", copy).forEach((element) => element.before(" "));
      return copy.textContent.replace(/\s+/g, " ").trim();
    };
    const lines = [["task", ...columns.map((column) => heads[column].textContent.trim())]];
    bodies.forEach((body, place) => body.hidden || rowsOf(body).forEach((row) => {
      if (row.hidden) return;
      const cells = row.className === "missing" ? [nameOf(row), textOf(row.cells[1])] : columns.map((column) => column ? textOf(row.cells[column]) : nameOf(row));
      while (cells.length < columns.length) cells.push("");
      lines.push([data.targets[place].label, ...cells]);
    }));
    return lines;
  };
  const csv = (value) => {
    const safe = /^[=+@\t\r]|^-(?![0-9.])/.test(value) ? `'${value}` : value;
    return /[",\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  const marked = (value) => value.replace(/([\\`*_{}[\]<>#|!])/g, "\\$1");
  const tex = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "★": "$\\star$" };
  const texed = (value) => value.replace(/[\\~^★]|[&%$#_{}]/g, (sign) => tex[sign] || `\\${sign}`);
  const forms = {
    csv: (lines) => lines.map((line) => line.map(csv).join(",")).join("\n"),
    markdown: ([head, ...rest]) => [head, head.map(() => "---"), ...rest].map((line, place) => `| ${line.map((value) => place === 1 ? value : marked(value)).join(" | ")} |`).join("\n"),
    latex: ([head, ...rest]) => `\\begin{tabular}{ll${"r".repeat(head.length - 2)}}\n\\toprule\n${[head, ...rest].map((line) => `${line.map(texed).join(" & ")} \\\\`).join("\n").replace("\\\\\n", "\\\\\n\\midrule\n")}\n\\bottomrule\n\\end{tabular}`,
  };
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); } catch {
      const field = make("textarea", { value: text });
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  };
  $$("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
    await copy(`${forms[button.dataset.copy](shownTable())}\n`);
    say(`Copied as ${button.textContent}`);
  }));

  // Settings: compare two strategies.
  $$("details.settings").forEach((details) => {
    const [one, other] = $$("select", details);
    const rows = $$("tr", details);
    [one, other].forEach((side) => side.append(...[...rows[0].cells].slice(1).map((head) => make("option", {}, head.textContent))));
    const pick = () => {
      const sides = other.value === "" ? [] : [one, other].map((side) => [...one.options].findIndex((option) => option.value === side.value) + 1);
      rows.forEach((row, place) => {
        [...row.cells].forEach((cell, column) => { cell.hidden = sides.length > 0 && column > 0 && !sides.includes(column); });
        row.hidden = place > 0 && sides.length > 0 && row.cells[sides[0]].textContent === row.cells[sides[1]].textContent;
      });
    };
    [one, other].forEach((side) => side.addEventListener("input", pick));
  });

  // Learning curves: against steps as drawn, or against the seconds at which each point was reached.
  const axis = $("#c-axis");
  const lines = $$("#curves path[data-x]").map((line) => ({ line, marker: line.nextElementSibling, steps: line.getAttribute("d"), end: line.nextElementSibling.getAttribute("x") }));
  const atSeconds = ({ line, steps }) => {
    const numbers = steps.match(/-?[0-9.]+/g).map(Number), across = line.dataset.x.split(" ");
    let y = 0;
    return `M${across.map((x, place) => `${x} ${(y += numbers[2 * place + 1]).toFixed(1)}`).join("L")}`;
  };
  if (axis) axis.addEventListener("input", () => {
    const bySeconds = axis.value === "seconds";
    for (const one of lines) {
      one.line.setAttribute("d", bySeconds ? atSeconds(one) : one.steps);
      one.marker.setAttribute("x", bySeconds ? one.line.dataset.x.split(" ").at(-1) : one.end);
    }
    $$("#curves svg").forEach((chart) => {
      const axes = $$(":scope > g.m", chart);
      if (axes.length > 1) axes.forEach((one, place) => one.toggleAttribute("hidden", (place === 1) !== bySeconds));
      $$(".range", chart).forEach((one) => one.toggleAttribute("hidden", bySeconds && axes.length > 1));
    });
  });

  // A run in progress: restore filters, sorting and opened sections after a reload.
  if ($("meta[http-equiv=refresh]")) {
    const key = `ftbench ${location.pathname}`;
    const fields = $$(".tools input, .tools select"), folds = $$("details");
    try {
      const saved = JSON.parse(sessionStorage.getItem(key) || "null");
      if (saved) {
        fields.forEach((field, place) => { if (saved.fields[place] !== undefined) field.value = saved.fields[place]; });
        folds.forEach((fold, place) => { fold.open = Boolean(saved.folds[place]); });
        if (saved.sorted) sort(...saved.sorted);
        $("#f-pin").dispatchEvent(new Event("input"));
        filter();
      }
    } catch { /* storage may be disabled; then nothing is restored */ }
    addEventListener("pagehide", () => {
      const column = heads.findIndex((head) => head.hasAttribute("aria-sort"));
      const sorted = column < 0 ? null : [column, heads[column].getAttribute("aria-sort") === "ascending"];
      try { sessionStorage.setItem(key, JSON.stringify({ fields: fields.map((field) => field.value), folds: folds.map((fold) => fold.open), sorted })); } catch { /* as above */ }
    });
  }

  // The Pareto panel: any cost on a linear or logarithmic axis, with the front of the shown strategies.
  const panel = $("#panel");
  if (!panel) return;
  const pickTask = $("#p-task"), pickCost = $("#p-cost"), pickLog = $("#p-log");
  const figures = $$("#cost > figure:not(#panel)");
  data.costs.forEach((cost, place) => cost.drawn && pickCost.append(make("option", { value: place }, cost.name)));
  const svg = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    element.append(...children);
    return element;
  };
  const grown = (value, steps) => {
    const [size, letter] = steps.find(([least]) => value >= least) || [1, ""];
    return `${Number((value / size).toPrecision(3))} ${letter}`.trim();
  };
  const counts = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const written = (value, unit) => {
    if (unit === "B") return `${grown(value, [[2 ** 30, "Gi"], [2 ** 20, "Mi"], [2 ** 10, "Ki"]])}B`.replace(/(\d)B/, "$1 B");
    if (unit === "parameters") return grown(value, counts);
    if (unit === "FLOP") return `${grown(value, counts)}FLOP`.replace(/(\d)F/, "$1 F");
    if (unit === "s" && value < 0.1 && value > 0) return `${Number((1e3 * value).toPrecision(3))} ms`;
    if (unit === "1") return `${Number((100 * value).toPrecision(3))} %`;
    return `${Number(value.toPrecision(3)).toLocaleString("en")} ${unit}`;
  };
  const short = new Set(["1", "B", "s", "FLOP", "J", "W", "parameters"]);
  const ticked = (value, unit) => short.has(unit) ? written(value, unit) : Number(value.toPrecision(4)).toLocaleString("en");
  const scaleOf = (values, start, end, log, whole = 1, apart = 0) => {
    const turn = log ? Math.log10 : (value) => value;
    let low = Math.min(...values.map(turn)), high = Math.max(...values.map(turn));
    const margin = (high - low) * 0.07 || Math.abs(high) * 0.1 || 0.1;
    low -= margin; high += margin;
    const place = (value) => start + (turn(value) - low) / (high - low) * (end - start);
    const ticks = [];
    if (log && high - low > 1.2) for (let power = Math.ceil(low); power <= high; power += Math.ceil((high - low) / 6)) ticks.push(10 ** power);
    else {
      const [from, to] = log ? [10 ** low, 10 ** high] : [low, high];
      const rough = (to - from) / 5 / whole, power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power * whole;
      for (let number = Math.ceil(from / step); number * step <= to; number += 1) ticks.push(number * step);
    }
    const kept = [];
    for (const tick of ticks.reverse()) if (!kept.length || place(kept.at(-1)) - place(tick) >= apart) kept.push(tick);
    return { place, ticks: apart ? kept : ticks };
  };
  const draw = () => {
    const [W, H, L, R, T, B] = innerWidth < 721 ? [360, 300, 44, 14, 24, 46] : [860, 420, 52, 24, 26, 48];
    const place = Number(pickTask.value), column = Number(pickCost.value), log = pickLog.checked;
    const target = data.targets[place], cost = data.costs[column];
    const visible = new Set(rowsOf(bodies[place]).filter((row) => !row.hidden).map(nameOf));
    const there = target.points.filter(([label, , costs]) => visible.has(label) && costs[column]);
    const points = there.filter(([, , costs]) => !log || Math.min(...costs[column]) > 0);
    const lost = cost.memory ? target.lost.filter((label) => visible.has(label)) : [];
    $("b", panel).textContent = `${target.label}: ${target.score} against ${cost.name}`;
    const frame = $("div", panel);
    if (!points.length) { frame.replaceChildren(make("p", { className: "soft" }, "No strategy shown has both values.")); return; }
    const wall = lost.length ? 34 : 0;
    const unit = target.units[column];
    const across = scaleOf(points.flatMap(([, , costs]) => costs[column]), L, W - R - wall, log, unit === "B" ? 2 ** 20 : 1, 64);
    const up = scaleOf(points.flatMap(([, score]) => score), H - B, T, false);
    const chart = svg("svg", { class: "full", viewBox: `0 0 ${W} ${H}`, role: "img" });
    const text = (x, y, content, kind) => chart.append(svg("text", { x, y, class: kind }, content));
    up.ticks.forEach((tick) => {
      const y = up.place(tick);
      chart.append(svg("path", { d: `M${L} ${y}H${W - R - wall}`, class: "grid" }));
      text(L - 7, y + 3.5, target.share ? String(Number((100 * tick).toPrecision(4))) : String(Number(tick.toPrecision(4))), "e");
    });
    across.ticks.forEach((tick) => {
      const x = across.place(tick);
      chart.append(svg("path", { d: `M${x} ${T}V${H - B}`, class: "grid" }));
      text(x, H - B + 16, ticked(tick, unit), x > W - R - 24 ? "e" : "m");
    });
    text(L, T - 9, `${target.score}, ${target.share ? "%" : target.unit}`, "label");
    text((L + W - R - wall) / 2, H - 8, `${cost.name}${short.has(unit) ? "" : `, ${unit}`} (${cost.more ? "more" : "less"} is better)`, "label m");
    const better = (a, b) => target.lower ? a < b : a > b;
    const sorted = [...points].sort((a, b) => (cost.more ? -1 : 1) * (a[2][column][0] - b[2][column][0]) || (target.lower ? 1 : -1) * (a[1][0] - b[1][0]));
    const front = sorted.filter((point, rank) => sorted.slice(0, rank).every((other) => better(point[1][0], other[1][0])));
    const corners = front.map(([, score, costs]) => [across.place(costs[column][0]), up.place(score[0])]);
    if (corners.length > 1) chart.append(svg("path", { class: "front", d: `M${corners[0]}${corners.slice(1).map(([x, y]) => `H${x}V${y}`).join("")}` }));
    for (const [label, score, costs] of points) {
      const [colour, mark] = data.looks[label];
      const x = across.place(costs[column][0]), y = up.place(score[0]);
      const range = (scale, values) => [Math.min(...values), Math.max(...values)].map(scale.place);
      const [a, b] = range(across, costs[column]), [c, d] = range(up, score);
      chart.append(svg("g", {},
        svg("path", { d: `M${a} ${y}H${b}M${x} ${c}V${d}`, class: `whisker l${colour}` }),
        svg("use", { href: `#m${mark}`, x, y, class: `k${colour}` }),
        svg("title", {}, `${label}: ${target.share ? `${(100 * score[0]).toFixed(1)} %` : `${score[0]} ${target.unit}`}, ${written(costs[column][0], unit)}`)));
    }
    // Names: of all points if there are few, otherwise of those on the front; in a free spot next to the marker.
    const taken = points.map(([, score, costs]) => [across.place(costs[column][0]), up.place(score[0])]).map(([x, y]) => [x - 6, y - 6, x + 6, y + 6]);
    const named = points.length <= (W < 500 ? 8 : 16) ? points : front;
    for (const [label, score, costs] of [...named].sort((one, other) => front.includes(other) - front.includes(one))) {
      const x = across.place(costs[column][0]), y = up.place(score[0]);
      const short = label.length > 24 ? `${label.slice(0, 23)}…` : label;
      const wide = 6.4 * short.length;
      const spots = [[x + 9, y + 4, ""], [x - 9, y + 4, "e"], [x + 4, y - 10, ""], [x - 4, y - 10, "e"], [x + 4, y + 19, ""], [x - 4, y + 19, "e"], [x + 4, y - 24, ""], [x + 4, y + 33, ""]];
      const box = ([a, b, side]) => side ? [a - wide, b - 10, a, b + 3] : [a, b - 10, a + wide, b + 3];
      const free = ([a, b, c, d]) => a > L && c < W - R - wall && b > 4 && d < H - B && taken.every(([e, f, g, h]) => c < e || a > g || d < f || b > h);
      const spot = spots.find((one) => free(box(one)));
      if (!spot) continue;
      taken.push(box(spot));
      text(spot[0], spot[1], short, `halo label ${spot[2]}`);
    }
    if (lost.length) {
      chart.append(svg("rect", { x: W - R - 28, y: T, width: 28, height: H - T - B, class: "wall" }));
      lost.forEach((label, rank) => {
        const [colour, mark] = data.looks[label];
        chart.append(svg("g", {}, svg("use", { href: `#m${mark}`, x: W - R - 14, y: T + 16 + rank * 18, class: `k${colour}` }), svg("title", {}, `${label}: out of memory`)));
      });
      chart.append(svg("text", { transform: `translate(${W - R - 10} ${H - B - 8}) rotate(-90)`, class: "halo" }, "out of memory"));
    }
    const unplaced = there.length - points.length;
    chart.setAttribute("aria-label", `${$("b", panel).textContent}. On the front: ${front.map(([label]) => label).join(", ")}.${lost.length ? ` Out of memory: ${lost.join(", ")}.` : ""}`);
    frame.replaceChildren(chart);
    if (unplaced) frame.append(make("p", { className: "soft" }, `Not shown on a logarithmic axis: ${unplaced} at zero.`));
    figures.forEach((figure) => { figure.hidden = !$("b", figure).textContent.startsWith(`${target.label}: `); });
  };
  const suit = () => { pickLog.checked = data.costs[Number(pickCost.value)].log; draw(); };
  pickCost.addEventListener("input", suit);
  [pickTask, pickLog].forEach((field) => field.addEventListener("input", draw));
  document.addEventListener("filtered", draw);
  matchMedia("(max-width: 720px)").addEventListener("change", draw);
  addEventListener("beforeprint", () => figures.forEach((figure) => { figure.hidden = false; }));
  addEventListener("afterprint", draw);
  panel.hidden = false;
  suit();
})();
