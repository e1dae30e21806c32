// The package's entry: everything that the addon exports, which native.js loads.
"use strict";
module.exports = require("./native.js");
