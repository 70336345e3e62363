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
  const FIRST = 4;
  const isHidden = (column) => board.classList.contains(`h${column}`);
  const rowsOf = (body) => $$("tr:not(.group, .more)", body);
  const nameOf = (row) => $("span", row.cells[0])?.textContent ?? "";
  const familyOf = (row) => row.dataset.f ?? "other";
  // A row, followed by its details.
  const withDetails = (row) => row.nextElementSibling?.className === "more" ? [row, row.nextElementSibling] : [row];
  const isMissing = (row) => row.className === "missing";
  $$(".tools").forEach((tools) => { tools.hidden = false; });

  // Sorting: within each task; rows without a value come last in both directions.
  const keyOf = (row, column, costs) => {
    const cell = row.cells[column];
    if (column === 0) return nameOf(row).toLowerCase();
    if (!cell || isMissing(row)) return null;
    if (cell.dataset.v !== undefined) return cell.dataset.v === "" ? null : Number(cell.dataset.v);
    if (column >= FIRST && column < FIRST + data.costs.length) return costs[nameOf(row)]?.[column - FIRST] ?? null;
    return parseFloat(cell.textContent) || null;
  };
  const sort = (column, ascending) => {
    const sign = ascending ? 1 : -1;
    for (const [place, body] of bodies.entries()) {
      const costs = data.targets[place].costs;
      const keyed = rowsOf(body).map((row) => [keyOf(row, column, costs), withDetails(row)]);
      keyed.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : a < b ? -sign : a > b ? sign : 0));
      body.append(...keyed.flatMap(([, rows]) => rows));
    }
    heads.forEach((head, place) => {
      if (place === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    say(`Sorted by ${heads[column].textContent.trim()}, ${ascending ? "ascending" : "descending"}`);
    remember({ sort: heads[column].textContent.trim(), up: ascending ? "1" : "" });
  };

  // The address keeps the state: #task=digits&sort=score
  const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const remember = (changes) => {
    for (const [name, value] of Object.entries(changes)) value ? state.set(name, value) : state.delete(name);
    const text = state.toString();
    if (text || location.hash.includes("=")) try { history.replaceState(null, "", `#${text}`); } catch { /* not allowed here */ }
  };
  heads.forEach((head, column) => {
    const button = make("button", { type: "button", className: "sort" }, ...head.childNodes);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      sort(column, now ? now === "descending" : column < 2);
    });
    head.append(button);
  });

  // Filtering by name and family.
  const wanted = $("#f-text"), family = $("#f-family");
  const filter = () => {
    const words = wanted.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const body of bodies) {
      let any = false;
      for (const row of rowsOf(body)) {
        const name = nameOf(row).toLowerCase();
        const fine = words.every((word) => word.startsWith("-") ? word === "-" || !name.includes(word.slice(1)) : name.includes(word)) && (!family.value || familyOf(row) === family.value);
        withDetails(row).forEach((one) => { one.hidden = !fine; });
        any ||= fine;
        count += fine;
      }
      body.hidden = !any;
    }
    say(`${count} row${count === 1 ? "" : "s"} shown`);
    remember({ search: wanted.value, family: family.value });
  };
  [wanted, family].forEach((field) => field.addEventListener("input", filter));

  // Hovering: read the interval of a cost from the table of every measurement.
  const everything = $$("details.everything");
  const intervalOf = (cell) => {
    const row = cell.parentElement, place = bodies.indexOf(row.parentElement), cost = data.costs[cell.cellIndex - FIRST];
    if (!cost || cell.textContent === "–") return "";
    const rows = $$("tr", everything[place]);
    const column = [...rows[0].cells].findIndex((head) => head.textContent === nameOf(row));
    const found = rows.find((one) => one.cells[0].textContent.split(", ").includes(cost));
    const known = found && column > 0 ? found.cells[column].textContent : "";
    return known && !known.includes(", n = ") ? `${known}, n = ${rows[1].cells[column].textContent}` : known;
  };
  board.addEventListener("mouseover", ({ target }) => {
    if (target.tagName !== "TD" || target.dataset.titled || target.colSpan > 1) return;
    target.dataset.titled = "1";
    const known = intervalOf(target);
    if (known) target.title = [known, target.title].filter(Boolean).join("; ");
  });

  // Columns: show and hide them.
  const choices = $("#columns");
  heads.forEach((head, column) => {
    if (column < FIRST) return;
    const box = make("input", { type: "checkbox", checked: !isHidden(column) });
    box.addEventListener("change", () => {
      board.classList.toggle(`h${column}`, !box.checked);
      board.parentElement.classList.toggle("wide", board.scrollWidth > board.parentElement.clientWidth);
    });
    choices.append(make("label", {}, box, ` ${head.textContent.trim()}`));
  });

  // Pinning another baseline: read the precomputed paired differences of all pairs.
  const words = ["better", "worse", "equivalent", "undecided", "too few seeds"];
  const turned = [1, 0, 2, 3, 4];
  const stepOf = (share) => (value) => `${value < 0 ? "-" : "+"}${share ? Math.abs(value).toFixed(1) : Number(Math.abs(value).toPrecision(3))}`;
  const before = bodies.map((body) => ({
    title: $(".group td:nth-child(3)", body).textContent,
    cells: new Map(rowsOf(body).filter((row) => !isMissing(row)).map((row) => [row, row.cells[3].cloneNode(true)])),
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
          if (ends[0] !== null) shown.title = `${points(numbers[0])} [${ends.map(points).join(", ")}], corrected over all pairs`;
          shown.append(points(numbers[0]), " ");
        }
        if (["baseline", "better", "worse", "equivalent"].includes(word)) shown.append(make("span", { className: `word ${word}` }, word));
      }
      row.classList.toggle("base", mine < 0 ? $(".baseline", cell) !== null : nameOf(row) === label);
      row.cells[3].replaceWith(shown);
    }
    $(".group td:nth-child(3)", body).textContent = mine < 0 ? known.title : `to ${label}`;
  };
  $("#f-pin").addEventListener("input", (event) => {
    bodies.forEach((body, place) => pinned(body, place, event.target.value));
    say(event.target.value ? `Differences to ${event.target.value}` : "Differences to the baseline of the suite");
    remember({ baseline: event.target.value });
  });

  // Copying: the shown rows and columns.
  const shownTable = () => {
    const columns = heads.map((head, column) => column).filter((column) => !isHidden(column));
    const textOf = (cell) => {
      if (!cell) return "";
      const copy = cell.cloneNode(true);
      $$("svg", copy).forEach((element) => element.remove());
      return copy.textContent.replace(/\s+/g, " ").trim();
    };
    const lines = [["task", ...columns.map((column) => heads[column].textContent.trim())]];
    bodies.forEach((body, place) => body.hidden || rowsOf(body).forEach((row) => {
      if (row.hidden) return;
      const cells = isMissing(row) ? [nameOf(row), textOf(row.cells[1])] : columns.map((column) => column ? textOf(row.cells[column]) : nameOf(row));
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
  const tex = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
  const texed = (value) => value.replace(/[\\~^]|[&%$#_{}]/g, (sign) => tex[sign] || `\\${sign}`);
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

  // Pointing at a strategy anywhere lights it up in all charts.
  const groups = new Map();
  $$("svg g > title").forEach((title) => {
    const name = title.textContent.split(": ")[0];
    groups.set(name, [...(groups.get(name) ?? []), title.parentElement]);
  });
  let lit = [], kept = "";
  const light = (name) => {
    lit.forEach((group) => group.classList.remove("lit"));
    lit = groups.get(name) ?? [];
    lit.forEach((group) => group.classList.add("lit"));
  };
  const nameAt = (element) => {
    const row = element.closest("#board tr, .strip tbody tr");
    if (row) return row.closest("#board") ? nameOf(row) : row.cells[0].textContent.trim();
    const mark = element.closest(".marks li");
    if (mark) return mark.textContent;
    return element.closest("svg g")?.lastElementChild?.textContent.split(": ")[0] ?? "";
  };
  ["pointerover", "focusin"].forEach((kind) => document.addEventListener(kind, ({ target }) => light(target.closest ? nameAt(target) || kept : kept)));
  $$("select.light").forEach((field) => field.addEventListener("input", () => light(kept = field.value)));

  // Which task, and which cost decides.
  const radios = $$("fieldset.switch input");
  const suit = () => {
    const task = radios.find((one) => one.name === "t" && one.checked), cost = radios.find((one) => one.name === "c" && one.checked);
    remember({
      task: task && task.id !== "t-all" ? task.parentElement.textContent : "",
      cost: cost && cost !== radios.find((one) => one.name === "c") ? cost.id.slice(2) : "",
    });
  };
  radios.forEach((one) => one.addEventListener("input", suit));
  const restore = () => {
    const known = [...state];
    for (const [name, value] of known) {
      if (name === "task") radios.filter((one) => one.name === "t" && one.parentElement.textContent === value).forEach((one) => { one.checked = true; });
      if (name === "cost") radios.filter((one) => one.id === `c-${value}`).forEach((one) => { one.checked = true; });
      if (name === "search") wanted.value = value;
      if (name === "family") family.value = value;
      if (name === "baseline") $("#f-pin").value = value;
    }
    if (state.get("baseline")) $("#f-pin").dispatchEvent(new Event("input"));
    if (state.get("search") || state.get("family")) filter();
    const column = heads.findIndex((head) => head.textContent.trim() === state.get("sort"));
    if (column >= 0) sort(column, state.get("up") === "1");
  };
  if (state.size) restore();

  // A link to a folded part opens it.
  const unfold = () => {
    let element = location.hash.length > 1 && !location.hash.includes("=") ? document.getElementById(location.hash.slice(1)) : null;
    for (; element; element = element.parentElement) if (element.tagName === "DETAILS") element.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();

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

})();
