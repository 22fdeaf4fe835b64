"use strict";
// The page around the verifier. It holds no rule of its own: what is genuine,
// and who answers, the verifier inside says.
(async () => {
  const $ = (id) => document.getElementById(id);
  const say = (text) => { $("status").textContent = text; };
  let dropped = null;
  let page = null;

  const start = async () => {
    const text = $("verifier").textContent.trim();
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const code = await new Response(stream).arrayBuffer();
    const go = new Go();
    const { instance } = await WebAssembly.instantiate(code, go.importObject);
    go.run(instance); // goes on for ever; it has set onusCheck when it first waits
    if (typeof onusCheck !== "function") throw new Error("the verifier did not start");
  };

  const bytes = async (input) => {
    const f = $(input).files[0];
    return f ? new Uint8Array(await f.arrayBuffer()) : null;
  };

  const check = async () => {
    const file = dropped || $("file").files[0];
    if (!file) { say("Choose an evidence bundle first."); return; }
    say("Checking…");
    $("check").disabled = true;
    try {
      const answer = await onusCheck({
        name: file.name,
        bundle: new Uint8Array(await file.arrayBuffer()),
        key: $("key").value.trim(),
        policy: await bytes("policy"),
        registry: await bytes("registry"),
        issuer: $("issuer").value.trim(),
        issuerKeys: await bytes("issuer-keys"),
        domain: $("domain").value.trim(),
        trustBundle: await bytes("bundle"),
      });
      page = answer.page || null;
      $("result").hidden = !page;
      if (page) $("report").srcdoc = page;
      say(answer.status);
    } catch (err) {
      $("result").hidden = true;
      say("Nothing was judged: " + err.message);
    } finally {
      $("check").disabled = false;
    }
  };

  $("form").addEventListener("submit", (e) => { e.preventDefault(); check(); });
  $("file").addEventListener("change", () => { dropped = null; });
  $("save").addEventListener("click", () => {
    const a = document.createElement("a");
    a.href = URL.createObjectURL(new Blob([page], { type: "text/html" }));
    a.download = "onus-report.html";
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 10000);
  });
  const main = document.querySelector("main");
  addEventListener("dragover", (e) => { e.preventDefault(); main.classList.add("over"); });
  addEventListener("dragleave", () => main.classList.remove("over"));
  addEventListener("drop", (e) => {
    e.preventDefault();
    main.classList.remove("over");
    dropped = e.dataTransfer.files[0] || null;
    if (dropped) { $("file").required = false; say("Ready: " + dropped.name); }
  });

  try {
    await start();
    $("check").disabled = false;
    say("Ready.");
  } catch (err) {
    say("The verifier cannot run in this browser (" + err.message + "). Use the command onus-verify bundle.");
  }
})();
