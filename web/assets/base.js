// base.js: comforts of every page. All works without it.

// Ids are shown short; a button beside each copies the whole.
for (const el of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${el.dataset.copy}`);
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    try {
      await navigator.clipboard.writeText(el.dataset.copy);
      button.textContent = "Copied";
    } catch {
      // Without a secure context there is no clipboard: select it instead.
      el.textContent = el.dataset.copy;
      getSelection().selectAllChildren(el);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  el.after(button);
}

// "/" goes to the search field.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const field = document.querySelector("main input[type=search]") ?? document.querySelector(".seek input");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
});

// A form is sent once.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
