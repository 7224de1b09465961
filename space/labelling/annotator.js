// The text with its marks. Python draws the marks and owns the rules; this turns the mouse, the finger and the keyboard
// into the events `mark`, `relabel` and `unmark`, and shows the small form in which a mark is given its type.
// Offsets are in characters as Python counts them (code points), not in UTF-16 units.

const field = () => element.querySelector(".gl-text");
const length = (string) => Array.from(string).length;
let touched = false;
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

function openForm(mark) {
  closeForm();
  const known = JSON.parse(field().dataset.labels);
  const position = Number(mark.dataset.position);
  const form = document.createElement("form");
  form.className = "gl-form";
  form.setAttribute("role", "dialog");
  form.setAttribute("aria-label", "Type of the entity");
  form.innerHTML =
    '<label>Type <input name="label" autocomplete="off" spellcheck="false" maxlength="60"></label>' +
    '<div class="gl-choices"></div>' +
    '<label class="gl-everywhere"><input type="checkbox" name="everywhere"> <span></span></label>' +
    '<div class="gl-buttons"><button type="submit" class="gl-primary">Done</button>' +
    '<button type="button" class="gl-delete">Delete</button></div>';
  const input = form.elements.label;
  const current = mark.dataset.label || "";
  input.value = current;
  const same = element.querySelectorAll(`mark[data-label="${CSS.escape(current)}"]`).length;
  form.querySelector(".gl-everywhere span").textContent = `rename all ${same} marked ${current}`;
  form.querySelector(".gl-everywhere").hidden = !current || same < 2;
  const send = (label) => {
    closeForm();
    trigger("relabel", { position, label, everywhere: form.elements.everywhere.checked });
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
    trigger("unmark", { position });
  });
  form.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") closeForm();
  });
  element.querySelector(".gl-annotator").append(form);
  const box = element.getBoundingClientRect();
  const place = mark.getClientRects()[mark.getClientRects().length - 1];
  const left = Math.min(place.left - box.left, box.width - form.offsetWidth - 8);
  form.style.left = `${Math.max(0, left)}px`;
  form.style.top = `${place.bottom - box.top + 6}px`;
  input.focus({ preventScroll: true });
  input.select();
}

element.addEventListener("mouseup", (event) => {
  if (event.target.closest(".gl-form")) return;
  // The browser clears an old selection after this event: wait until it has.
  setTimeout(() => {
    if (markSelection()) return;
    const mark = event.target.closest("mark");
    if (mark) openForm(mark);
    else closeForm();
  });
});

// A drag may end outside.
document.addEventListener("mouseup", (event) => {
  if (!element.contains(event.target) && !event.target.closest?.("input, textarea, button")) setTimeout(markSelection);
});

// A finger selects with handles, and no event says that it is done: wait until the selection rests.
element.addEventListener("touchstart", () => { touched = true; }, { passive: true });
document.addEventListener("selectionchange", () => {
  clearTimeout(timer);
  if (touched) timer = setTimeout(() => { if (markSelection()) touched = false; }, 900);
});

element.addEventListener("keydown", (event) => {
  const mark = event.target.closest("mark");
  if (!mark) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    openForm(mark);
  } else if (event.key === "Delete" || event.key === "Backspace") {
    event.preventDefault();
    trigger("unmark", { position: Number(mark.dataset.position) });
  }
});

watch("value", () => {
  const open = field()?.dataset.open;
  const mark = open ? element.querySelector(`mark[data-position="${open}"]`) : null;
  if (mark) openForm(mark);
});
