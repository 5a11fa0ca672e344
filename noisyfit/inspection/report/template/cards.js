// A row as elements. Everything that comes from the data is set as text, never as markup.

const LONG_TEXT = 700;

function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name.startsWith("data-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

function makeCard(i) {
  const percent = Math.round(100 * report.suspicion[i]);
  const given = report.given[i];
  const believed = report.believed[i];
  const differs = given !== believed;
  const name = indexOf(i);
  const head = element("div", { className: "head" },
    element("span", { className: "rank", textContent: `#${i + 1}` }),
    element("span", { className: "where" },
      `row ${report.rows[i].toLocaleString("en")}`,
      ...(name !== "" && name !== String(report.rows[i])
        ? [" · ", element("bdi", { textContent: name })] : [])),
    element("span", {
      className: "suspicion",
      title: "one minus the trust in the label: a ranking, the higher the likelier wrong",
    },
    "suspicion ",
    element("meter", { min: 0, max: 100, value: percent, "aria-label": "suspicion" }),
    ` ${percent} %`));
  const labels = element("p", { className: "labels" },
    element("span", { className: "label given" }, "given ", labelChip(given)),
    ...(differs ? [
      element("span", { className: "arrow", textContent: "→", "aria-hidden": "true" }),
      element("span", { className: "label believed" }, "believed ", labelChip(believed)),
    ] : ["· no better label found"]),
    element("span", { className: "verdict" }));
  const actions = element("div", { className: "actions" },
    actionButton("keep", "1", "Keep", `Keep the given label ${shown(given)}`),
    ...(differs
      ? [actionButton("relabel", "2", "Relabel", `Relabel to ${shown(believed)}`)] : []),
    actionButton("drop", "3", "Drop", "Drop the row"),
    // Of two classes the other one is the believed one.
    ...(differs && report.classes.length === 2 ? [] : [
      actionButton("other", "4", "Other…", "Other label: relabel to a class of your choice")]));
  const side = element("div", { className: "side" }, labels, actions);
  const card = element("article", { className: "card", tabIndex: -1, "data-row": i,
    "aria-label": `Row ${report.rows[i]}, given ${shown(given)}, `
      + (differs ? `believed ${shown(believed)}` : "no better label found") },
  head, makeContent(i), side);
  showDecision(card, i);
  return card;
}

function labelChip(code) {
  return element("bdi", { className: "chip", textContent: shown(code) });
}

// The labels stand above the buttons, so the buttons can be short.
function actionButton(action, key, text, meaning) {
  return element("button", { type: "button", "data-action": action,
    title: `${meaning} (${key})`, "aria-label": meaning },
  element("kbd", { textContent: key }), ` ${text}`);
}

function makeContent(i) {
  const { contents } = report;
  if (contents.kind === "images") {
    const image = element("img", { alt: `image of row ${report.rows[i]}`,
      src: `data:image/png;base64,${contents.images[i]}` });
    const small = Math.max(contents.width, contents.height) < 96;
    return element("div", { className: small ? "content image small" : "content image" }, image);
  }
  if (contents.kind === "text") return makeText(contents.texts[i]);
  if (contents.kind === "features") {
    const pairs = contents.names.map((name, column) => [name, contents.values[column][i]]);
    return makeValues(pairs, contents.n_hidden);
  }
  if (contents.kind === "entries") {
    return makeValues(contents.entries[i].map(([name, value]) => [contents.names[name], value]), 0);
  }
  return element("div", { className: "content" });
}

function makeText(text, className = "content text") {
  const body = element("div", { className, dir: "auto", textContent: text });
  if (text.length <= LONG_TEXT) return body;
  body.textContent = `${text.slice(0, LONG_TEXT)}… `;
  const more = element("button", { type: "button", className: "more", textContent: "Show all" });
  more.addEventListener("click", () => {
    body.textContent = text;
  });
  body.append(more);
  return body;
}

function makeValues(pairs, nHidden) {
  const list = element("dl", { className: "content values" });
  for (const [name, value] of pairs) {
    const wide = value.length > 40;
    list.append(element("div", { className: wide ? "wide" : "" },
      element("dt", { dir: "auto", textContent: name }),
      wide ? makeText(value, "text-value") : element("dd", { dir: "auto", textContent: value })));
  }
  if (nHidden) {
    list.append(element("div", { className: "hidden-columns",
      textContent: `and ${nHidden.toLocaleString("en")} more columns` }));
  }
  return list;
}

const VERDICTS = { keep: "kept", relabel: "relabelled to ", drop: "dropped" };

function showDecision(card, i) {
  const decision = decisions.get(i);
  card.dataset.decision = decision?.kind ?? "";
  const verdict = card.querySelector(".verdict");
  verdict.replaceChildren(decision ? VERDICTS[decision.kind] : "");
  if (decision?.kind === "relabel") {
    verdict.append(element("bdi", { textContent: shown(decision.label) }));
  }
  for (const button of card.querySelectorAll("[data-action]")) {
    const { action } = button.dataset;
    const believed = decision?.label === report.believed[i] && report.believed[i] !== report.given[i];
    const chosen = decision !== null && (
      action === decision.kind ? action !== "relabel" || believed
        : action === "other" && decision.kind === "relabel" && !believed);
    button.setAttribute("aria-pressed", String(chosen));
  }
}
