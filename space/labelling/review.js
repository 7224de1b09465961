// Buttons and menus of the list become the event `decide`; the rules are Python's.

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) trigger("decide", { action: button.dataset.action, row: button.dataset.row });
});
element.addEventListener("change", (event) => {
  const menu = event.target.closest("select[data-row]");
  if (!menu) return;
  const relation = menu.value;
  // Where Python refuses, the list is not drawn anew: the menu must not show what was not taken.
  for (const option of menu.options) option.selected = option.defaultSelected;
  trigger("decide", { action: "change", row: menu.dataset.row, relation });
});
