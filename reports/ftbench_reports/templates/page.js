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
  const rowsOf = (body) => $$("tr:not(.group)", body);
  const nameOf = (row) => $("th", row).dataset.n;
  $$(".tools").forEach((tools) => { tools.hidden = false; });

  // Sorting: within each task, by what a cell sorts by; what has no value stands last either way.
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    if (column === 0) return nameOf(row).toLowerCase();
    if (!cell || row.className === "missing") return null;
    if (cell.dataset.v !== undefined) return cell.dataset.v === "" ? null : Number(cell.dataset.v);
    return cell.dataset.l === "seeds" ? parseFloat(cell.textContent) : cell.textContent.trim() || null;
  };
  const sort = (column, ascending) => {
    const sign = ascending ? 1 : -1;
    for (const body of bodies) {
      const keyed = rowsOf(body).map((row) => [keyOf(row, column), row]);
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

  // Filtering: who is shown in the table is who is drawn and who makes the front.
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
        const fine = fits && words.every((word) => name.includes(word)) && (!family.value || row.dataset.f === family.value)
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

  // Columns.
  const choices = $("#columns");
  heads.forEach((head, column) => {
    if (column === 0) return;
    const box = make("input", { type: "checkbox", checked: !head.hidden });
    box.addEventListener("change", () => {
      head.hidden = !box.checked;
      bodies.forEach((body) => rowsOf(body).forEach((row) => {
        if (row.className !== "missing") row.cells[column].hidden = !box.checked;
      }));
    });
    choices.append(make("label", {}, box, ` ${head.textContent.trim()}`));
  });

  // Pinning: the paired differences of all pairs were computed before; here they are only read.
  const words = ["better", "worse", "equivalent", "undecided", "too few seeds"];
  const turned = [1, 0, 2, 3, 4];
  const points = (value) => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(1)}`;
  const before = bodies.map((body) => ({
    title: $(".group span", body).textContent,
    cells: new Map(rowsOf(body).filter((row) => row.className !== "missing").map((row) => [row, row.cells[2].cloneNode(true)])),
  }));
  const pinned = (body, place, label) => {
    const found = data.targets[place].pairs;
    const names = data.targets[place].labels;
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
      shown.hidden = heads[2].hidden;
      row.cells[2].replaceWith(shown);
    }
    $(".group span", body).textContent = mine < 0 ? known.title : known.title.replace(/ · .*/, "") + ` · difference to ${label}, corrected over all pairs`;
  };
  $("#f-pin").addEventListener("input", (event) => {
    bodies.forEach((body, place) => pinned(body, place, event.target.value));
    say(event.target.value ? `Differences to ${event.target.value}` : "Differences as the suite has them");
  });

  // Copying what is shown.
  const shownTable = () => {
    const columns = heads.map((head, column) => column).filter((column) => !heads[column].hidden);
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
})();
