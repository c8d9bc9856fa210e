"use strict";
const filters = [...document.querySelectorAll("select[data-filter]")];
const rows = [...document.querySelectorAll("#entries tbody tr")];
const count = document.getElementById("count");
function apply() {
  for (const row of rows) {
    row.hidden = filters.some((one) => one.value && row.dataset[one.dataset.filter] !== one.value);
  }
  if (count) count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} entries`;
}
for (const one of filters) one.addEventListener("change", apply);
apply();
