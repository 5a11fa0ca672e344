// The review itself: pages of rows, the current one, and what the buttons do.

const PER_PAGE = 50;
let listed = [];
let page = 0;
let current = 0; // place in `listed`

const n = (number) => number.toLocaleString("en");
const countOf = (number, noun) => `${n(number)} ${noun}${number === 1 ? "" : "s"}`;
const cards = () => field("rows").children;
const cardOf = (i) => field("rows").querySelector(`[data-row="${i}"]`);

function say(message) {
  const status = field("status");
  status.textContent = message;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { status.textContent = ""; }, 6000);
}

function showPage() {
  const first = page * PER_PAGE;
  const rows = listed.slice(first, first + PER_PAGE);
  field("rows").replaceChildren(...rows.map(makeCard));
  const nPages = Math.max(Math.ceil(listed.length / PER_PAGE), 1);
  field("place").textContent = `page ${n(page + 1)} of ${n(nPages)}`;
  field("previous").disabled = page === 0;
  field("next").disabled = page >= nPages - 1;
  field("pages").hidden = nPages === 1;
  field("nothing").hidden = listed.length > 0;
  field("matches").textContent = listed.length === report.length
    ? `${n(report.length)} rows` : `${n(listed.length)} of ${n(report.length)} rows`;
  markCurrent();
}

function markCurrent() {
  for (const card of cards()) card.classList.remove("current");
  cards()[current - page * PER_PAGE]?.classList.add("current");
}

function goTo(place, { focus = true, block = "nearest" } = {}) {
  if (!listed.length) return;
  current = Math.min(Math.max(place, 0), listed.length - 1);
  const wanted = Math.floor(current / PER_PAGE);
  if (wanted !== page) {
    page = wanted;
    showPage();
  } else markCurrent();
  const card = cards()[current - page * PER_PAGE];
  if (focus) {
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block });
  }
}

// Whether who looks at the screen sees the current row: half of it, or half a screen of it.
function currentIsInView() {
  const box = cards()[current - page * PER_PAGE].getBoundingClientRect();
  const top = document.querySelector("header").getBoundingClientRect().bottom;
  const seen = Math.min(box.bottom, innerHeight) - Math.max(box.top, top);
  return seen >= Math.min(box.height, innerHeight - top) / 2;
}

// Where a review begins or goes on: at the first row that is not decided.
function goOn(news) {
  const place = listed.findIndex((i) => decisions.get(i) === null);
  if (place < 0) {
    goTo(0, { focus: false });
    say(`${news}; every row listed is decided.`);
    return;
  }
  goTo(place, { block: "start" });
  say(`${news}; going on at #${n(listed[place] + 1)}.`);
}

function filter() {
  listed = matchingRows();
  page = 0;
  current = 0;
  showPage();
}

function showProgress() {
  const done = decisions.of.size;
  const [relabelled, dropped] = [decisions.count("relabel"), decisions.count("drop")];
  field("progress").max = report.length;
  field("progress").value = done;
  field("counts").textContent = `${n(done)} of ${n(report.length)} reviewed`
    + (done ? ` · ${n(done - relabelled - dropped)} kept, ${n(relabelled)} relabelled, ${n(dropped)} dropped` : "");
  field("undo").disabled = decisions.history.length === 0;
  field("export").disabled = done === 0;
  field("warning").hidden = decisions.stored;
  field("warning").textContent = decisions.stored ? ""
    : "This browser keeps nothing for this page: export the decisions before you close it.";
}

function refresh(rows) {
  for (const i of rows) {
    const card = cardOf(i);
    if (card) showDecision(card, i);
  }
  showProgress();
}

function decide(i, kind, label = report.given[i]) {
  decisions.set([[i, { kind, label }]]);
  refresh([i]);
  const said = `Row ${report.rows[i]}: ${VERDICTS[kind]}${kind === "relabel" ? shown(label) : ""}.`;
  const place = listed.indexOf(i);
  const next = openAfter(place);
  // Never on to a row that is decided: the next key would change it.
  if (next >= 0) goTo(next);
  else if (place >= 0) goTo(place);
  say(next >= 0 ? said : `${said} No row below it is undecided.`);
}

const actions = {
  keep: (i) => decide(i, "keep"),
  drop: (i) => decide(i, "drop"),
  other: (i) => pickClass(i, (label) => decide(i, "relabel", label)),
  relabel(i) {
    // Where the given label is believed there is nothing else to relabel to.
    if (report.believed[i] === report.given[i]) actions.other(i);
    else decide(i, "relabel", report.believed[i]);
  },
  clear(i) {
    if (decisions.get(i) === null) return;
    decisions.set([[i, null]]);
    refresh([i]);
    say(`Row ${report.rows[i]}: no decision any more.`);
  },
};

function undo() {
  const changes = decisions.undo();
  if (!changes.length) return;
  refresh(changes.map(([i]) => i));
  const place = listed.indexOf(changes[0][0]);
  if (place >= 0) goTo(place);
  say(changes.length === 1 ? `Row ${report.rows[changes[0][0]]}: undone.`
    : `${countOf(changes.length, "decision")} undone.`);
}

function openAfter(place) {
  return listed.findIndex((i, other) => other > place && decisions.get(i) === null);
}

function nextOpen() {
  const after = openAfter(current);
  const place = after >= 0 ? after : listed.findIndex((i) => decisions.get(i) === null);
  if (place >= 0) goTo(place);
  else say("Every row listed is decided.");
}

function exportDecisions() {
  if (!decisions.of.size) return;
  const url = URL.createObjectURL(new Blob([decisions.toCsv()], { type: "text/csv;charset=utf-8" }));
  const slug = report.title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  const name = `${slug || "label-review"}-decisions.csv`;
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  decisions.exported = true;
  say(`${countOf(decisions.of.size, "decision")} saved as ${name}.`);
}

async function importDecisions(file) {
  try {
    const [taken, elsewhere] = decisions.fromCsv(await file.text());
    showPage();
    showProgress();
    goOn((elsewhere ? `${n(elsewhere)} left out, about rows that are not listed here; ` : "")
      + `${countOf(taken, "decision")} imported`);
  } catch (error) {
    say(`Nothing was imported. ${error.message}`);
  }
}

field("rows").addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  if (!card) return;
  const i = Number(card.dataset.row);
  const button = event.target.closest("[data-action]");
  goTo(listed.indexOf(i), { focus: false });
  if (button?.getAttribute("aria-pressed") === "true" && button.dataset.action !== "other") {
    actions.clear(i);
  } else if (button) actions[button.dataset.action](i);
});
// Focus that comes by the tabulator makes its row the current one, too.
field("rows").addEventListener("focusin", (event) => {
  const card = event.target.closest(".card");
  if (card) goTo(listed.indexOf(Number(card.dataset.row)), { focus: false });
});
field("filters").addEventListener("change", filter);
field("filters").addEventListener("submit", (event) => event.preventDefault());
field("filters").addEventListener("reset", () => setTimeout(filter));
field("search").addEventListener("input", () => {
  clearTimeout(filter.timer);
  filter.timer = setTimeout(filter, 120);
});
field("overview").addEventListener("click", (event) => {
  const button = event.target.closest("[data-given]");
  if (!button) return;
  field("filters").reset();
  field("given").value = button.dataset.given;
  field("believed").value = button.dataset.believed;
  filter();
  field("filters").scrollIntoView();
});
field("previous").addEventListener("click", () => goTo((page - 1) * PER_PAGE));
field("next").addEventListener("click", () => goTo((page + 1) * PER_PAGE));
field("undo").addEventListener("click", undo);
field("help").addEventListener("click", showHelp);
field("export").addEventListener("click", exportDecisions);
field("import").addEventListener("click", () => field("file").click());
field("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) importDecisions(file);
  event.target.value = "";
});
// The same report in another tab: its decisions are these.
addEventListener("storage", (event) => {
  if (event.key !== STORED) return;
  decisions.restore();
  showPage();
  showProgress();
});
addEventListener("beforeunload", (event) => {
  if (!decisions.stored && !decisions.exported && decisions.of.size) event.preventDefault();
});

field("rows").dataset.kind = report.contents.kind;
decisions.restore();
fillClassFilter(field("given"), report.given);
fillClassFilter(field("believed"), report.believed);
filter();
showProgress();
// The browser would scroll to where the page was left, which need not show the current row.
history.scrollRestoration = "manual";
// Who comes back wants the rows.
if (decisions.of.size) {
  field("overview").open = false;
  goOn(`${countOf(decisions.of.size, "decision")} from earlier restored`);
}
