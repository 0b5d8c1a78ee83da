// Comfort only: every page works without this file.
"use strict";

let changed = false;

// 全部到: fills the rows that have no mark yet; the clerk then changes the exceptions and saves. A row with two
// marks is settled by a choice of its own.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-fill]");
  if (!button) return;
  event.preventDefault();
  for (const row of document.querySelectorAll(".mark:not(.disputed)")) {
    if (row.querySelector("input:checked")) continue;
    const wanted = row.querySelector(`input[value="${button.dataset.fill}"]`);
    if (wanted) wanted.checked = true;
  }
  changed = true;
  show("unsaved");
});

// 打印 on a form; without the script one presses Ctrl+P.
const print = document.querySelector("[data-print]");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}

// One box that ticks all boxes of the audit queue.
const all = document.querySelector("[data-tick-all]");
if (all) {
  all.closest("[hidden]")?.removeAttribute("hidden");
  all.addEventListener("change", () => {
    for (const box of document.querySelectorAll("input[name=claim]")) box.checked = all.checked;
    changed = true;
  });
}

document.addEventListener("input", () => { changed = true; lastTouch = Date.now(); });
document.addEventListener("submit", () => { changed = false; });
window.addEventListener("beforeunload", (event) => {
  if (changed && document.querySelector("form[data-keep]")) event.preventDefault();
});

function show(name) {
  document.querySelector(`[data-say="${name}"]`)?.removeAttribute("hidden");
}

// A table is sorted by a head, without asking the server: numbers as numbers, words as a Chinese reader sorts them.
// What stands in data-by goes before what is shown; the sum stays last.
let sorted = null;
const order = new Intl.Collator("zh", { numeric: true });

function sortable() {
  for (const table of document.querySelectorAll("table[data-sort]")) {
    for (const head of table.querySelectorAll("thead th:not(:has(button))")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
    }
    if (sorted) arrange(table);
  }
}

function arrange(table) {
  const heads = [...table.querySelectorAll("thead th")];
  heads.forEach((head, at) => {
    if (at === sorted.at) head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  const said = (row) => {
    const cell = row.cells[sorted.at];
    return cell.dataset.by ?? (cell.querySelector("a") ?? cell).textContent.trim();
  };
  const rows = [...table.querySelectorAll("tbody tr:not(.total)")];
  rows.sort((a, b) => order.compare(said(a), said(b)) * (sorted.down ? -1 : 1));
  const sum = table.querySelector("tbody tr.total");
  for (const row of rows) sum ? sum.before(row) : table.tBodies[0].append(row);
}

document.addEventListener("click", (event) => {
  const head = event.target.closest("button.sort")?.closest("th");
  if (!head) return;
  // Figures are wanted from the greatest down first.
  const down = sorted?.at === head.cellIndex ? !sorted.down : head.classList.contains("number");
  sorted = { at: head.cellIndex, down };
  arrange(head.closest("table"));
});
sortable();

// A filter shows its answer as soon as it is chosen; without the script one presses 查找.
for (const form of document.querySelectorAll("form[data-filter]")) {
  form.addEventListener("change", async () => {
    const asked = [...new FormData(form)].filter(([, value]) => value !== "");
    history.replaceState(null, "", `${location.pathname}?${new URLSearchParams(asked)}`);
    await swap().catch(() => form.submit());
  });
}

// Live states: asks for a small mark; only when it moved, fetches the page and swaps the parts
// that are marked data-live. What a person is typing is never touched.
let lastTouch = Date.now();
for (const kind of ["pointerdown", "keydown", "scroll"]) {
  window.addEventListener(kind, () => { lastTouch = Date.now(); }, { passive: true });
}

const body = document.body;
let mark = body.dataset.mark;
let wait = 2000;

async function look() {
  // A page left open is not a person at work: it must not keep the sign-in alive for ever.
  const idle = document.hidden || Date.now() - lastTouch > 30 * 60 * 1000;
  if (!idle) {
    try {
      const answer = await fetch("/state.json", { headers: { Accept: "application/json" }, redirect: "error" });
      const state = await answer.json();
      const out = document.querySelector("[data-say=signed-out]");
      if (out) out.hidden = answer.status !== 401;
      if (answer.status === 401) throw new Error("signed out");
      for (const field of document.querySelectorAll("input[name=csrf]")) field.value = state.csrf;
      wait = 2000;
      document.querySelector("[data-say=offline]")?.setAttribute("hidden", "");
      if (state.mark !== mark) {
        await swap();
        mark = state.mark;
      }
    } catch {
      wait = Math.min(wait * 2, 30000);
      if (wait >= 8000 && document.querySelector("[data-say=signed-out]")?.hidden) show("offline");
    }
  }
  setTimeout(look, wait);
}

async function swap() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const other = fresh.getElementById(part.id);
    if (!other || part.contains(document.activeElement) || other.innerHTML === part.innerHTML) continue;
    if (part.querySelector("input:checked, textarea") && changed) continue;
    part.replaceChildren(...other.childNodes);
  }
  sortable();
}

if (mark) setTimeout(look, wait);
