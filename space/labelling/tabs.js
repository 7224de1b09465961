// Every tab of the page writes to the same memory of this browser, and the last one wins: say so before it matters.
// The event is raised in the other tabs only.

window.addEventListener("storage", (event) => {
  if (event.key !== null && !event.key.includes("glirel-labelling")) return;
  if (element.querySelector(".gl-note")) return;
  const note = document.createElement("p");
  note.className = "gl-note";
  note.setAttribute("role", "alert");
  note.textContent =
    "This page is open in another tab too. Both remember in the same place, and the last one wins: go on in one of " +
    "them, and reload it first.";
  element.append(note);
});
