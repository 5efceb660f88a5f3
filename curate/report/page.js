"use strict";
const search = document.querySelector(".search");
if (search) {
  const rows = [...document.querySelectorAll(".sample tbody tr")];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const found = document.querySelector(".found");
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, place) => {
      row.hidden = !words.every((word) => texts[place].includes(word));
      shown += !row.hidden;
    });
    found.textContent = `${shown} of ${rows.length} responses`;
  });
}
