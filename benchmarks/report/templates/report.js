"use strict";
// Sorting and copying need a script; without it the tables keep their order.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(table, heads, column));
  });
  if (table.classList.contains("leaderboard")) heads[1].setAttribute("aria-sort", "ascending");
}

function sortBy(table, heads, column) {
  const head = heads[column];
  const before = head.getAttribute("aria-sort");
  const first = head.dataset.first === "desc" ? "descending" : "ascending";
  const other = first === "descending" ? "ascending" : "descending";
  const order = before === first ? other : first;
  for (const one of heads) one.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
    const keyed = rows.map((row) => [valueOf(row.cells[column], column), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null); // empty cells stay last
      if (typeof a === "number" && typeof b === "number") return sign * (a - b);
      return sign * String(a).localeCompare(String(b), "en", { numeric: true });
    });
    body.append(...keyed.map(([, row]) => row));
  }
  document.getElementById("status").textContent = `Sorted by ${head.textContent}, ${order}.`;
}

function valueOf(cell, column) {
  if (column === 0) return cell.textContent;
  const text = cell.dataset.v;
  if (text === undefined) return null;
  return cell.classList.contains("num") ? Number(text) : text;
}

for (const box of document.querySelectorAll(".copy")) {
  box.hidden = false;
  for (const source of box.querySelectorAll("template")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Copy ${source.dataset.kind}`;
    button.setAttribute("aria-label", `Copy the ${source.dataset.what} as ${source.dataset.kind}`);
    button.addEventListener("click", () => copyText(source));
    box.append(button);
  }
}

async function copyText(source) {
  const text = source.content.textContent;
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a browser that gives no clipboard to a file
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    copied = document.execCommand("copy");
    area.remove();
  }
  const what = `${source.dataset.kind} of the ${source.dataset.what}`;
  document.getElementById("status").textContent = copied ? `Copied: ${what}.` : `Not copied: ${what}.`;
  const button = [...source.parentElement.querySelectorAll("button")].find((one) => one.textContent.endsWith(source.dataset.kind));
  if (button && copied) button.dataset.copied = "yes";
}
