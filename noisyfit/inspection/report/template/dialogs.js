// The list of keys, and the choice of another class.

const MOST_CLASSES = 200;

function showHelp() {
  field("keys").showModal();
}

// Calls back with the code of the class chosen; not at all if none was.
function pickClass(i, chosen) {
  const dialog = field("picker");
  const search = field("picker-search");
  const list = field("picker-classes");
  const fill = () => {
    const wanted = search.value.toLowerCase();
    const codes = [...report.classes.keys()].filter(
      (code) => code !== report.given[i] && report.classes[code].toLowerCase().includes(wanted),
    );
    list.replaceChildren(...codes.slice(0, MOST_CLASSES).map((code) => {
      const button = element("button", { type: "button" },
        element("bdi", { textContent: shown(code) }));
      button.addEventListener("click", () => {
        dialog.close();
        chosen(code);
      });
      return button;
    }));
    const left = codes.length - MOST_CLASSES;
    field("picker-more").hidden = left <= 0;
    field("picker-more").textContent = `and ${left.toLocaleString("en")} more: type to find one`;
    return list.firstElementChild;
  };
  search.value = "";
  search.oninput = fill;
  // Enter takes the first; arrows walk through the buttons.
  search.onkeydown = (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      list.firstElementChild?.click();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      list.firstElementChild?.focus();
    }
  };
  list.onkeydown = (event) => {
    const sibling = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!sibling) return;
    event.preventDefault();
    (document.activeElement[sibling] ?? (event.key === "ArrowUp" ? search : null))?.focus();
  };
  fill();
  dialog.showModal();
  search.focus();
}
