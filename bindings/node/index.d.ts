export * from "./native.js"
