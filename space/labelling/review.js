// Buttons and menus of the list become the event `decide`; the rules are Python's.

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) trigger("decide", { action: button.dataset.action, row: Number(button.dataset.row) });
});
element.addEventListener("change", (event) => {
  const menu = event.target.closest("select[data-row]");
  if (menu) trigger("decide", { action: "change", row: Number(menu.dataset.row), relation: menu.value });
});
