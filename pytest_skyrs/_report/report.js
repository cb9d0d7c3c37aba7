"use strict";
// Everything here that comes from a test is set as text, never as markup.
(() => {
  const PAGE = 100; // rows of the list of tests
  const CARDS = 50; // divergences that are shown at once
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const tones = new Map(data.verdicts);
  const cards = [...document.querySelectorAll("details.card")];
  const chips = [...document.querySelectorAll(".chips button")];
  const functionOf = byId("function");
  const textOf = byId("text");
  const state = { verdicts: new Set(), name: -1, text: "", page: 0, sort: "", open: "", cause: "" };
  let cardsShown = CARDS;

  const node = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const number = (value) => (typeof value === "number" ? value : -1);
  const shown = (value) => (value === null || value === undefined || value === "" ? "–" : String(value));
  const seconds = (value) => (typeof value === "number" ? value.toFixed(3) : "–");
  const both = (pair) => [(pair || {}).python, (pair || {}).rust];

  const columns = [
    { key: "test", head: "test", of: (test) => test.lower },
    { key: "verdict", head: "verdict", of: (test) => test.verdict },
    { key: "outcome", head: "outcome", of: (test) => both(test.outcome).join() },
    { key: "python", head: "Python, s", num: true, of: (test) => number(both(test.seconds)[0]) },
    { key: "rust", head: "Rust, s", num: true, of: (test) => number(both(test.seconds)[1]) },
    { key: "calls", head: "calls to Rust", num: true, of: (test) => number(both(test.calls)[1]) },
    { key: "declined", head: "to Python", num: true, of: (test) => number(both(test.calls)[0]) },
    { key: "functions", head: "functions", num: true, of: (test) => test.functions.length },
    { key: "remarks", head: "remarks", of: (test) => test.remarks },
  ];

  const testOf = new Map();
  for (const test of data.tests) {
    test.id = shown(test.id);
    test.lower = test.id.toLowerCase();
    const noise = [test.noise || []].flat().join(", ");
    test.remarks = [test.note, noise ? `noise: ${noise}` : ""].filter(Boolean).join("; ");
    testOf.set(test.id, test);
  }
  const cardOf = new Map();
  data.cards.forEach((card) => {
    card.id = shown(card.id);
    card.test = shown(card.test);
    card.tests = new Set(testOf.has(card.test) ? [testOf.get(card.test)] : []);
    cardOf.set(card.id, card);
  });
  for (const test of data.tests) {
    test.causes = [test.divergences || []].flat().map(shown);
    for (const id of test.causes) if (cardOf.has(id)) cardOf.get(id).tests.add(test);
  }
  for (const card of data.cards) {
    for (const test of card.tests) if (!test.causes.includes(card.id)) test.causes.push(card.id);
    if (!card.tests.size) card.tests.add({ lower: card.test.toLowerCase(), functions: [] });
  }

  // ---- the address ----

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const verdicts = (given.get("verdict") || "").split(",");
    state.verdicts = new Set(verdicts.filter((name) => tones.has(name)));
    state.name = data.names.indexOf(given.get("function") || "");
    state.text = given.get("text") || "";
    state.page = Math.max(0, (parseInt(given.get("page"), 10) || 1) - 1);
    state.sort = given.get("sort") || "";
    state.open = given.get("open") || "";
    state.cause = given.get("cause") || "";
  }

  function address(changes) {
    const now = { ...state, ...changes };
    const wanted = new URLSearchParams();
    if (now.verdicts.size) wanted.set("verdict", [...now.verdicts].join(","));
    if (now.name >= 0) wanted.set("function", data.names[now.name]);
    if (now.text) wanted.set("text", now.text);
    if (now.sort) wanted.set("sort", now.sort);
    if (now.page) wanted.set("page", String(now.page + 1));
    if (now.open) wanted.set("open", now.open);
    if (now.cause) wanted.set("cause", now.cause);
    return `#${wanted}`;
  }

  function write() {
    const wanted = address({});
    if ((location.hash || "#") === wanted) return;
    try {
      history.replaceState(null, "", wanted);
    } catch {
      location.hash = wanted; // a frame that may not rewrite its address
    }
  }

  // ---- filters ----

  function matches(words, lower, verdict, names) {
    if (state.verdicts.size && !verdict.some((name) => state.verdicts.has(name))) return false;
    if (state.name >= 0 && !names.includes(state.name)) return false;
    return words.every((word) => lower.includes(word));
  }

  function filtered(words) {
    const rows = data.tests.filter(
      (test) =>
        (!state.cause || test.causes.includes(state.cause)) &&
        matches(words, test.lower, [test.verdict], test.functions),
    );
    const column = columns.find(({ key }) => key === state.sort.replace(/^-/, ""));
    if (column) {
      const sign = state.sort.startsWith("-") ? -1 : 1;
      const keyed = rows.map((test) => [column.of(test), test]);
      keyed.sort(([a], [b]) => (a < b ? -sign : a > b ? sign : 0));
      return keyed.map(([, test]) => test);
    }
    return rows;
  }

  function filterCards(words) {
    let found = 0;
    data.cards.forEach((card, index) => {
      const verdicts = [card.verdict, card.known ? "known" : ""];
      const names = (test) => (card.function !== null ? [card.function] : test.functions);
      const fits =
        (!state.cause || card.id === state.cause) &&
        [...card.tests].some((test) => matches(words, test.lower, verdicts, names(test)));
      if (fits) found += 1;
      cards[index].hidden = !fits || (found > cardsShown && card.id !== state.open);
    });
    const more = byId("more");
    if (more) {
      more.hidden = found <= cardsShown;
      more.textContent = `Show more (${found - cardsShown} left)`;
    }
    return found;
  }

  // ---- the list of tests ----

  function headRow() {
    const row = node("tr");
    for (const { key, head, num } of columns) {
      const cell = node("th", undefined, num ? "num" : "");
      cell.scope = "col";
      const [up, down] = [state.sort === key, state.sort === `-${key}`];
      if (up || down) cell.setAttribute("aria-sort", up ? "ascending" : "descending");
      const button = node("button", head + (up ? " ↑" : down ? " ↓" : ""));
      button.type = "button";
      button.addEventListener("click", () => {
        const next = num ? [`-${key}`, key, ""] : [key, `-${key}`, ""];
        change({ sort: next[(next.indexOf(state.sort) + 1) % 3] });
        byId("list").querySelectorAll("thead button")[columns.findIndex((c) => c.key === key)].focus();
      });
      cell.append(button);
      row.append(cell);
    }
    return row;
  }

  function bodyRow(test) {
    const row = node("tr");
    const name = node("th", test.id);
    name.scope = "row";
    const verdict = node("td");
    verdict.append(node("span", test.verdict, `badge ${tones.get(test.verdict) || "mute"}`));
    for (const id of test.causes) {
      const link = node("a", id);
      link.href = address({ open: id });
      verdict.append(" ", link);
    }
    const [python, rust] = both(test.outcome).map(shown);
    const functions = node("td", undefined, "num");
    functions.textContent = test.functions.length ? "" : "0";
    if (test.functions.length) {
      const fold = node("details");
      const list = node("ul");
      for (const index of test.functions) list.append(node("li", data.names[index]));
      fold.append(node("summary", String(test.functions.length)), list);
      functions.append(fold);
    }
    row.append(
      name,
      verdict,
      node("td", python === rust ? python : `Python ${python}, Rust ${rust}`),
      ...both(test.seconds).map((value) => node("td", seconds(value), "num")),
      ...both(test.calls).reverse().map((value) => node("td", shown(value), "num")),
      functions,
      node("td", test.remarks),
    );
    return row;
  }

  function show() {
    const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = filtered(words);
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    const first = state.page * PAGE;
    const page = rows.slice(first, first + PAGE);
    const list = byId("list");
    list.tHead.replaceChildren(headRow());
    list.tBodies[0].replaceChildren(...page.map(bodyRow));
    byId("page").textContent = rows.length
      ? `${first + 1} to ${first + page.length} of ${rows.length}`
      : "no tests";
    byId("previous").disabled = state.page === 0;
    byId("next").disabled = state.page >= pages - 1;
    chips.forEach((chip, index) => {
      chip.setAttribute("aria-pressed", String(state.verdicts.has(data.verdicts[index][0])));
    });
    functionOf.value = state.name < 0 ? "" : String(state.name);
    if (textOf.value !== state.text) textOf.value = state.text;
    const found = filterCards(words);
    byId("shown").textContent =
      `${rows.length} of ${data.tests.length} tests and ` +
      `${found} of ${data.cards.length} divergences match`;
    write();
  }

  function change(changes) {
    Object.assign(state, { page: 0 }, changes);
    show();
  }

  function openCard() {
    const index = data.cards.findIndex((card) => card.id === state.open);
    if (index < 0) return;
    cards[index].open = true;
    cards[index].hidden = false;
    cards[index].scrollIntoView();
    cards[index].querySelector("summary").focus({ preventScroll: true });
  }

  function follow() {
    read();
    show();
    openCard();
  }

  // ---- what the reader does ----

  const sorted = data.names.map((name, index) => [name, index]).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, index] of sorted) {
    const option = node("option", name);
    option.value = String(index);
    functionOf.append(option);
  }
  chips.forEach((chip, index) => {
    const [name] = data.verdicts[index];
    chip.addEventListener("click", () => {
      const verdicts = new Set(state.verdicts);
      if (!verdicts.delete(name)) verdicts.add(name);
      change({ verdicts });
    });
  });
  functionOf.addEventListener("change", () => {
    change({ name: functionOf.value === "" ? -1 : Number(functionOf.value) });
  });
  textOf.addEventListener("input", () => change({ text: textOf.value }));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => {
    change({ verdicts: new Set(), name: -1, text: "", sort: "", open: "", cause: "" });
  });
  byId("previous").addEventListener("click", () => change({ page: state.page - 1 }));
  byId("next").addEventListener("click", () => change({ page: state.page + 1 }));
  if (byId("more")) {
    byId("more").addEventListener("click", () => {
      cardsShown += CARDS;
      show();
    });
  }
  cards.forEach((card, index) => {
    card.addEventListener("toggle", () => {
      const { id } = data.cards[index];
      if (card.open) state.open = id;
      else if (state.open === id) state.open = "";
      write();
    });
  });
  // The address holds the filters, so a jump to a section must not replace it.
  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const section = byId(link.getAttribute("href").slice(1));
      section.scrollIntoView();
      section.focus({ preventScroll: true });
    });
  }
  for (const button of document.querySelectorAll(".unfold")) {
    button.addEventListener("click", () => {
      const hidden = button.closest("tbody").nextElementSibling;
      hidden.hidden = !hidden.hidden;
      button.setAttribute("aria-expanded", String(!hidden.hidden));
    });
  }
  for (const code of document.querySelectorAll("code.copy")) {
    const button = node("button", "Copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code); // to be copied by hand
      }
    });
    code.after(button);
  }
  addEventListener("hashchange", follow);
  follow();
})();
