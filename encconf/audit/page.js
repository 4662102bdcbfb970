"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const by = (id) => document.getElementById(id);
  root.classList.add("js");

  // Light or dark: the system's, until somebody says otherwise.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => {
    try {
      return localStorage.getItem("encconf-theme");
    } catch {
      return null; // a page of the file system may have no memory
    }
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const sayTheme = () => {
    by("theme").textContent = isDark() ? "Light" : "Dark";
    by("theme").setAttribute("aria-label", isDark() ? "Switch to light colours" : "Switch to dark colours");
  };
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();
  dark.addEventListener("change", sayTheme);
  by("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("encconf-theme", root.dataset.theme);
    } catch {
      // then it is asked again next time
    }
    sayTheme();
  });
  sayTheme();

  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const number = (count, one, many) => `${count} ${count === 1 ? one : many}`;
  const key = ([kind, label]) => (kind === "age" ? label : `${kind}: ${label}`);
  const folded = (text) => text.toLowerCase();

  // Tabs.
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const show = (tab) => {
    for (const other of tabs) {
      const selected = other === tab;
      other.setAttribute("aria-selected", String(selected));
      other.tabIndex = selected ? 0 : -1;
      by(other.getAttribute("aria-controls")).hidden = !selected;
    }
  };
  tabs.forEach((tab, at) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(at + step + tabs.length) % tabs.length];
      show(next);
      next.focus();
    });
  });
  if (tabs.length) show(tabs[0]);

  // The matrix: rows and columns that are shown, and their order.
  const table = by("files");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const first = 2; // the column of the first person
  const chosen = new Set();
  const paths = data.files.map((file) => folded(file.path));
  const labels = data.people.map((person) => folded(person.label));
  const state = data.files.map((file) => new Map(file.readers.map((reader) => [reader[0], reader[1]])));
  const opensFor = (file, people) => file.groups.filter((group) => group.some((who) => people.has(who))).length >= file.quorum;
  const filters = {
    all: () => true,
    several: (file) => file.quorum > 1,
    services: (file) => file.readers.some((reader) => data.people[reader[0]].service && reader[1] !== "former"),
    out: (file) => file.readers.some((reader) => reader[1] === "former" || reader[1] === "exposed"),
    attention: (file) => file.attention,
    together: (file) => opensFor(file, chosen),
  };
  let shownPeople = data.people.map(() => true);

  // A row is of one file, or of several with the same readers, which it lists when it is open.
  const filesOf = new Map(rows.map((row) => [row, (row.dataset.files ?? row.dataset.at).split(" ").map(Number)]));
  const fitting = new Map(filesOf);
  const fill = (row) => {
    const details = row.querySelector("details");
    const at = fitting.get(row);
    details.querySelector("summary b").textContent = number(at.length, "file", "files");
    const lines = details.querySelector("pre");
    lines.replaceChildren();
    if (!details.open) return;
    for (const each of at) {
      const button = element("button", "", data.files[each].path);
      button.type = "button";
      button.dataset.at = String(each);
      lines.append(button);
    }
  };
  for (const row of rows.filter((each) => each.dataset.files)) {
    row.querySelector("details").addEventListener("toggle", () => fill(row));
    fill(row);
  }

  const refresh = () => {
    const wanted = folded(by("find").value).split(/\s+/).filter(Boolean);
    const names = folded(by("find-people").value).split(/[\s,]+/).filter(Boolean);
    const filter = by("filter").value;
    let count = 0;
    rows.forEach((row) => {
      const fits = filesOf
        .get(row)
        .filter((at) => wanted.every((word) => paths[at].includes(word)) && filters[filter](data.files[at]));
      row.hidden = !fits.length;
      count += fits.length;
      if (row.dataset.files && fits.length !== fitting.get(row).length) {
        fitting.set(row, fits);
        fill(row);
      }
    });
    const now = labels.map((label, at) =>
      filter === "together" ? chosen.has(at) : !names.length || names.some((name) => label.includes(name)),
    );
    if (now.some((is, at) => is !== shownPeople[at])) {
      const changed = now.flatMap((is, at) => (is !== shownPeople[at] ? [at] : []));
      for (const row of [table.tHead.rows[0], ...rows]) {
        for (const at of changed) row.cells[at + first].hidden = !now[at];
      }
      const cols = table.querySelectorAll("col");
      for (const at of changed) cols[at + first].hidden = !now[at];
      shownPeople = now;
    }
    const people = now.filter(Boolean).length;
    by("count").textContent =
      count === data.files.length && people === labels.length
        ? `${number(count, "file", "files")}, ${number(people, "reader", "readers")}`
        : `${count} of ${number(data.files.length, "file", "files")}, ${people} of ${number(labels.length, "reader", "readers")}`;
    by("nothing").hidden = count > 0;
  };
  for (const id of ["find", "find-people"]) by(id).addEventListener("input", refresh);
  by("filter").addEventListener("change", refresh);
  by("tools").addEventListener("submit", (event) => event.preventDefault());

  const rank = { reads: 0, part: 1, exposed: 2, former: 3 };
  const values = {
    path: (at) => at,
    readers: (at) => data.files[at].readers.filter((reader) => rank[reader[1]] < 2).length,
  };
  const sort = (head) => {
    const key = head.dataset.sort;
    const person = Number(key);
    const value = values[key] || ((at) => rank[state[at].get(person)] ?? 4);
    const before = head.getAttribute("aria-sort");
    const descending = key === "readers" ? before !== "descending" : before === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const sign = descending ? -1 : 1;
    const keyed = rows.map((row) => [value(filesOf.get(row)[0]), filesOf.get(row)[0], row]);
    keyed.sort((one, other) => sign * (one[0] - other[0]) || one[1] - other[1]);
    body.append(...keyed.map((entry) => entry[2]));
  };
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (head && event.target.closest("button")) sort(head);
  });

  // Which column the pointer is in; what a cell says.
  const cols = table.querySelectorAll("col");
  let hot = null;
  body.addEventListener("pointerover", (event) => {
    const cell = event.target.closest("td, th");
    const col = cell && cell.cellIndex >= first ? cols[cell.cellIndex] : null;
    if (col !== hot) {
      hot?.classList.remove("hot");
      col?.classList.add("hot");
      hot = col;
    }
    if (cell?.classList.contains("s") && !cell.title) {
      const several = cell.parentElement.dataset.files;
      const file = data.files[filesOf.get(cell.parentElement)[0]];
      const reader = file.readers.find((entry) => entry[0] === cell.cellIndex - first);
      const when = several ? "" : reader[2];
      cell.title = [data.people[reader[0]].label, data.states[reader[1]], when].filter(Boolean).join(", ");
    }
  });
  body.addEventListener("pointerleave", () => {
    hot?.classList.remove("hot");
    hot = null;
  });

  // Details of a file or a person.
  const dialog = by("detail");
  const open = (title, parts) => {
    const steps = title.split("/").map((step, at, all) => (at < all.length - 1 ? `${step}/` : step));
    by("detail-title").replaceChildren(...steps.flatMap((step) => [step, element("wbr")]));
    by("detail-body").replaceChildren(...parts.filter(Boolean));
    dialog.showModal();
    dialog.scrollTop = 0;
  };
  const item = (state, text, ...notes) => {
    const line = element("li");
    const sign = element("span", `s ${state}`);
    sign.append(element("span", "unseen", data.states[state] || ""));
    const about = element("div", "", text);
    for (const note of notes.filter(Boolean)) about.append(element("small", "", note));
    line.append(sign, about);
    return line;
  };
  const list = (heading, items) => {
    if (!items.length) return null;
    const made = element("div");
    const lines = element("ul");
    lines.append(...items);
    made.append(element("h3", "", heading), lines);
    return made;
  };
  const showFile = (at) => {
    const file = data.files[at];
    const line = (reader) =>
      item(reader[1], data.people[reader[0]].label, reader[2], data.people[reader[0]].keys.map(key).join("   "));
    const has = (reader) => rank[reader[1]] < 2;
    const groups = file.groups.map((group, index) =>
      list(
        file.groups.length > 1 ? `Group ${index + 1}` : "Can read it",
        file.readers.filter((reader) => has(reader) && group.includes(reader[0])).map(line),
      ),
    );
    const notes = file.notes.map((note) => element("p", "note", note));
    const quorum = file.quorum > 1
      ? element("p", "about", `It takes a key of ${file.quorum} of its ${file.groups.length} groups to open it.`)
      : null;
    open(file.path, [...notes, quorum, ...groups, list("Not any more", file.readers.filter((reader) => !has(reader)).map(line))]);
  };
  const showPerson = (at) => {
    const person = data.people[at];
    const files = data.files.map((file) => [file, file.readers.find((reader) => reader[0] === at)]);
    const among = (...states) =>
      files.filter(([, reader]) => reader && states.includes(reader[1])).map(([file, reader]) => item(reader[1], file.path, reader[2]));
    const keys = element("p", "about");
    keys.append(...person.keys.flatMap((each) => [element("code", "", key(each)), element("br")]));
    open(person.label, [
      keys,
      list("Out, but still knows the data key", among("exposed")),
      list("Can read", among("reads")),
      list("Holds a part of", among("part")),
      list("Could read once", among("former")),
    ]);
  };
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    const button = event.target.closest("button");
    if (!row || !(button || event.target.closest("td.s"))) return;
    if (!row.dataset.files) showFile(Number(row.dataset.at));
    else if (button) showFile(Number(button.dataset.at));
    else row.querySelector("details").toggleAttribute("open");
  });
  by("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  // What some people can open together.
  const sayTogether = () => {
    const names = [...chosen].map((at) => data.people[at].head);
    const count = data.files.filter((file) => opensFor(file, chosen)).length;
    by("together").className = names.length ? "some" : "";
    by("together").textContent = names.length
      ? `${names.length > 3 ? `${names.length} readers` : names.join(" + ")} can open ${count} of ${number(data.files.length, "file", "files")}${names.length > 1 ? " together" : ""}`
      : "Tick people to see what they can open together.";
    for (const id of ["show-together", "clear"]) by(id).hidden = !names.length;
    const option = by("filter").querySelector("[value=together]");
    option.hidden = option.disabled = !names.length;
    if (!names.length && by("filter").value === "together") by("filter").value = "all";
    refresh();
  };
  const people = by("people-table");
  people.addEventListener("change", (event) => {
    const at = Number(event.target.closest("tr").dataset.at);
    if (event.target.checked) chosen.add(at);
    else chosen.delete(at);
    sayTogether();
  });
  people.addEventListener("click", (event) => {
    if (event.target.closest("button")) showPerson(Number(event.target.closest("tr").dataset.at));
  });
  by("clear").addEventListener("click", () => {
    for (const box of people.querySelectorAll("input")) box.checked = false;
    chosen.clear();
    sayTogether();
  });
  by("show-together").addEventListener("click", () => {
    by("filter").value = "together";
    refresh();
    show(tabs[0]);
    tabs[0].focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !dialog.open && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      show(tabs[0]);
      by("find").focus();
    }
  });
  sayTogether();
  root.dataset.ready = "yes";
})();
