// Starts `nnc lsp` and connects it with the editor.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function activate() {
  const command = workspace.getConfiguration("nn").get("command");
  client = new LanguageClient("nn", "nn", { command, args: ["lsp"] }, { documentSelector: [{ language: "nn" }] });
  return client.start();
}

function deactivate() {
  return client && client.stop();
}

module.exports = { activate, deactivate };
