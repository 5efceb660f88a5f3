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
const map = document.querySelector(".map");
if (map) {
  const hover = document.querySelector(".hover");
  map.addEventListener("pointerover", (event) => {
    const title = event.target.querySelector("title");
    if (title) hover.textContent = title.textContent;
  });
  document.querySelectorAll("input[name=way]").forEach((input) => {
    input.addEventListener("change", () => {
      map.setAttribute("class", `map by-${input.value}`);
      document.querySelectorAll(".key").forEach((key) => { key.hidden = !key.classList.contains(`of-${input.value}`); });
    });
  });
}
