// Curves over steps, drawn by uPlot in the colours of the page.

import { element } from "./dom.js";

const NAMES = ["blue", "orange", "teal", "purple", "red", "gray"];

export function color(number) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${NAMES[number % NAMES.length]}`).trim();
}

function quiet(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function tick(value) {
  const size = Math.abs(value);
  return value && (size < 1e-3 || size >= 1e5) ? value.toExponential(0) : String(Number(value.toPrecision(6)));
}

// Marks the first steps of stages, the steps of findings and the one under the pointer.
function marks(borders, findings) {
  return {
    hooks: {
      draw: [(plot) => {
        const context = plot.ctx;
        context.save();
        context.lineWidth = 1;
        for (const [steps, style] of [[borders, quiet("quiet")], [findings, quiet("red")]]) {
          context.strokeStyle = style;
          context.setLineDash([3, 4]);
          for (const step of steps) {
            const x = Math.round(plot.valToPos(step - 0.5, "x", true)) + 0.5;
            if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue;
            context.beginPath();
            context.moveTo(x, plot.bbox.top);
            context.lineTo(x, plot.bbox.top + plot.bbox.height);
            context.stroke();
          }
        }
        context.restore();
      }],
    },
  };
}

// series: [{label, steps, values, points?}]. Several runs may have other steps, so they are joined.
export function chart({ title, series, top = null, borders = [], findings = [], choose = null }) {
  const holder = element("div", { class: "card chart", role: "img", "aria-label": title });
  const parts = series.map((one) => [one.steps, one.values.map((v) => (Number.isFinite(v) ? v : null))]);
  const data = parts.length ? uPlot.join(parts) : [[], []];
  const axis = { stroke: quiet("quiet"), grid: { stroke: quiet("grid"), width: 1 }, ticks: { show: false } };
  const options = {
    title,
    width: 380,
    height: 210,
    cursor: { sync: { key: "steps" } },
    scales: { x: { time: false }, y: { range: (_, low, high) => {
      const least = Math.min(0, low ?? 0);
      const most = Math.max(top ?? (high ?? 1), high ?? 1);
      return [least, most === least ? least + 1 : most];
    } } },
    axes: [axis, { ...axis, size: 56, values: (_, ticks) => ticks.map(tick) }],
    series: [{ label: "step" }, ...series.map((one, number) => ({
      label: one.label,
      stroke: color(one.color ?? number),
      width: one.points ? 0 : 1.6,
      points: { show: Boolean(one.points), size: 7, fill: color(one.color ?? number) },
      spanGaps: false,
    }))],
    plugins: [marks(borders, findings)],
  };
  requestAnimationFrame(() => {
    if (!holder.isConnected) return;
    const plot = new uPlot(options, data, holder);
    const fit = () => plot.setSize({ width: Math.max(220, holder.clientWidth - 34), height: 210 });
    fit();
    new ResizeObserver(fit).observe(holder);
    if (choose) plot.over.addEventListener("dblclick", () => choose(plot.data[0][plot.cursor.idx]));
  });
  return holder;
}
