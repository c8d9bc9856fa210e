"use strict";
// Only sorting needs a script; without it the tables keep their order.
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
