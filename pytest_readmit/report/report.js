"use strict";
{
  const find = (selector) => [...document.querySelectorAll(selector)];
  const gates = find("#gates .g");
  const entries = find("#gates .entry");
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  let texts = null;

  const textOf = (gate) => {
    const entry = gate.closest(".entry");
    return `${entry.querySelector("h4").textContent} ${gate.textContent}`.toLowerCase();
  };

  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    texts ??= words.length ? gates.map(textOf) : null;
    const hits = gates.filter((gate, at) => {
      const hit = words.every((word) => texts[at].includes(word));
      gate.classList.toggle("off", !hit);
      return hit;
    });
    const kept = new Set(hits.map((gate) => gate.closest(".entry")));
    for (const entry of entries) {
      entry.classList.toggle("off", !kept.has(entry));
      if (words.length && kept.has(entry)) entry.open = true;
    }
    found.textContent = words.length ? `${hits.length} of ${gates.length} gates match` : "";
  };

  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (target.closest("#gates .g")) {
      document.getElementById("show-all").checked = true;
      search.value = "";
      apply();
    }
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView();
  };

  const openAll = (open) => {
    if (open) entries.forEach((entry) => (entry.open = true));
    find("#gates details.g:not(.off)").forEach((gate) => (gate.open = open));
  };

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = find("details:not([open],.data,.v-pass,.v-reported)");
    closed.forEach((one) => (one.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((one) => (one.open = false)));
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".id a");
    if (!link || !navigator.clipboard) return;
    navigator.clipboard.writeText(link.href).then(
      () => link.after(" link copied"),
      () => {},
    );
  });
  if (search) {
    search.addEventListener("input", apply);
    document.getElementById("open-all").addEventListener("click", () => openAll(true));
    document.getElementById("close-all").addEventListener("click", () => openAll(false));
    document.getElementById("tools").hidden = false;
    reveal();
  }
}
