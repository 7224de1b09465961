// Buttons and menus of the list raise the event `decide`; Python owns the rules.

// A menu keeps what a person chose even when the list is redrawn, but it must show what the list says.
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
  asDrawn(menu); // where Python refuses, the list is not redrawn
  trigger("decide", { action: "change", row: menu.dataset.row, relation });
});
watch("value", () => element.querySelectorAll("select").forEach(asDrawn));
