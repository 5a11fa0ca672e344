// What was decided about which row: kept in this browser, undone, exported and imported.
// A decision is {kind: "keep" | "relabel" | "drop", label: the code of the new label}.

const STORED = `noisyfit-review-${report.fingerprint}`;
const COLUMNS = ["row", "index", "given_label", "decision", "new_label"];

const decisions = {
  of: new Map(),
  history: [], // what undo restores: lists of [row, decision before]
  stored: true, // false where the browser refuses to keep anything
  exported: true,

  get(i) {
    return this.of.get(i) ?? null;
  },

  count(kind) {
    let n = 0;
    for (const decision of this.of.values()) n += decision.kind === kind;
    return n;
  },

  // Several at once are undone at once.
  set(changes) {
    this.history.push(changes.map(([i]) => [i, this.get(i)]));
    this.apply(changes);
  },

  undo() {
    const changes = this.history.pop();
    if (changes) this.apply(changes);
    return changes ?? [];
  },

  apply(changes) {
    for (const [i, decision] of changes) {
      if (decision === null) this.of.delete(i);
      else this.of.set(i, decision);
    }
    this.exported = false;
    this.store();
  },

  store() {
    const list = [...this.of].map(([i, { kind, label }]) => [i, kind, label]);
    try {
      localStorage.setItem(STORED, JSON.stringify(list));
      this.stored = true;
    } catch {
      this.stored = false;
    }
  },

  restore() {
    this.history = [];
    let list = [];
    try {
      list = JSON.parse(localStorage.getItem(STORED) ?? "[]");
      localStorage.setItem(STORED, JSON.stringify(list)); // can anything be kept at all?
    } catch {
      this.stored = false;
    }
    this.of = new Map(
      list
        .filter(([i, kind, label]) => isDecision(i, kind, label))
        .map(([i, kind, label]) => [i, { kind, label }]),
    );
  },

  toCsv() {
    const lines = [COLUMNS];
    for (const [i, { kind, label }] of [...this.of].sort((a, b) => a[0] - b[0])) {
      lines.push([
        String(report.rows[i]),
        protect(indexOf(i)),
        protect(report.classes[report.given[i]]),
        kind,
        kind === "relabel" ? protect(report.classes[label]) : "",
      ]);
    }
    return toCsv(lines);
  },

  // Takes all of a file or, with an error that says why, nothing. Returns how many decisions were
  // taken and how many are about rows that this page does not list.
  fromCsv(text) {
    const [head = [], ...lines] = fromCsv(text);
    const names = head.map((name) => name.trim());
    const missing = COLUMNS.filter((name) => name !== "index" && !names.includes(name));
    if (missing.length) throw new Error(`The file has no column ${missing.join(", ")}.`);
    const places = new Map(report.rows.map((row, i) => [row, i]));
    const changes = new Map();
    let elsewhere = 0;
    lines.forEach((line, number) => {
      const cell = (name) => line[names.indexOf(name)] ?? "";
      const kind = cell("decision").trim().toLowerCase();
      if (kind === "") return;
      const where = `Entry ${number + 1} (row ${cell("row")})`;
      const i = places.get(Number(cell("row")));
      if (i === undefined) {
        elsewhere += 1;
        return;
      }
      if (classNamed(cell("given_label")) !== report.given[i]) {
        throw new Error(`${where} was given another label: the file belongs to other data.`);
      }
      const label = kind === "relabel" ? classNamed(cell("new_label")) : report.given[i];
      if (!isDecision(i, kind, label)) {
        throw new Error(`${where} has a decision or a label that this page does not know.`);
      }
      if (changes.has(i)) throw new Error(`${where} is in the file twice.`);
      changes.set(i, { kind, label });
    });
    if (changes.size) this.set([...changes]);
    return [changes.size, elsewhere];
  },
};

function isDecision(i, kind, label) {
  return (
    Number.isInteger(i) && i >= 0 && i < report.length
    && ["keep", "relabel", "drop"].includes(kind)
    && Number.isInteger(label) && label >= 0 && label < report.classes.length
  );
}
