"use strict";
// The page is whole without this: it adds filters and sorting.
document.documentElement.classList.add("js");
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const input = document.querySelector(`input[data-of="${table.id}"]`);
  const count = document.querySelector(`output[data-of="${table.id}"]`);
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => texts[index].includes(word));
      shown += row.hidden ? 0 : 1;
    });
    count.textContent = `${shown} of ${rows.length}`;
  };
  input.addEventListener("input", show);
  show();
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const number = head.classList.contains("number");
      const order = (a, b) => (number ? Number(key(a)) - Number(key(b)) : key(a).localeCompare(key(b)));
      body.append(...[...rows].sort((a, b) => (down ? -order(a, b) : order(a, b))));
    });
  });
}
// A link leads to a row that a filter may hide.
const reveal = () => {
  const row = document.getElementById(location.hash.slice(1));
  if (!row || !row.hidden) return;
  const input = document.querySelector(`input[data-of="${row.closest("table").id}"]`);
  input.value = "";
  input.dispatchEvent(new Event("input"));
  row.scrollIntoView();
};
addEventListener("hashchange", reveal);
reveal();
