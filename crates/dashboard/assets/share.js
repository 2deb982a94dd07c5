// The canary's share of traffic over time: filled as observed at the gateway, a dashed line as wanted.
const WIDTH = 600;
const HEIGHT = 110;
const NAMESPACE = "http://www.w3.org/2000/svg";

const x = (index, count) => (count < 2 ? 0 : (index / (count - 1)) * WIDTH);
const y = (share) => HEIGHT - 5 - (Math.min(100, share) / 100) * (HEIGHT - 10);

function path(attributes) {
  const made = document.createElementNS(NAMESPACE, "path");
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Draws `shares`, oldest first: `[{wanted, observed}]` in percent. */
export function drawShare(svg, shares) {
  const line = (key) => shares.map((share, index) => `${index === 0 ? "M" : "L"}${x(index, shares.length).toFixed(1)},${y(share[key]).toFixed(1)}`).join("");
  svg.replaceChildren(
    path({ d: `${line("observed")}L${WIDTH},${HEIGHT}L0,${HEIGHT}Z`, fill: "var(--canary)", "fill-opacity": "0.35" }),
    path({ d: line("wanted"), fill: "none", stroke: "var(--text)", "stroke-width": "1.5", "stroke-dasharray": "6 4", "vector-effect": "non-scaling-stroke" }),
  );
}
