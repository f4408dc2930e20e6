// Shows /openapi.json. All text goes in as text, never as HTML.
"use strict";

const make = (name, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...children);
  return element;
};

const nameOf = (reference) => reference.split("/").pop();

// A schema in one line, with links to the named ones.
const brief = (schema) => {
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    return [make("a", { href: `#schema-${name}` }, name)];
  }
  const among = schema.anyOf || schema.oneOf;
  if (among) return among.flatMap((one, place) => (place ? [" or ", ...brief(one)] : brief(one)));
  if (schema.allOf) return schema.allOf.flatMap((one, place) => (place ? [" and ", ...brief(one)] : brief(one)));
  if ("const" in schema) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((word) => JSON.stringify(word)).join(", ")];
  if (schema.items) return ["list of ", ...brief(schema.items), bounds(schema)];
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type || "any JSON";
  if (schema.properties) {
    const fields = Object.keys(schema.properties).join(", ");
    return [fields ? `object with ${fields}` : "empty object"];
  }
  return [type, bounds(schema)];
};

const bounds = (schema) => {
  const told = [];
  if (schema.format) told.push(schema.format);
  const range = (least, most, unit) => {
    if (least === undefined && most === undefined) return;
    told.push(`${least ?? 0} to ${most ?? "…"}${unit}`);
  };
  range(schema.minimum, schema.maximum, "");
  range(schema.minLength, schema.maxLength, " characters");
  range(schema.minItems, schema.maxItems, " items");
  if (schema.default !== undefined) told.push(`unset: ${schema.default}`);
  return told.length ? ` (${told.join("; ")})` : "";
};

const table = (heads, rows) => {
  const cell = (name) => (content) => make(name, {}, ...[content].flat());
  const body = rows.map((row) => make("tr", {}, ...row.map(cell("td"))));
  return make("table", {}, make("thead", {}, make("tr", {}, ...heads.map(cell("th")))), make("tbody", {}, ...body));
};

// A value that fits a schema, with the fields that must be there.
const sample = (schema, all, depth = 0) => {
  if (depth > 8) return null;
  if (schema.$ref) return sample(all[nameOf(schema.$ref)], all, depth + 1);
  if (schema.examples) return schema.examples[0];
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  const among = schema.anyOf || schema.oneOf;
  if (among) return sample(among[0], all, depth + 1);
  if (schema.format === "uuid") return "0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11";
  const type = [schema.type].flat()[0];
  if (type === "object") {
    const names = schema.required || [];
    return Object.fromEntries(names.map((name) => [name, sample(schema.properties[name], all, depth + 1)]));
  }
  if (type === "array") return [sample(schema.items, all, depth + 1)];
  if (type === "integer" || type === "number") return schema.minimum ?? 1;
  if (type === "boolean") return true;
  return type === "string" ? "mail" : {};
};

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const call = (method, path, operation, all) => {
  const given = (place) => (operation.parameters || []).filter((one) => one.in === place && one.required);
  let address = path;
  for (const one of given("path")) {
    address = address.replace(`{${one.name}}`, encodeURIComponent(sample(one.schema, all)));
  }
  const query = given("query").map((one) => `${one.name}=${encodeURIComponent(sample(one.schema, all))}`);
  if (query.length) address += `?${query.join("&")}`;
  // A stream is shown as it comes.
  const streams = Object.values(operation.responses).some((answer) => answer.content?.["text/event-stream"]);
  const words = ["curl", streams ? "-sN" : "-s"];
  if (method !== "get") words.push("-X", method.toUpperCase());
  words.push(quoted(location.origin + address));
  const [type, body] = Object.entries(operation.requestBody?.content || {})[0] || [];
  // Where a body may be left out, one that the document gives is the careful choice: it only counts.
  const careful = type && (all[nameOf(body.schema.$ref || "")]?.examples || type !== "application/json");
  if (type && (operation.requestBody.required || careful)) {
    const value = sample(body.schema, all);
    const text = type === "application/json" ? JSON.stringify(value) : value;
    words.push("-H", quoted(`content-type: ${type}`), "-d", quoted(text));
  }
  return words.join(" ");
};

const copyable = (text) => {
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  });
  return [make("pre", {}, text), button];
};

const contentOf = (answer) => {
  const [type, content] = Object.entries(answer.content || {})[0] || [];
  return type ? [`${type}: `, ...brief(content.schema)] : "no body";
};

const route = (path, method, operation, all) => {
  const summary = make("summary", {}, make("b", {}, method.toUpperCase()), make("code", {}, path), " ");
  summary.append(make("span", {}, operation.summary));
  const shown = make("details", {}, summary);
  const parameters = operation.parameters || [];
  if (parameters.length) {
    const rows = parameters.map((one) => [
      make("code", {}, one.name),
      `${one.in}${one.required ? ", needed" : ""}`,
      brief(one.schema),
      one.description || "",
    ]);
    shown.append(make("h3", {}, "Parameters"), table(["name", "in", "takes", ""], rows));
  }
  if (operation.requestBody) {
    const needed = operation.requestBody.required ? "" : ", may be left out";
    shown.append(make("h3", {}, `Body${needed}`), make("p", {}, ...contentOf(operation.requestBody)));
  }
  const answers = Object.entries(operation.responses).map(([status, one]) => [status, one.description, contentOf(one)]);
  shown.append(make("h3", {}, "Answers"), table(["status", "", "body"], answers));
  shown.append(make("h3", {}, "Try it"), ...copyable(call(method, path, operation, all)));
  return shown;
};

const schemaShown = ([name, schema]) => {
  const shown = make("details", { id: `schema-${name}` }, make("summary", {}, make("code", {}, name)));
  if (schema.description) shown.append(make("p", {}, schema.description));
  shown.append(make("p", {}, ...brief(schema)));
  for (const part of [schema, ...(schema.allOf || []), ...(schema.oneOf || [])]) {
    const fields = Object.entries(part.properties || {});
    if (!fields.length) continue;
    const needed = (field) => ((part.required || []).includes(field) ? "yes" : "");
    const rows = fields.map(([field, one]) => [
      make("code", {}, field), needed(field), brief(one), one.description || "",
    ]);
    shown.append(table(["field", "always", "is", ""], rows));
  }
  return shown;
};

// A link to a schema opens it.
const open = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) target.open = true;
};

const show = async () => {
  const about = document.getElementById("about");
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const api = await answer.json();
  const all = api.components.schemas;
  about.textContent = `Version ${api.info.version}. ${api.info.description}`;
  const routes = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => route(path, method, operation, all)));
  document.getElementById("routes").append(...routes);
  document.getElementById("schemas").append(...Object.entries(all).map(schemaShown));
  document.getElementById("wanted").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/);
    for (const one of routes) {
      const text = one.querySelector("summary").textContent.toLowerCase();
      one.hidden = !words.every((word) => text.includes(word));
    }
  });
  window.addEventListener("hashchange", open);
  open();
};

show().catch((error) => {
  document.getElementById("about").textContent = `The document cannot be shown: ${error.message}.`;
});
