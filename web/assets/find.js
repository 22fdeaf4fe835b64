// find.js: rows by keyboard. j and k, or the arrows, move; Enter opens. All
// works without it: each row has a link.

const rows = [...document.querySelectorAll("tr[data-href]")];
let at = -1;

function move(to) {
  if (rows.length === 0) return;
  rows[at]?.classList.remove("at");
  at = Math.max(0, Math.min(rows.length - 1, to));
  rows[at].classList.add("at");
  const link = rows[at].querySelector("a");
  link.focus({ preventScroll: true });
  rows[at].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, summary, button")) {
    // From the search field the down arrow goes to the first row.
    if (event.key === "ArrowDown" && event.target.matches("input[type=search]")) {
      event.preventDefault();
      move(0);
    } else if (event.key === "Escape") {
      event.target.blur();
    }
    return;
  }
  switch (event.key) {
    case "j":
    case "ArrowDown":
      event.preventDefault();
      move(at + 1);
      break;
    case "k":
    case "ArrowUp":
      event.preventDefault();
      move(at - 1);
      break;
  }
});

// Who tabs into a row, or points at it, goes on from there.
rows.forEach((row, i) => {
  row.addEventListener("focusin", () => {
    rows[at]?.classList.remove("at");
    at = i;
    row.classList.add("at");
  });
});

const keys = document.querySelector(".keys");
if (keys && rows.length) keys.hidden = false;
