"use strict";
let until = null;

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-seek]");
  const audio = button && button.closest(".trial").querySelector("audio");
  if (!audio) return;
  until = button.dataset.until ? { audio, at: Number(button.dataset.until) } : null;
  audio.currentTime = Number(button.dataset.seek);
  audio.play();
});

// Media events do not bubble.
document.addEventListener("timeupdate", ({ target }) => {
  if (until && until.audio === target && target.currentTime >= until.at) {
    target.pause();
    until = null;
  }
}, true);

document.addEventListener("play", ({ target }) => {
  for (const other of document.querySelectorAll("audio")) if (other !== target) other.pause();
}, true);

const words = document.querySelector("#words");
const change = document.querySelector("#change");
const count = document.querySelector("#count");

function filter() {
  const wanted = words.value.trim().toLowerCase();
  let shown = 0;
  for (const one of document.querySelectorAll("details.case")) {
    const fits = (!change.value || one.dataset.change === change.value) && one.textContent.toLowerCase().includes(wanted);
    one.hidden = !fits;
    shown += fits;
  }
  count.textContent = `${shown} shown`;
}

if (words) {
  words.addEventListener("input", filter);
  change.addEventListener("change", filter);
}
