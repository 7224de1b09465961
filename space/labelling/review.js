// Buttons and menus of the list become the event `decide`; the rules are Python's.

// A menu keeps what a person chose even when the list is drawn anew: it shall show what the list says.
const asDrawn = (menu) => {
  for (const option of menu.options) option.selected = option.defaultSelected;
};

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) trigger("decide", { action: button.dataset.action, row: button.dataset.row });
});
element.addEventListener("change", (event) => {
  const menu = event.target.closest("select[data-row]");
  if (!menu) return;
  const relation = menu.value;
  asDrawn(menu); // where Python refuses, the list is not drawn anew
  trigger("decide", { action: "change", row: menu.dataset.row, relation });
});
watch("value", () => element.querySelectorAll("select").forEach(asDrawn));
