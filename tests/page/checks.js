// What a page must be for everybody, as expressions that return what is wrong.
const checks = (() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const shown = (element) => element.checkVisibility();
  const named = (element) =>
    element.getAttribute("aria-label") || element.labels?.length || element.textContent.trim();
  const all = (selector) => Array.from(document.querySelectorAll(selector));

  return {
    texts() {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const found = [];
      while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const hidden = ["SCRIPT", "STYLE", "NOSCRIPT", "title"].includes(element.tagName);
        if (!hidden && walker.currentNode.data.trim() && shown(element)) found.push(element);
      }
      return found;
    },
    faint() {
      return checks.texts()
        .map((element) => [ratio(getComputedStyle(element).color, background(element)), element])
        .filter(([contrast]) => !(contrast >= 4.5))
        .map(([contrast, element]) => `${contrast}: ${element.outerHTML.slice(0, 200)}`);
    },
    faintShapes() {
      const edges = all("input, select, button").filter(shown)
        .map((element) => [getComputedStyle(element).borderTopColor, element]);
      const bars = all("rect").map((element) => [getComputedStyle(element).fill, element]);
      return [...edges, ...bars]
        .filter(([color, element]) => !(ratio(color, background(element.parentElement)) >= 3))
        .map(([, element]) => element.outerHTML.slice(0, 200));
    },
    structure() {
      const wrong = [];
      const must = (holds, what) => { if (!holds) wrong.push(what); };
      must(document.documentElement.lang === "en", "a language");
      must(document.title.trim(), "a title");
      for (const landmark of ["header", "nav", "main", "footer"])
        must(all(`body ${landmark}`).length === 1, `one ${landmark}`);
      const levels = all("h1, h2, h3, h4, h5, h6").map((heading) => Number(heading.tagName[1]));
      must(levels[0] === 1 && levels.lastIndexOf(1) === 0, "one h1, first");
      must(levels.every((level, n) => !n || level <= levels[n - 1] + 1), "no level left out");
      for (const control of all("input, select, button, summary, a, [tabindex='0']"))
        must(named(control), `a name: ${control.outerHTML.slice(0, 100)}`);
      for (const drawing of all("svg, img"))
        must(drawing.getAttribute("aria-label"), `a text: ${drawing.outerHTML.slice(0, 100)}`);
      for (const cell of all("th")) must(cell.scope, `a scope: ${cell.outerHTML}`);
      for (const table of all("table")) must(table.caption, "a caption");
      const ids = all("[id]").map((element) => element.id);
      must(new Set(ids).size === ids.length, "ids that are given once");
      for (const reference of all("[aria-labelledby], [for], a[href^='#']")) {
        const id = reference.getAttribute("aria-labelledby") || reference.getAttribute("for") ||
          reference.getAttribute("href").slice(1);
        must(document.getElementById(id), `what is referred to: ${id}`);
      }
      return wrong;
    },
    openAll() {
      for (const details of all("details")) details.open = true;
    },
    shownEvents() {
      return all(".event").filter(shown).map((event) => event.dataset.type);
    },
  };
})();
