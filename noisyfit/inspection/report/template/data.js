// What Python wrote into the page. Rows are named by their place in the ranking, from 0.

const block = document.getElementById("report-data");
const report = JSON.parse(block.textContent);
report.fingerprint = block.dataset.fingerprint;
report.length = report.rows.length;

function classNamed(text) {
  if (!classNamed.codes) classNamed.codes = new Map(report.classes.map((name, i) => [name, i]));
  const code = classNamed.codes.get(unprotect(text));
  return code === undefined ? classNamed.codes.get(text) : code;
}

// A label on one line; one that is empty or only spaces would be invisible.
function shown(code) {
  const name = report.classes[code].replace(/\r\n|\r|\n/g, "⏎");
  return name.trim() === "" ? `"${name}"` : name;
}

function indexOf(i) {
  return report.index === null ? "" : report.index[i];
}

// Everything of a row that a search looks through, in lower case; made when first needed.
const searchTexts = new Array(report.length);
function searchText(i) {
  if (searchTexts[i] === undefined) {
    const { contents } = report;
    const pieces = [`#${i + 1}`, `row ${report.rows[i]}`, indexOf(i)];
    if (contents.kind === "text") pieces.push(contents.texts[i]);
    if (contents.kind === "features") pieces.push(...contents.values.map((column) => column[i]));
    if (contents.kind === "entries") {
      pieces.push(...contents.entries[i].map(([name]) => contents.names[name]));
    }
    searchTexts[i] = pieces.join("\n").toLowerCase();
  }
  return searchTexts[i];
}
