import { openChat } from "./chat.js";
import { showCluster } from "./cluster.js";
import { showDecisions } from "./decisions.js";
import { showPlanner } from "./planner.js";

/** Pause between two looks at the cluster while a view of it is open. */
const everyMs = 1000;
const views = { cluster: showCluster, decisions: showDecisions, planner: showPlanner };
const status = document.getElementById("status");
const tabs = [...document.querySelectorAll("[role=tab]")];
let open = "chat";

for (const [at, tab] of tabs.entries()) {
  tab.addEventListener("click", () => select(tab.getAttribute("aria-controls")));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step !== undefined) tabs[(at + step + tabs.length) % tabs.length].focus();
  });
}

function select(name) {
  open = name;
  for (const tab of tabs) {
    const isOpen = tab.getAttribute("aria-controls") === name;
    tab.setAttribute("aria-selected", String(isOpen));
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !isOpen;
  }
  history.replaceState(null, "", `#${name}`);
  void look();
}

async function look() {
  try {
    const response = await fetch("/v1/pixii/cluster");
    if (!response.ok) throw new Error(`the frontend answered ${response.status}`);
    const view = await response.json();
    const late = view.missing.length === 0 ? "" : `, ${view.missing.length} do not answer`;
    status.textContent = `${view.namespace}: ${view.services.length} programs${late}`;
    status.title = view.missing.join("\n");
    status.classList.toggle("bad", view.missing.length > 0);
    views[open]?.(document.getElementById(open), view);
  } catch (error) {
    status.textContent = `the frontend cannot be reached: ${error.message}`;
    status.classList.add("bad");
  }
}

openChat(document.getElementById("chat"));
select(views[location.hash.slice(1)] ? location.hash.slice(1) : "chat");
setInterval(() => {
  if (!document.hidden && open !== "chat") void look();
}, everyMs);
