// Which rows are listed. The list is made when a filter changes and not when a decision does, so
// that no row jumps away under the reviewer's hands.

const field = (id) => document.getElementById(id);

function fillClassFilter(select, codes) {
  const counts = new Map();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  select.append(new Option("any", ""));
  for (const code of [...counts.keys()].sort((a, b) => a - b)) {
    select.append(new Option(`${shown(code)} (${counts.get(code).toLocaleString("en")})`, code));
  }
}

function matchingRows() {
  const given = field("given").value;
  const believed = field("believed").value;
  const state = field("state").value;
  const words = field("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [];
  for (let i = 0; i < report.length; i += 1) {
    if (given !== "" && report.given[i] !== Number(given)) continue;
    if (believed !== "" && report.believed[i] !== Number(believed)) continue;
    if (state !== "" && (decisions.get(i)?.kind ?? "open") !== state) continue;
    if (words.length && !words.every((word) => searchText(i).includes(word))) continue;
    rows.push(i);
  }
  return rows;
}
