// The page: takes a snapshot from the stream, draws it, and sends what the buttons ask for.
import { Lanes } from "./lanes.js";
import { drawShare } from "./share.js";

const find = (id) => document.getElementById(id);
const lanes = new Lanes(find("lanes"));
const shares = [];
const SHARES_MAX = 600;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function fill(parent, children) {
  parent.replaceChildren(...children);
}

const percent = (share) => (share === null || share === undefined ? "–" : `${(share * 100).toFixed(1)} %`);
const millis = (value) => (value === null || value === undefined ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);

function row(cells) {
  const made = element("tr");
  for (const cell of cells) {
    const data = element("td");
    data.append(cell instanceof Node ? cell : document.createTextNode(cell));
    made.append(data);
  }
  return made;
}

function versionName(version) {
  const name = element("span");
  const swatch = element("span", undefined, "swatch");
  swatch.style.background = version.colour ?? "transparent";
  name.append(swatch, `${version.role} · ${version.image}`);
  return name;
}

function drawVersions(versions, counted) {
  fill(find("versions").tBodies[0], versions.map((version) => row([
    versionName(version),
    `${version.readyPods}/${version.pods}`,
    version.weight === null ? "–" : `${version.weight} %`,
    percent(version.observedShare),
    counted ? version.requestsPerSecond.toFixed(1) : "–",
    percent(version.errorShare),
    millis(version.p50Milliseconds),
    millis(version.p95Milliseconds),
    counted ? `${version.failed} of ${version.requests}` : "–",
  ])));
}

function drawSteps(steps) {
  fill(find("steps"), steps.map((step) => {
    const item = element("li", step.label);
    item.dataset.state = step.state;
    return item;
  }));
}

function drawAnalysis(metrics) {
  fill(find("analysis").tBodies[0], metrics.map((metric) => row([
    metric.name, element("span", metric.phase, metric.phase), metric.value ?? "–", metric.condition ?? "–",
    String(metric.successful), String(metric.failed), metric.run,
  ])));
}

function decisionItem(decision) {
  const item = element("li", undefined, decision.type);
  const time = element("time", new Date(decision.at).toLocaleTimeString());
  time.dateTime = decision.at;
  item.append(time, element("b", decision.reason), ` ${decision.message}`);
  const evidence = Object.entries(decision.evidence ?? {});
  if (evidence.length > 0) {
    item.append(element("span", evidence.map(([key, value]) => `${key}: ${value}`).join(" · "), "evidence"));
  }
  return item;
}

function drawButtons(rollout) {
  const enabled = new Set(rollout.actions);
  for (const button of find("actions").querySelectorAll("button")) {
    button.disabled = !enabled.has(button.dataset.action);
  }
}

function drawReleases(releases) {
  const holder = find("releases");
  if (holder.childElementCount === releases.length) return;
  fill(holder, releases.map((release) => {
    const button = element("button", release.label);
    button.type = "button";
    button.dataset.release = release.name;
    button.addEventListener("click", () => send("api/v1/releases", { name: release.name }, button));
    return button;
  }));
}

function draw(snapshot) {
  const { rollout, versions } = snapshot;
  const sentence = find("sentence");
  sentence.textContent = snapshot.sentence;
  sentence.className = rollout.phase;
  drawReleases(snapshot.releases);
  drawButtons(rollout);
  drawSteps(rollout.steps);
  drawVersions(versions, snapshot.counted);
  for (const part of document.querySelectorAll("[data-needs=requests]")) part.hidden = !snapshot.counted;
  drawAnalysis(snapshot.metrics);
  fill(find("decisions"), snapshot.decisions.map(decisionItem));
  lanes.add(versions);
  const canary = versions.find((version) => version.role === "canary");
  shares.push({ wanted: rollout.weight ?? 0, observed: canary ? (canary.observedShare ?? 0) * 100 : 0 });
  if (shares.length > SHARES_MAX) shares.shift();
  drawShare(find("share"), shares);
}

async function send(path, body, button) {
  const answer = find("answer");
  answer.textContent = "";
  button.disabled = true;
  try {
    const reply = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!reply.ok) answer.textContent = (await reply.json()).error ?? `The server answered ${reply.status}`;
  } catch (error) {
    answer.textContent = `Ringfence did not answer: ${error.message}`;
  } finally {
    button.disabled = false;
  }
}

for (const button of find("actions").querySelectorAll("button")) {
  button.addEventListener("click", () => send(`api/v1/actions/${button.dataset.action}`, {}, button));
}

function connection(state, text) {
  const chip = find("connection");
  chip.dataset.state = state;
  chip.textContent = text;
}

const stream = new EventSource("api/v1/stream");
stream.addEventListener("open", () => connection("live", "live"));
stream.addEventListener("error", () => connection("lost", "connection lost, trying again"));
stream.addEventListener("message", (event) => draw(JSON.parse(event.data)));
