"use strict";
// What the page can do more with a script than without: filter, keep a theme, follow its file.
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);

  // A browser may forbid storage to files: then nothing is kept, and all else works.
  const kept = (storage, key) => {
    try { return window[storage].getItem(key); } catch { return null; }
  };
  const keep = (storage, key, value) => {
    try { window[storage].setItem(key, value); } catch { /* forbidden */ }
  };

  // Theme: the system's, light, dark.
  const themes = ["system", "light", "dark"];
  const themeButton = byId("theme");
  const showTheme = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    themeButton.textContent = `Theme: ${theme}`;
  };
  let theme = kept("localStorage", "flwr-telemetry-theme");
  if (!themes.includes(theme)) theme = "system";
  showTheme(theme);
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    keep("localStorage", "flwr-telemetry-theme", theme);
    showTheme(theme);
  });

  // Filter: by words anywhere in an event, by state, by type.
  const events = Array.from(document.querySelectorAll(".event"));
  const filters = document.querySelector(".filters");
  const [search, state, type, found] = ["search", "state", "type", "found"].map(byId);
  const texts = new Map();
  const textOf = (event) => {
    if (!texts.has(event)) texts.set(event, event.textContent.toLowerCase());
    return texts.get(event);
  };
  const fits = (select, value) => select.value === "" || select.value === `=${value}`;
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const event of events) {
      const visible =
        fits(state, event.dataset.state) &&
        fits(type, event.dataset.type) &&
        words.every((word) => textOf(event).includes(word));
      event.hidden = !visible;
      shown += visible;
    }
    found.textContent = `${shown} of ${events.length} shown`;
  };
  if (filters) {
    filters.hidden = false;
    filters.addEventListener("input", filter);
    byId("clear").addEventListener("click", () => {
      search.value = state.value = type.value = "";
      filter();
      search.focus();
    });
  }

  // Follow the file: load it again, and find the reader where they were.
  const stateKey = "flwr-telemetry-place";
  const remember = () => {
    const active = document.activeElement;
    const keys = (list) => list.map((event) => event.dataset.key);
    keep("sessionStorage", stateKey, JSON.stringify({
      scroll: window.scrollY,
      filters: filters ? [search.value, state.value, type.value] : null,
      open: keys(events.filter((event) => event.open)),
      more: Array.from(document.querySelectorAll(".more"), (details) => details.open),
      focus: active && active.id,
      event: keys(events.filter((event) => event.firstElementChild === active))[0],
    }));
  };
  const recall = () => {
    let place = null;
    try { place = JSON.parse(kept("sessionStorage", stateKey)); } catch { /* not ours */ }
    if (!place || performance.getEntriesByType("navigation")[0]?.type !== "reload") return;
    if (filters && place.filters) [search.value, state.value, type.value] = place.filters;
    // What was chosen may be gone from the list.
    for (const select of [state, type]) if (select && select.selectedIndex < 0) select.value = "";
    for (const event of events) event.open = place.open.includes(event.dataset.key);
    document.querySelectorAll(".more").forEach((details, n) => { details.open = place.more[n]; });
    const focused = place.event
      ? events.find((event) => event.dataset.key === place.event)?.firstElementChild
      : place.focus && byId(place.focus);
    if (filters) filter();
    if (focused) focused.focus({ preventScroll: true });
    window.scrollTo({ top: place.scroll, behavior: "instant" });
  };
  recall();
  if (filters) filter();
  window.addEventListener("pagehide", remember);

  const seconds = Number(document.body.dataset.refresh);
  const pause = byId("pause");
  if (seconds && pause) {
    let paused = kept("sessionStorage", "flwr-telemetry-paused") === "yes";
    const showPause = () => { pause.textContent = paused ? "Go on" : "Pause"; };
    showPause();
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      keep("sessionStorage", "flwr-telemetry-paused", paused ? "yes" : "no");
      showPause();
    });
    setInterval(() => {
      if (!paused && !document.hidden) location.reload();
    }, seconds * 1000);
  }
})();
