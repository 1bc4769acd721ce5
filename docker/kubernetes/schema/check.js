// Usage: node check.js FILE.yaml...
// Validates Kubernetes manifests against the API's schemas; an unknown key is an error too.
// Exit code 77: the packages with the schemas are not installed.
"use strict";
const fs = require("fs");
if (!fs.existsSync(`${__dirname}/node_modules`)) {
  console.log("SKIPPED: npm's registry cannot be reached");
  process.exit(77);
}
const { parseAllDocuments } = require("yaml");
const schemas = require("@kubernetes-models/validate");

// Schemas are registered when first used. As shipped they accept unknown keys, and so misspelt ones.
const register = schemas.register;
schemas.register = (id, schema) => register(id, closed(schema));

function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  if (schema.type === "object" && schema.properties && !("additionalProperties" in schema)) {
    copy.additionalProperties = false;
  }
  return copy;
}

function problems(document) {
  if (document.errors.length) return document.errors.map(String);
  const manifest = document.toJS();
  if (!["v1", "apps/v1"].includes(manifest.apiVersion)) return [`apiVersion ${manifest.apiVersion} is not judged here`];
  const Kind = require(`kubernetes-models/${manifest.apiVersion}`)[manifest.kind];
  if (!Kind) return [`${manifest.apiVersion} knows no ${manifest.kind}`];
  try {
    new Kind(manifest).validate();
    return [];
  } catch (error) {
    return error.errors.map(({ instancePath, message, params }) =>
      [manifest.kind + instancePath, message, params.additionalProperty].join(" ").trim());
  }
}

let judged = 0;
let wrong = 0;
for (const file of process.argv.slice(2)) {
  for (const document of parseAllDocuments(fs.readFileSync(file, "utf8"))) {
    for (const problem of problems(document)) {
      console.log(`${file}: ${problem}`);
      wrong += 1;
    }
    judged += 1;
  }
}
console.log(`${judged} manifests, ${wrong} problems`);
process.exit(wrong === 0 && judged > 0 ? 0 : 1);
