// Plots the figures: fills in the colours of the style sheet, picks the wide or the narrow layout, plots them again on a new theme, width or print.
// Not here: any number or colour of its own.
(() => {
  const root = document.documentElement;
  const SETTINGS = { displayModeBar: false, scrollZoom: false, doubleClick: false, responsive: false };
  const PRINT = { zoom: 0.8, full: 856, half: 404 }; // A4 less its margins, in CSS pixels, over the zoom
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const template = read("template");
  const figures = new Map([...document.querySelectorAll(".plot")].map((box) => [box, { spec: null, plotted: 0 }]));
  let printing = false;

  const coloured = (value, styles) => {
    if (typeof value === "string") {
      return value.includes("var(") ? value.replace(/var\((--[\w-]+)\)/g, (_, name) => styles.getPropertyValue(name).trim()) : value;
    }
    if (Array.isArray(value)) return value.length > 2 && value.every((v) => typeof v === "number") ? value : value.map((v) => coloured(v, styles));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner, styles)]));
    }
    return value;
  };
  const form = (box, width) => (width < Number(box.dataset.below) ? "narrow" : "wide");
  const reserve = (box, width) => (box.style.minHeight = `${box.dataset[form(box, width)]}px`);
  const plot = (box) => {
    box.style.zoom = printing ? PRINT.zoom : "";
    const width = printing ? (box.closest(".pair") ? PRINT.half : PRINT.full) : box.clientWidth;
    const styles = getComputedStyle(root);
    const figure = figures.get(box);
    figure.spec ??= read(box.dataset.figure); // a figure is parsed when it is plotted, not before
    const chart = coloured(figure.spec[form(box, width)], styles);
    chart.layout.template = coloured(template, styles);
    chart.layout.width = width;
    reserve(box, width);
    Plotly.react(box, chart.data, chart.layout, SETTINGS);
    figure.plotted = width;
  };
  const plotted = () => [...figures.keys()].filter((box) => figures.get(box).plotted);
  const replot = () => plotted().forEach(plot);

  // The first figure at once, the rest when near the window or when the browser has time.
  const near = new IntersectionObserver((entries) => entries.forEach((e) => e.isIntersecting && !figures.get(e.target).plotted && plot(e.target)), {
    rootMargin: "500px",
  });
  const later = (work) => (window.requestIdleCallback ? requestIdleCallback(work, { timeout: 800 }) : setTimeout(work, 50));
  const rest = () => {
    const next = [...figures.keys()].find((box) => !figures.get(box).plotted);
    if (!next) {
      root.dataset.all = Math.round(performance.now());
      return;
    }
    plot(next);
    later(rest);
  };
  try {
    const kept = localStorage.getItem("trine-theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch {} // a page from a file may have no storage; the theme then lasts as long as the page
  const widths = [...figures.keys()].map((box) => box.clientWidth); // read all, then write all: one layout
  [...figures.keys()].forEach((box, i) => reserve(box, widths[i]));
  const [first] = figures.keys();
  if (first) plot(first);
  root.dataset.first = Math.round(performance.now());
  for (const box of figures.keys()) near.observe(box);
  later(rest);

  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => plotted().forEach((box) => box.clientWidth !== figures.get(box).plotted && plot(box)), 120);
  });

  const button = document.getElementById("theme");
  const NEXT = { system: "light", light: "dark", dark: "system" };
  const remember = (theme) => {
    try {
      localStorage.setItem("trine-theme", theme);
    } catch {}
  };
  const apply = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    replot();
  };
  button.addEventListener("click", () => {
    const theme = NEXT[root.dataset.theme ?? "system"];
    remember(theme);
    apply(theme);
  });
  button.textContent = `Theme: ${root.dataset.theme ?? "system"}`;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", replot);

  let before;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.dataset.theme = "light";
    printing = true;
    [...figures.keys()].forEach(plot);
  });
  addEventListener("afterprint", () => {
    printing = false;
    if (before) root.dataset.theme = before;
    else delete root.dataset.theme;
    replot();
  });
})();
