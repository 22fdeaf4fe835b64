// chain.js: comforts of a chain's page. All works without it.

const plot = document.querySelector(".pic-plot");
const records = plot ? [...plot.querySelectorAll("a.pic-record, a.pic-fold")] : [];

// The arrows lead from record to record in log order, Home and End to the ends.
plot?.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = records.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at < 0 ? records.length - 1 : at - 1, Home: 0, End: records.length - 1 }[event.key];
  if (to === undefined || !records[to]) return;
  event.preventDefault();
  records[to].focus({ preventScroll: true });
  show(records[to]);
});
for (const a of records) a.addEventListener("focus", () => a.matches(":focus-visible") && show(a));

// show moves the picture, and only it, until a record can be seen.
function show(a) {
  const box = a.getBoundingClientRect(), frame = plot.getBoundingClientRect();
  if (box.left < frame.left + 24) plot.scrollLeft -= frame.left + 24 - box.left;
  else if (box.right > frame.right - 24) plot.scrollLeft += box.right - frame.right + 24;
}

// A picture that is wider than its frame begins at the first action that was
// not allowed, or at the first grave finding.
const first = (plot?.querySelector(".pic-record rect.pic-flag") ?? plot?.querySelector(".pic-record .pic-flag"))?.closest("a");
if (first && !location.search.includes("from=")) {
  const frame = plot.getBoundingClientRect();
  const far = first.getBoundingClientRect().right - frame.right;
  if (far > 0) plot.scrollLeft += far + frame.width / 3;
}

// The record of the card that is pointed at, or holds the focus, stands out in
// the picture.
for (const card of document.querySelectorAll(".action[data-entry]")) {
  const record = records.find((a) => a.getAttribute("href") === `/record/@${card.dataset.entry}`);
  if (!record) continue;
  const mark = (on) => record.classList.toggle("at", on);
  card.addEventListener("mouseenter", () => mark(true));
  card.addEventListener("mouseleave", () => mark(card.contains(document.activeElement)));
  card.addEventListener("focusin", () => mark(true));
  card.addEventListener("focusout", () => mark(false));
}
