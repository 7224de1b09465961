// Ctrl+Z is Undo, but where one types, for which the browser has its own.
document.addEventListener("keydown", (event) => {
  const undoes = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
  if (!undoes || event.target.closest?.("input, textarea, select, [contenteditable=true]")) return;
  event.preventDefault();
  document.querySelector("#undo")?.click();
});

// Every tab with this page writes to the same memory of the browser, and the last one wins: warn before it matters.
// The event is raised in the other tabs only.

window.addEventListener("storage", (event) => {
  if (event.key !== null && !event.key.includes("glirel-labelling")) return;
  if (element.querySelector(".gl-note")) return;
  const note = document.createElement("p");
  note.className = "gl-note";
  note.setAttribute("role", "alert");
  note.textContent =
    "This page is also open in another tab. Both save to the same place, and the last one wins: reload one of them " +
    "and continue only there.";
  element.append(note);
});
