// Reads the agent's JSON every few seconds and draws three tables.  Names come from pods and are hostile: they only ever become
// text (textContent), never markup.  Paths are relative, so that the page also works behind the API server's proxy.
"use strict";

const POLL_MS = 5000;
const SPARK_POINTS = 60;
const byId = (id) => document.getElementById(id);
const state = { sort: "cost", descending: true, history: new Map(), lastPoll: 0, force: null };
const PROBLEMS = ["cannot_decrypt", "bytes_lost", "missed_start", "not_selected", "readable"];

// ------------------------------------------------------------------------------------------------------------------ texts

function dollars(text) {
  const value = Number(text);
  if (value === 0) return "$0.00";
  if (value < 0.01) return "$" + value.toLocaleString("en", { maximumSignificantDigits: 3, useGrouping: false, maximumFractionDigits: 9 });
  return value.toLocaleString("en", { style: "currency", currency: "USD", maximumFractionDigits: value < 100 ? 4 : 2 });
}
const count = (number) => number.toLocaleString("en");
const sum = (tokens) => Object.values(tokens).reduce((all, one) => all + one, 0);
const clock = (at) => new Date(at).toLocaleTimeString("en", { hour12: false });
const words = (text) => text.replaceAll("_", " ");
const who = (row) => row.pod || row.workload;

function seconds(value) {
  return value < 1 ? Math.round(value * 1000) + " ms" : value.toFixed(1) + " s";
}

// --------------------------------------------------------------------------------------------------------------- elements

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function cell(text, sub, className) {
  const made = element("td", text, className);
  if (sub) made.append(element("span", sub, "sub"));
  return made;
}

function heading(text, sub) {
  const made = element("th", text);
  made.scope = "row";
  if (sub) made.append(element("span", sub, "sub"));
  return made;
}

function fill(name, rows) {
  byId(name + "-rows").replaceChildren(...rows);
  byId(name + "-empty").hidden = rows.length > 0;
  byId(name + "-rows").closest(".scroll").hidden = rows.length === 0;
}

function sparkline(points, label) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 100 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  if (points.length > 1) {
    const top = Math.max(...points) || 1;
    const path = document.createElementNS(space, "path");
    // A minute fills it at first; from then on it shows what it has, up to five.
    const step = 100 / Math.max(points.length - 1, 11);
    const start = 100 - step * (points.length - 1);
    path.setAttribute("d", points.map((one, at) => `${at ? "L" : "M"}${(start + at * step).toFixed(1)} ${(19 - (18 * one) / top).toFixed(1)}`).join(""));
    svg.append(path);
  }
  return svg;
}

// ----------------------------------------------------------------------------------------------------------------- tables

const SORTS = {
  pod: (row) => row.namespace + "/" + who(row),
  workload: (row) => row.workload_kind + "/" + row.workload,
  team: (row) => row.team,
  cost: (row) => Number(row.cost_usd),
  calls: (row) => row.calls,
  tokens: (row) => sum(row.tokens),
  errors: (row) => row.errors,
  last: (row) => Date.parse(row.last_call_at),
};

const keyOf = (row) => [row.namespace, row.workload_kind, row.workload, row.pod].join("\n");

function remember(workloads, now) {
  const minutes = (now - state.lastPoll) / 60000;
  const alive = new Set();
  for (const row of workloads) {
    const key = keyOf(row);
    alive.add(key);
    const cost = Number(row.cost_usd);
    const known = state.history.get(key) ?? { cost: state.lastPoll ? 0 : cost, points: [] };
    if (state.lastPoll) known.points.push(Math.max(cost - known.cost, 0) / minutes);
    if (known.points.length > SPARK_POINTS) known.points.shift();
    known.cost = cost;
    state.history.set(key, known);
  }
  for (const key of state.history.keys()) if (!alive.has(key)) state.history.delete(key);
  state.lastPoll = now;
}

function costCell(row) {
  if (row.unpriced_calls === 0) return cell(dollars(row.cost_usd), "", "number");
  const unknown = `${count(row.unpriced_calls)} unpriced`;
  return Number(row.cost_usd) === 0 ? cell("not known", unknown, "number") : cell("≥ " + dollars(row.cost_usd), unknown, "number");
}

// Calls that told no usage have no tokens to show, which is not 0.
const tokensCell = (tokens, unknown) => cell(unknown && !Object.keys(tokens).length ? "–" : count(sum(tokens)), "", "number");
const TOLD = ["reported", "not_applicable"];

function drawSpend() {
  const value = SORTS[state.sort];
  const sign = state.descending ? -1 : 1;
  const rows = [...state.workloads].sort((one, two) => sign * (value(one) < value(two) ? -1 : value(one) > value(two) ? 1 : 0));
  fill("spend", rows.map((row) => {
    const made = element("tr");
    // What has no price has no rate either: a flat line would say $0.
    const known = Number(row.cost_usd) > 0 || row.unpriced_calls === 0;
    const points = known ? (state.history.get(keyOf(row))?.points ?? []) : [];
    const rate = points.length ? `${dollars(points.at(-1))} a minute now` : "no rate yet";
    const spark = element("td");
    spark.append(sparkline(points, rate));
    made.append(
      heading(who(row), row.namespace), cell(row.workload, row.workload_kind), cell(row.team || "–"), costCell(row), spark,
      cell(count(row.calls), "", "number"), tokensCell(row.tokens, row.unpriced_calls > 0),
      cell(count(row.errors), "", row.errors ? "number bad-word" : "number"), cell(clock(row.last_call_at), "", "number"),
    );
    return made;
  }));
}

function drawCalls(calls) {
  fill("call", calls.map((call) => {
    const made = element("tr");
    const model = call.served_model || call.requested_model || "not stated";
    const fine = call.outcome === "ok";
    const first = call.time_to_first_token_seconds;
    made.append(
      heading(clock(call.at)), cell(call.pod || call.workload, call.namespace), cell(call.provider, call.api),
      cell(model, call.tool_calls.length ? "asks for " + call.tool_calls.join(", ") : call.operation),
      cell(words(call.outcome) + (fine ? "" : ` (${call.status || "no answer"})`), call.retry_count ? `retry ${call.retry_count}` : "", fine ? "" : "bad-word"),
      tokensCell(call.tokens, !TOLD.includes(call.evidence)),
      call.cost_usd === undefined ? cell(words(call.unpriced), "", "number") : cell(dollars(call.cost_usd), "", "number"),
      cell(seconds(call.duration_seconds), first === null ? "" : "first " + seconds(first), "number"),
      cell(words(call.evidence), call.lost_bytes ? count(call.lost_bytes) + " bytes lost" : ""),
    );
    return made;
  }));
}

function drawCoverage(pods) {
  const all = pods.flatMap((pod) => pod.processes.map((process) => ({ pod, process })));
  all.sort((one, two) => PROBLEMS.indexOf(one.process.reason) - PROBLEMS.indexOf(two.process.reason));
  const readable = all.filter(({ process }) => process.reason === "readable").length;
  byId("coverage-sum").textContent = all.length ? `${count(readable)} of ${count(all.length)} processes that use TLS can be read.` : "";
  fill("coverage", all.slice(0, 200).map(({ pod, process }) => {
    const made = element("tr");
    const good = process.reason === "readable";
    const tone = good ? "good-word" : process.reason === "not_selected" ? "" : "bad-word";
    made.append(
      heading(pod.pod || pod.workload, pod.namespace), cell(process.name, "pid " + process.pid), cell(words(process.reason), "", tone),
      cell([process.detail, process.remedy].filter(Boolean).join(" → ") || "nothing to do", process.library ?? ""),
    );
    return made;
  }));
}

// ---------------------------------------------------------------------------------------------------------------- summary

function banner(text, tone) {
  const place = byId("banner");
  place.hidden = !text;
  place.className = "banner " + tone;
  // Said once: a live region speaks whenever its text changes.
  if (place.textContent !== text) place.textContent = text;
}

function drawSummary(summary) {
  const { capture, totals } = summary;
  byId("where").textContent = [summary.node, summary.cluster].filter(Boolean).join(" · ");
  document.title = `${dollars(totals.cost_usd)} · ${summary.node} · podtab`;
  const blind = totals.calls === 0 && !capture.in_force;
  byId("cost").textContent = blind ? "not known" : (totals.unpriced_calls ? "≥ " : "") + dollars(totals.cost_usd);
  byId("since").textContent = "since " + new Date(summary.started_at).toLocaleString("en", { dateStyle: "medium", timeStyle: "short", hour12: false });
  byId("calls").textContent = count(totals.calls);
  byId("unpriced").textContent = totals.unpriced_calls ? count(totals.unpriced_calls) + " without a known price" : totals.calls ? "all priced or free" : "none seen yet";
  byId("tokens").textContent = count(totals.tokens);
  byId("capture").textContent = capture.in_force ? "in force" : "not in force";
  byId("capture").className = capture.in_force ? "" : "bad-word";
  const slow = capture.sites.single_stepped;
  byId("libraries").textContent = `${count(capture.libraries.probed)} libraries probed` +
    (capture.libraries.failed ? `, ${count(capture.libraries.failed)} failed` : "") + (slow ? `, ${count(slow)} slow sites` : "");
  byId("footer").textContent = `podtab ${summary.version}, price book ${summary.price_book}. Amounts are US dollars. ` +
    "A call without a known price is counted as unpriced, never as $0.";
  if (!capture.in_force) banner(`Capture is not in force: calls are not being counted. ${capture.reason}`, "bad");
  else banner("", "");
}

async function read(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}`);
  return answer.json();
}

async function poll() {
  try {
    const [summary, calls, coverage] = await Promise.all([
      read("api/v1/summary"), read("api/v1/calls?limit=50"), read("api/v1/coverage"),
    ]);
    state.workloads = summary.workloads;
    remember(summary.workloads, Date.now());
    drawSummary(summary);
    drawSpend();
    drawCalls(calls.calls);
    drawCoverage(coverage.pods);
  } catch (error) {
    banner(`The agent does not answer (${error.message}). The figures below are old; trying again.`, "warn");
  }
  setTimeout(poll, POLL_MS);
}

for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => {
    const name = button.dataset.sort;
    state.descending = state.sort === name ? !state.descending : !["pod", "workload", "team"].includes(name);
    state.sort = name;
    for (const other of document.querySelectorAll("[data-sort]")) other.parentElement.setAttribute("aria-sort", "none");
    button.parentElement.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
    byId("said").textContent = `Sorted by ${button.textContent}, ${state.descending ? "descending" : "ascending"}`;
    if (state.workloads) drawSpend();
  });
}
poll();
