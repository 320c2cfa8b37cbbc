// Starts `cimspec lsp` and connects it to the editor; all that is known about the language is in the server.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

/** @type {LanguageClient | undefined} */
let client;

/** Starts the server with the command of the settings. */
async function start() {
  const [command, ...args] = vscode.workspace.getConfiguration("cimspec").get("command", ["cimspec", "lsp"]);
  client = new LanguageClient(
    "cimspec",
    "cimspec",
    { command, args },
    {
      documentSelector: [{ scheme: "file", language: "cim" }],
      synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher("**/*.cim") },
    },
  );
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    const choice = await vscode.window.showErrorMessage(
      `cimspec: the language server does not start (${error}). Install it with: pip install 'cimspec[lsp]'`,
      "Open settings",
    );
    if (choice) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "cimspec.command");
    }
  }
}

/** Stops the server, if it runs. */
async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

/** @param {import("vscode").ExtensionContext} context */
async function activate(context) {
  const restart = async () => {
    await stop();
    await start();
  };
  context.subscriptions.push(
    vscode.commands.registerCommand("cimspec.restart", restart),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("cimspec.command")) {
        await restart();
      }
    }),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
