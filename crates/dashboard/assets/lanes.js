// Requests as dots that flow into one lane a version. Shape tells the outcome, so colour is never needed to read it.
const FLIGHT_MS = 2200;
const DOTS_MAX = 500;
const LANE_HEIGHT = 56;

export class Lanes {
  #canvas;
  #dots = [];
  #lanes = [];
  #seen = new Map();

  constructor(canvas) {
    this.#canvas = canvas;
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) requestAnimationFrame((now) => this.#frame(now));
  }

  /** Takes the versions of a snapshot; what was counted since the last one becomes dots. */
  add(versions) {
    this.#lanes = versions.map((version) => ({ hash: version.hash, label: `${version.role} ${version.image}`, colour: version.colour ?? "gray" }));
    const now = performance.now();
    for (const version of versions) {
      const before = this.#seen.get(version.hash);
      this.#seen.set(version.hash, { requests: version.requests, failed: version.failed, slow: version.slow });
      if (before) this.#launch(version, before, now);
    }
  }

  #launch(version, before, now) {
    const count = Math.min(version.requests - before.requests, DOTS_MAX);
    const failed = version.failed - before.failed;
    const slow = version.slow - before.slow;
    for (let index = 0; index < count; index += 1) {
      const outcome = index < failed ? "failed" : index < failed + slow ? "slow" : "ok";
      this.#dots.push({ hash: version.hash, outcome, start: now + (index / count) * 500, jitter: ((index * 0.618) % 1) - 0.5 });
    }
    if (this.#dots.length > DOTS_MAX) this.#dots.splice(0, this.#dots.length - DOTS_MAX);
  }

  #frame(now) {
    requestAnimationFrame((next) => this.#frame(next));
    const canvas = this.#canvas;
    const ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    if (canvas.width !== width * ratio) { canvas.width = width * ratio; canvas.height = 180 * ratio; }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, 180);
    const ink = getComputedStyle(canvas).color;
    this.#lanes.forEach((lane, index) => this.#lane(pen, lane, index, width, ink));
    this.#dots = this.#dots.filter((dot) => now - dot.start < FLIGHT_MS);
    for (const dot of this.#dots) this.#dot(pen, dot, now, width, ink);
  }

  #laneY(index) {
    return 34 + index * LANE_HEIGHT;
  }

  #lane(pen, lane, index, width, ink) {
    const y = this.#laneY(index);
    pen.globalAlpha = 0.14;
    pen.fillStyle = lane.colour;
    pen.fillRect(width * 0.4, y - 22, width * 0.6, 44);
    pen.globalAlpha = 1;
    pen.fillStyle = ink;
    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.fillText(lane.label, width - 8, y - 9);
  }

  #dot(pen, dot, now, width, ink) {
    const index = this.#lanes.findIndex((lane) => lane.hash === dot.hash);
    const along = (now - dot.start) / FLIGHT_MS;
    if (index < 0 || along < 0) return;
    const bend = Math.min(1, along / 0.4);
    const ease = bend * bend * (3 - 2 * bend);
    const from = this.#laneY((this.#lanes.length - 1) / 2);
    const x = along * width;
    const y = from + (this.#laneY(index) - from) * ease + dot.jitter * 26;
    pen.strokeStyle = ink;
    pen.fillStyle = this.#lanes[index].colour;
    pen.lineWidth = 1;
    pen.beginPath();
    if (dot.outcome === "failed") {
      pen.lineWidth = 2;
      pen.moveTo(x - 4, y - 4); pen.lineTo(x + 4, y + 4);
      pen.moveTo(x + 4, y - 4); pen.lineTo(x - 4, y + 4);
      pen.stroke();
      return;
    }
    pen.arc(x, y, dot.outcome === "slow" ? 4.5 : 3.5, 0, Math.PI * 2);
    if (dot.outcome === "slow") pen.stroke();
    else pen.fill();
  }
}
