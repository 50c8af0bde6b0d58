"use strict";
// An enhancement only: without it every page reads and decides as well, by loading again. Text from outside is put
// into the page as text (textContent), never as markup; the page's policy allows nothing else (Trusted Types).

const MOST_ROWS = 200;

/** A cell with a main text and a smaller one under it. */
function cell(label, main, under, kind) {
  const made = document.createElement("td");
  made.setAttribute("role", "cell");
  made.dataset.label = label;
  const first = document.createElement(kind ? "span" : "bdi");
  if (kind) first.className = `answered ${kind}`;
  first.textContent = main;
  made.append(first);
  if (under) {
    const below = document.createElement("span");
    below.className = "under";
    const inner = document.createElement("bdi");
    inner.textContent = under;
    below.append(inner);
    made.append(below);
  }
  return made;
}

function row(each) {
  const made = document.createElement("tr");
  made.setAttribute("role", "row");
  made.className = "fresh";
  const known = ["accept", "reject", "quarantine"].includes(each.verdict) ? each.verdict : "other";
  made.append(
    cell("Time", each.shown_time, ""),
    cell("Answer", each.verdict + (each.audit_only ? " (only written down)" : ""), each.reply, known),
    cell("Client", each.client_ip, each.helo),
    cell("From and to", each.envelope_sender || "<>", "to " + each.recipient),
    cell("Why", each.submission + (each.connector ? " by " + each.connector : ""), each.reasons.join(", ")),
  );
  return made;
}

/** Decisions as they are made, with a button that pauses: what comes meanwhile is shown when it goes on. */
function live(place) {
  const body = document.getElementById("decisions");
  const state = place.querySelector(".live-state");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "second";
  button.textContent = "Pause";
  place.append(button);
  let paused = false;
  let waiting = [];
  const show = (items) => {
    for (const each of items) body.prepend(row(each));
    while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
    if (items.length) document.getElementById("no-decisions")?.remove();
  };
  const source = new EventSource(place.dataset.live);
  source.addEventListener("open", () => { state.textContent = paused ? "paused" : "live"; });
  source.addEventListener("error", () => { state.textContent = "not connected; trying again"; });
  source.addEventListener("decisions", (event) => {
    const items = JSON.parse(event.data);
    if (!paused) { show(items); return; }
    waiting = waiting.concat(items).slice(-MOST_ROWS);
    state.textContent = `paused, ${waiting.length} new`;
  });
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on" : "Pause";
    if (!paused) { show(waiting); waiting = []; }
    state.textContent = paused ? "paused" : "live";
  });
}

/** A form whose switches answer at once; the button stays for those who want it. */
function atOnce(form) {
  form.addEventListener("change", () => form.requestSubmit());
}

document.querySelectorAll("[data-live]").forEach(live);
document.querySelectorAll("form[data-at-once]").forEach(atOnce);
