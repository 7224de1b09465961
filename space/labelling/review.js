// Buttons, menus and keys of the list raise the event `decide`; Python owns the rules.

const SECOND_CLICK = 400; // of a double click, which would take the decision back: milliseconds
const KEYS = { a: "accept", r: "reject", s: "swap" };
let last = { key: "", time: 0 };
let next = null; // the row that a key goes on to, once the list is drawn again

// A menu keeps what a person chose even when the list is redrawn, but it must show what the list says.
const asDrawn = (menu) => {
  for (const option of menu.options) option.selected = option.defaultSelected;
};
const rows = () => Array.from(element.querySelectorAll(".gl-row"));
const focusRow = (row) => row?.querySelector("button")?.focus();

function decide(button) {
  const key = `${button.dataset.row} ${button.dataset.action}`;
  const now = Date.now();
  if (key === last.key && now - last.time < SECOND_CLICK) return;
  last = { key, time: now };
  trigger("decide", { action: button.dataset.action, row: button.dataset.row });
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) decide(button);
});
element.addEventListener("change", (event) => {
  const menu = event.target.closest("select[data-row]");
  if (!menu) return;
  const relation = menu.value;
  asDrawn(menu); // where Python refuses, the list is not redrawn
  trigger("decide", { action: "change", row: menu.dataset.row, relation });
});
element.addEventListener("keydown", (event) => {
  const row = event.target.closest(".gl-row");
  if (!row || event.target.matches("select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const all = rows(), place = all.indexOf(row);
  const action = KEYS[event.key.toLowerCase()];
  if (action) {
    event.preventDefault();
    const open = all.findIndex((other, at) => at > place && other.classList.contains("gl-open"));
    next = action === "swap" ? place : open < 0 ? Math.min(place + 1, all.length - 1) : open;
    decide(row.querySelector(`button[data-action="${action}"]`));
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    focusRow(all[place + (event.key === "ArrowDown" ? 1 : -1)]);
  }
});
watch("value", () => {
  element.querySelectorAll("select").forEach(asDrawn);
  if (next !== null) focusRow(rows()[next]);
  next = null;
});
