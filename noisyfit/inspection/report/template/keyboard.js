// Single keys as shortcuts, while no field is being typed into and no dialog is open.

// A key decides about a row that is seen; else it only brings that row into view.
const act = (name) => () => {
  if (!listed.length) return;
  const seen = currentIsInView();
  goTo(current);
  if (seen) actions[name](listed[current]);
  else say(`#${n(listed[current] + 1)} is the current row: press the key again to decide about it.`);
};

const keys = {
  1: act("keep"),
  2: act("relabel"),
  3: act("drop"),
  4: act("other"),
  0: act("clear"),
  j: () => goTo(onCard() ? current + 1 : current),
  ArrowDown: () => goTo(onCard() ? current + 1 : current),
  k: () => goTo(current - 1),
  ArrowUp: () => goTo(current - 1),
  n: nextOpen,
  u: undo,
  e: exportDecisions,
  "/": () => field("search").focus(),
  "?": showHelp,
};

// Until a row has the focus, the first step goes to the current row and not past it.
function onCard() {
  return document.activeElement?.closest(".card") != null;
}

addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const typing = event.target.matches?.("input, select, textarea");
  if (typing && event.key === "Escape") {
    event.target.blur();
    goTo(current);
  }
  const modified = event.ctrlKey || event.altKey || event.metaKey;
  if (typing || modified || !field("shortcuts").checked) return;
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
