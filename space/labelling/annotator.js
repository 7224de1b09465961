// The text with its marks. Python draws the marks and owns the rules; this file turns mouse, touch and keyboard input
// into the events `mark`, `relabel` and `unmark`, and shows the small form in which a mark is given its type.
// Offsets are in characters as Python counts them (code points), not in UTF-16 units.

const field = () => element.querySelector(".gl-text");
const length = (string) => Array.from(string).length;
let touched = false;
let dragging = false; // since the mouse went down in the text
let down = [0, 0]; // where it went down
let chosen = null; // first and last of the words chosen with the keyboard
let back = null; // the mark to which the keyboard returns
let timer = null;

function selectedOffsets() {
  const selection = window.getSelection();
  if (!field() || !selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!range.intersectsNode(field())) return null;
  const inside = document.createRange();
  inside.selectNodeContents(field());
  if (field().contains(range.startContainer)) inside.setStart(range.startContainer, range.startOffset);
  if (field().contains(range.endContainer)) inside.setEnd(range.endContainer, range.endOffset);
  const before = document.createRange();
  before.selectNodeContents(field());
  before.setEnd(inside.startContainer, inside.startOffset);
  const start = length(before.toString());
  const end = start + length(inside.toString());
  return end > start ? { start, end } : null;
}

function markSelection() {
  const offsets = selectedOffsets();
  if (!offsets) return false;
  window.getSelection().removeAllRanges();
  trigger("mark", offsets);
  return true;
}

function closeForm() {
  element.querySelector(".gl-form")?.remove();
}

// Fills the menu with the other entities, each by the words of all its marks; gives what is chosen: the mark's own.
function listEntities(menu, mark) {
  const entities = new Map();
  for (const other of element.querySelectorAll("mark")) {
    const key = other.dataset.group ? `group ${other.dataset.group}` : other.dataset.span;
    if (!entities.has(key)) entities.set(key, []);
    if (other !== mark) entities.get(key).push(other);
  }
  menu.add(new Option(mark.dataset.group ? "no other: take it apart" : "no other mark", ""));
  for (const [key, marks] of entities) {
    if (!marks.length) continue;
    const words = [...new Set(marks.map((other) => other.textContent))].join(", ");
    const isOwn = Boolean(mark.dataset.group) && marks[0].dataset.group === mark.dataset.group;
    const number = key.startsWith("group ") ? `${marks[0].dataset.group}: ` : "";
    menu.add(new Option(number + (words.length > 60 ? `${words.slice(0, 59)}…` : words), marks[0].dataset.span, isOwn, isOwn));
  }
  return menu.value;
}

// `isNew`: of a mark that was made just now, which goes again where nobody says what it is.
function openForm(mark, isNew = false) {
  closeForm();
  const known = JSON.parse(field().dataset.labels);
  const span = mark.dataset.span;
  const form = document.createElement("form");
  form.className = "gl-form";
  form.setAttribute("role", "dialog");
  form.setAttribute("aria-label", "Type of the entity");
  form.innerHTML =
    '<label>Type <input name="label" autocomplete="off" spellcheck="false" maxlength="60"></label>' +
    '<div class="gl-choices"></div>' +
    '<label class="gl-everywhere"><input type="checkbox" name="everywhere"> <span></span></label>' +
    '<label class="gl-same">Same entity as <select name="same"></select></label>' +
    '<div class="gl-buttons"><button type="submit" class="gl-primary">Done</button>' +
    '<button type="button" class="gl-delete">Delete</button></div>';
  const input = form.elements.label;
  const current = mark.dataset.label || "";
  input.value = current;
  const same = element.querySelectorAll(`mark[data-label="${CSS.escape(current)}"]`).length;
  form.querySelector(".gl-everywhere span").textContent = `change all ${same} marked ${current}`;
  form.querySelector(".gl-everywhere").hidden = !current || same < 2;
  const menu = form.elements.same;
  const before = listEntities(menu, mark);
  form.querySelector(".gl-same").hidden = menu.options.length < 2;
  const send = (label) => {
    closeForm();
    back = span;
    const changes = menu.value === before ? {} : { same: menu.value };
    trigger("relabel", { span, label, everywhere: form.elements.everywhere.checked, ...changes });
  };
  for (const label of known) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => send(label));
    form.querySelector(".gl-choices").append(button);
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(input.value.trim());
  });
  form.querySelector(".gl-delete").addEventListener("click", () => {
    closeForm();
    trigger("unmark", { span });
  });
  form.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    closeForm();
    if (isNew && !current) trigger("unmark", { span });
    else element.querySelector(`mark[data-span="${span}"]`)?.focus({ preventScroll: true });
  });
  element.querySelector(".gl-annotator").append(form);
  const box = element.getBoundingClientRect();
  const place = mark.getClientRects()[mark.getClientRects().length - 1];
  const left = Math.min(place.left - box.left, box.width - form.offsetWidth - 8);
  form.style.left = `${Math.max(0, left)}px`;
  form.style.top = `${place.bottom - box.top + 6}px`;
  form.scrollIntoView({ block: "nearest" });
  input.focus({ preventScroll: true });
  input.select();
}

// The marks of one entity are shown together.
function showEntity(mark) {
  for (const other of element.querySelectorAll("mark.gl-same")) other.classList.remove("gl-same");
  if (!mark?.dataset.group) return;
  for (const other of element.querySelectorAll(`mark[data-group="${mark.dataset.group}"]`)) other.classList.add("gl-same");
}
for (const event of ["mouseover", "focusin"]) {
  element.addEventListener(event, ({ target }) => showEntity(target.closest("mark")));
}
element.addEventListener("mouseleave", () => showEntity(null));

// A double click marks a word. On a mark it counts as a click; words within a mark are marked by dragging.
element.addEventListener("mouseup", (event) => {
  dragging = false;
  if (event.target.closest(".gl-form")) return;
  // The browser clears an old selection after this event: wait until it has.
  setTimeout(() => {
    const mark = event.target.closest("mark");
    const moved = Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 3;
    if ((moved || !mark) && markSelection()) return;
    if (mark) openForm(mark);
    else closeForm();
  });
});

// A focusable mark takes the beginning of a selection that starts in it: while the mouse is down, none can have focus.
element.addEventListener("mousedown", () => {
  for (const mark of element.querySelectorAll("mark")) mark.removeAttribute("tabindex");
}, { capture: true });
document.addEventListener("mouseup", () => {
  for (const mark of element.querySelectorAll("mark")) mark.tabIndex = 0;
}, { capture: true });

// A drag may end outside; one that only passes over the text marks nothing.
document.addEventListener("mousedown", (event) => {
  dragging = Boolean(field()?.contains(event.target));
  down = [event.clientX, event.clientY];
  chosen = null;
  if (!element.contains(event.target)) closeForm();
});
document.addEventListener("mouseup", (event) => {
  if (dragging && !element.contains(event.target)) setTimeout(markSelection);
  dragging = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeForm();
});

// On a touch screen one selects with handles, and no event says that one is done: wait until the selection rests.
element.addEventListener("touchstart", () => { touched = true; }, { passive: true });
document.addEventListener("selectionchange", () => {
  clearTimeout(timer);
  if (touched) timer = setTimeout(() => { if (markSelection()) touched = false; }, 900);
});

// The keyboard chooses words: the selection shows a range of the text's words.
function choose(event) {
  const words = Array.from(field().textContent.matchAll(/[\p{L}\p{N}]+(?:[-_’'][\p{L}\p{N}]+)*/gu));
  if (!words.length) return;
  const step = event.key === "ArrowRight" ? 1 : -1;
  const last = chosen ? chosen.last + step : 0;
  if (last < 0 || last >= words.length) return;
  chosen = { first: event.shiftKey && chosen ? chosen.first : last, last };
  const ends = [Math.min(chosen.first, chosen.last), Math.max(chosen.first, chosen.last)].map((i) => words[i]);
  const range = document.createRange();
  range.setStart(...placeOf(ends[0].index));
  range.setEnd(...placeOf(ends[1].index + ends[1][0].length));
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

// The text node that holds an offset of the text, in UTF-16 units, and the offset within it.
function placeOf(offset) {
  const walker = document.createTreeWalker(field(), NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); offset -= node.length) if (offset <= node.length) return [node, offset];
  return [field(), field().childNodes.length];
}

element.addEventListener("keydown", (event) => {
  const mark = event.target.closest("mark");
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    if (!event.target.closest(".gl-text")) return;
    event.preventDefault();
    choose(event);
  } else if (event.key === "Enter" && chosen) {
    event.preventDefault();
    chosen = null;
    markSelection();
  } else if (mark && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    openForm(mark);
  } else if (mark && (event.key === "Delete" || event.key === "Backspace")) {
    event.preventDefault();
    trigger("unmark", { span: mark.dataset.span });
  }
});

watch("value", () => {
  const open = field()?.dataset.open;
  const mark = open ? element.querySelector(`mark[data-position="${open}"]`) : null;
  if (mark) openForm(mark, true);
  else if (back) element.querySelector(`mark[data-span="${back}"]`)?.focus({ preventScroll: true });
  back = null;
});
