// Decisions as CSV (RFC 4180), and back.

// A spreadsheet runs a cell that looks like a formula, so such text gets an apostrophe before it;
// noisyfit/noise/label_text.py follows the same rule and takes it away again.
// Python's \s is written out, for JavaScript's differs in a few characters.
const FORMULA = /^(?:[\s\u001c-\u001f\u0085]*[=+\-@]|[\t\r\n'])/u;
const NUMBER = /^-?\p{Nd}+(?:\.\p{Nd}+)?(?:e[+-]?\p{Nd}+)?$/iu;

function protect(text) {
  return FORMULA.test(text) && !NUMBER.test(text) ? "'" + text : text;
}

function unprotect(text) {
  return text.startsWith("'") ? text.slice(1) : text;
}

function toCsv(lines) {
  const cell = (text) => (/[",;\r\n\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  // The mark at the start tells spreadsheets that this is UTF-8.
  return "\ufeff" + lines.map((line) => line.map(cell).join(",") + "\r\n").join("");
}

function fromCsv(text) {
  text = text.replace(/^\ufeff/, "");
  const head = text.split("\n", 1)[0];
  const count = (separator) => head.split(separator).length;
  const separator = [",", ";", "\t"].sort((a, b) => count(b) - count(a))[0];
  const lines = [];
  let line = [];
  let cell = "";
  let quoted = false;
  const endLine = () => {
    line.push(cell);
    if (line.length > 1 || line[0] !== "") lines.push(line);
    line = [];
    cell = "";
  };
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else quoted = false;
    } else if (character === '"' && cell === "") quoted = true;
    else if (character === separator) {
      line.push(cell);
      cell = "";
    } else if (character === "\n" || character === "\r") {
      if (character === "\r" && text[i + 1] === "\n") i += 1;
      endLine();
    } else cell += character;
  }
  if (cell !== "" || line.length) endLine();
  return lines;
}
