/**
 * Preflight of every npm script: one clear line instead of a stack trace when Node is too old.
 *
 * The repository brings its own Node as an optional dependency, and npm puts node_modules/.bin first, so this passes
 * on any system Node where that package exists. ES5 and CommonJS on purpose: it must load wherever npm does.
 */
"use strict";

/** Oldest Node that runs TypeScript source directly and knows `import.meta.main`. The library itself is content with 22.22.3, see its package.json. */
var OLDEST = [24, 2];

/** Null when `version` ("24.2.0") will do; else what to tell the user. */
function complaintAbout(version) {
  var parts = version.split(".").map(Number);
  if (parts[0] > OLDEST[0] || (parts[0] === OLDEST[0] && parts[1] >= OLDEST[1])) return null;
  return [
    "This repository needs Node " + OLDEST.join(".") + " or newer, this is " + version + ".",
    "`npm ci` installs one for Linux (x64, arm64) and Windows (x64);",
    "elsewhere, or with optional dependencies left out, install it yourself.",
  ].join(" ");
}

exports.complaintAbout = complaintAbout;

if (require.main === module) {
  var complaint = complaintAbout(process.versions.node);
  if (complaint !== null) {
    console.error(complaint);
    process.exit(1);
  }
}
