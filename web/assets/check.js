// check.js: runs the verifier in this browser. It holds no rule of its own: what
// is genuine, and who answers, the verifier says. See cmd/onus-verify/wasm.

const $ = (id) => document.getElementById(id);
const form = $("check"), status = $("status");
const say = (text) => (status.textContent = text);

// The verifier is large: it is loaded when it is first needed.
let loading;
function verifier() {
  loading ??= load().catch((err) => {
    loading = undefined;
    throw new Error(`the verifier cannot run in this browser (${err.message}): use the command onus-verify`);
  });
  return loading;
}
async function load() {
  say("Loading the verifier…");
  await import(form.dataset.exec);
  const go = new Go();
  const { instance } = await WebAssembly.instantiateStreaming(fetch(form.dataset.wasm), go.importObject);
  go.run(instance); // goes on for ever; it has set its functions when it first waits
  if (typeof onusCheck !== "function") throw new Error("it did not start");
}

// The pinned key. It is the person's act alone that puts one here.
const shelf = "onus.pinned-log-key";
let pinned = recall();
let kept = true; // whether the browser keeps it
function recall() {
  try {
    const key = JSON.parse(localStorage.getItem(shelf));
    if (key && ["vkey", "name", "fingerprint", "on"].every((f) => typeof key[f] === "string")) return key;
  } catch {
    // There is none that can be read: as if none was pinned.
  }
  return null;
}
function keep(key) {
  pinned = key;
  try {
    if (key) localStorage.setItem(shelf, JSON.stringify(key));
    else localStorage.removeItem(shelf);
    kept = true;
  } catch {
    kept = false;
  }
  showKey();
}
function showKey() {
  $("pinned").hidden = !pinned;
  $("unpinned").hidden = !!pinned;
  $("pinned-name").textContent = pinned?.name ?? "";
  $("pinned-print").textContent = pinned?.fingerprint ?? "";
  $("pinned-key").textContent = pinned?.vkey ?? "";
  $("pinned-on").textContent = pinned ? pinned.on.slice(0, 16).replace("T", " ") + " UTC" : "";
  const theirs = form.dataset.key;
  $("pinned-note").textContent = !pinned ? "" : (kept ? "" : "This browser keeps nothing for this address: it is pinned until you leave the page. ")
    + (theirs === pinned.vkey ? "This server names the same key. That shows only that it has not changed since you pinned it." : "");
  const differs = pinned && theirs && theirs !== pinned.vkey;
  const loud = $("other-key");
  loud.hidden = !differs;
  loud.replaceChildren(...(differs ? [
    el("strong", {}, "This server names another key than the one that you pinned."),
    el("p", {}, "Pinned: ", code(pinned.fingerprint), ` (${pinned.name}). Named by this server: `, code(form.dataset.fingerprint), "."),
    el("p", {}, "Either the key that you pinned is of another log, or this server now shows you another log than before. Rely on nothing that it shows until whoever runs the log has explained it to you, by another way than this server."),
  ] : []));
}

$("pin").addEventListener("click", async () => {
  $("key-wrong").textContent = "";
  const text = $("key").value.trim();
  if (!text) {
    $("key-wrong").textContent = "Paste the key first, or choose the file.";
    $("key").focus();
    return;
  }
  try {
    await verifier();
    const key = await onusKey(text);
    keep({ vkey: key.vkey, name: key.name, fingerprint: key.fingerprint, on: new Date().toISOString() });
    $("key").value = "";
    say("The key is pinned.");
    $("unpin").focus();
  } catch (err) {
    say("");
    $("key-wrong").textContent = sentence(err.message);
  }
});
$("unpin").addEventListener("click", () => {
  keep(null);
  say("The key is removed.");
  $("key").focus();
});
$("key-file").addEventListener("change", async () => {
  const file = $("key-file").files[0];
  $("key-wrong").textContent = "";
  if (!file) return;
  if (file.size > 1000) $("key-wrong").textContent = `${file.name} is too large to be a log’s key, which is one line.`;
  else $("key").value = (await file.text()).trim();
});

// The evidence: a file, dropped or chosen, or what this server gives.
let dropped = null;
const here = () => form.elements.from?.value === "here";
function showSource() {
  $("file-field").hidden = here();
  if ($("texts-field")) $("texts-field").hidden = !here();
}
for (const radio of form.querySelectorAll("[name=from]")) radio.addEventListener("change", showSource);
$("file").addEventListener("change", () => (dropped = null));
const most = 512 << 20;
async function evidence() {
  if (here()) {
    say("Fetching the evidence…");
    const answer = await fetch(form.dataset.evidence + ($("texts")?.checked ? "?contents=1" : ""));
    if (!answer.ok || answer.redirected) throw new Error(`this server did not give the evidence (status ${answer.status}): open the chain’s page again`);
    return { name: form.dataset.name, bundle: new Uint8Array(await answer.arrayBuffer()) };
  }
  const file = dropped ?? $("file").files[0];
  if (!file) throw new Error("choose an evidence file first");
  if (file.size > most) throw new Error(`${file.name} is larger than a browser can check: use the command onus-verify`);
  return { name: file.name, bundle: new Uint8Array(await file.arrayBuffer()) };
}
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", () => document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const file = event.dataTransfer.files[0];
  if (!file) return;
  dropped = file;
  const radio = form.querySelector("[name=from][value=file]");
  if (radio) radio.checked = true;
  showSource();
  say(`Ready: ${file.name}`);
});

let saved = null;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const run = $("run");
  if (run.disabled) return;
  run.disabled = true;
  $("result").hidden = true;
  saved = null;
  try {
    const { name, bundle } = await evidence();
    await verifier();
    say("Checking…");
    await new Promise((done) => setTimeout(done)); // so that this is painted
    const key = pinned;
    const answer = await onusCheck({ name, bundle, key: key?.vkey ?? "", tool: "The viewer’s check in the browser," });
    show(answer, key);
    say("");
  } catch (err) {
    say("Nothing was judged: " + err.message + ".");
  } finally {
    run.disabled = false;
  }
});
$("save").addEventListener("click", () => {
  const a = document.createElement("a");
  a.href = URL.createObjectURL(new Blob([saved], { type: "text/html" }));
  a.download = "onus-report.html";
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10000);
});

// The result. All texts are the report's, which has made foreign ones harmless,
// and none becomes HTML here.
function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children.filter((c) => c !== null && c !== ""));
  return e;
}
const code = (text) => el("code", { class: "print" }, text);
const sentence = (text) => text[0].toUpperCase() + text.slice(1) + ".";
const marks = [...$("marks").content.children];
const outcomes = marks.filter((m) => m.dataset.outcome).map((m) => m.dataset.outcome);
function mark(kind, value) {
  const found = marks.find((m) => m.dataset[kind] === value);
  return found ? found.cloneNode(true) : el("b", {}, value);
}
const list = (all) => all ?? [];
const plural = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

const shown = 100; // actions, gaps …; all of them are in the saved report
function some(all, make) {
  const items = list(all).slice(0, shown).map((x) => make(x));
  const more = list(all).length - items.length;
  return more > 0 ? [...items, el("li", { class: "fine" }, `and ${more} more, in the report to save`)] : items;
}

function show(answer, key) {
  const r = JSON.parse(answer.report);
  const good = answer.standing === "genuine";
  const parts = [el("div", { class: "panel standing" + (good ? "" : " wanting"), "data-standing": answer.standing },
    el("p", { class: "answer" }, mark("standing", answer.standing)),
    el("p", { class: "lead" }, r.AnswerText),
    list(r.Problems).length ? el("ul", { class: "problems" }, ...some(r.Problems, (p) => el("li", {}, p))) : "",
    el("p", { class: "fine" }, key ? `Checked in this browser, against the key of ${key.name} that you pinned on ${key.on.slice(0, 10)}, ` : "Checked in this browser, against no key of yours.", key ? code(key.fingerprint) : "", key ? "." : ""))];
  // Of evidence that does not hold no verdict is shown: it would be read as one.
  if (good || answer.standing === "not anchored") parts.push(...verdicts(r, good));
  parts.push(el("details", { class: "panel" }, el("summary", {}, "How this was checked"),
    el("dl", { class: "facts body" }, ...list(r.Facts).flatMap((f) => [el("dt", {}, f.Name), el("dd", {}, f.Value)]))));
  $("report").replaceChildren(...parts);
  saved = answer.page || null;
  $("save").hidden = !saved;
  $("result").hidden = false;
  $("result").focus({ preventScroll: true });
  $("result").scrollIntoView({ block: "start" });
}

function verdicts(r, good) {
  const counts = list(r.Counts);
  const head = el("div", { class: "panel" }, el("h3", {}, good ? "What the evidence shows" : "What the file says, if it is of that log"),
    el("ul", { class: "counts body" }, ...(counts.length ? counts.map((c) => el("li", {}, mark("outcome", c.Outcome), ` ${plural(c.N, "action")}`)) : [el("li", {}, "Nothing was done.")])));
  const actions = list(r.Actions).toSorted((a, b) => outcomes.indexOf(a.Outcome) - outcomes.indexOf(b.Outcome));
  const parts = [head, el("ol", { class: "plainlist verdicts" }, ...some(actions, (a) => el("li", {}, action(a))))];
  if (list(r.Others).length) parts.push(panel("Findings on other records", el("ul", { class: "lines" }, ...some(r.Others, (f) => finding(f, `Entry ${f.Entry}: `)))));
  if (list(r.Reviews).length) parts.push(panel("What was done about it", el("ul", { class: "lines" }, ...some(r.Reviews, (x) => el("li", {}, el("b", {}, x.Disposition), ` (entry ${x.Entry}, about entry ${x.Of}), ${x.When}`)))));
  if (list(r.Gaps).length) parts.push(panel("What was not proven, and what would prove it", el("ul", { class: "lines" }, ...some(r.Gaps, (g) => el("li", {}, g.What, el("br", {}), el("code", {}, g.Prove))))));
  return parts;
}
const panel = (title, ...body) => el("div", { class: "panel" }, el("h3", {}, title), ...body);

function action(a) {
  const shape = mark("outcome", a.Outcome).querySelector(".outcome")?.classList[1] ?? "";
  const who = (x) => el("li", {}, el("span", { class: "unit" }, x.Unit || x.Party), el("span", { class: "post" }, x.Post), el("span", { class: "fine" }, [x.Unit ? x.Party : "", x.Roles].filter(Boolean).join(" · ")));
  const first = list(a.Answers).filter((x) => x.First), also = list(a.Answers).filter((x) => !x.First);
  return el("div", { class: `card ${shape}`, "data-entry": a.Entry },
    el("p", {}, mark("outcome", a.Outcome), " ", el("span", { class: "fine" }, `entry ${a.Entry}`)),
    el("h4", {}, a.Title), el("p", {}, el("code", {}, a.What)), el("p", { class: "muted" }, a.Why),
    el("div", { class: "answers" },
      el("p", { class: "fine" }, first.length ? "Answers first" : "Nobody answers, by this evidence"), el("ul", { class: "plainlist" }, ...first.map(who)),
      also.length ? el("details", {}, el("summary", {}, `${also.length} also ${also.length === 1 ? "answers" : "answer"}`), el("ul", { class: "plainlist" }, ...also.map(who))) : ""),
    list(a.Findings).length ? el("ul", { class: "plainlist findings" }, ...some(a.Findings, (f) => finding(f, ""))) : "",
    ...quotes("The user’s words", a.Words), ...quotes("Only claimed", a.Claims));
}
const finding = (f, lead) => el("li", {}, mark("severity", f.Severity), " ", el("b", {}, lead + f.Title), el("p", {}, f.Text),
  el("p", { class: "fine" }, `Must answer: ${f.Who}. ${f.Code}`));
const quotes = (label, all) => list(all).length ? [el("details", {}, el("summary", {}, label),
  el("ul", { class: "plainlist" }, ...some(all, (q) => el("li", {}, q.Lead + " ", q.Shown ? el("q", { class: "said" }, q.Words) : "[undisclosed]"))))] : [];

form.hidden = false;
showSource();
showKey();
