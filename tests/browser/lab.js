// Starts the lab and finds its page, or uses a lab that already runs.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
// The first start may compile everything.
const START_LIMIT_MS = 15 * 60 * 1000;
const STOP_LIMIT_MS = 10 * 1000;

/**
 * Returns the page's address, and a function that stops the lab if this function started it. Then it also returns the account, and the
 * address of its LiveEngage: `domainApi` without TLS, and with the option `--tls` also `tls`, which has the bare `host` and the file of the
 * certificate authority.
 */
export async function openLab(givenUrl, options = []) {
  if (givenUrl) return { url: givenUrl, stop: async () => {} };
  const binary = process.env.LAB_BINARY;
  const [command, args] = binary ? [binary, ["lab", ...options]] : ["cargo", ["run", "--quiet", "--", "lab", ...options]];
  // Use a separate process group, so that a signal reaches the lab even if cargo started it.
  const child = spawn(command, args, { cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(`ended with ${signal ?? code}`));
    child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
  });
  try {
    return { ...(await addresses(child, ended, options.includes("--tls"))), stop: () => stop(child, ended) };
  } catch (error) {
    await stop(child, ended);
    throw error;
  }
}

function addresses(child, ended, withTls) {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("the lab has not printed its address in time")), START_LIMIT_MS);
    ended.then((how) => reject(new Error(`the lab ${how} before it printed its address`))).finally(() => clearTimeout(limit));
    // Read the output to its end, even after the line was found. Otherwise the lab would block when the pipe is full.
    let url, host, found;
    createInterface({ input: child.stdout }).on("line", (line) => {
      url ??= /Open (http:\/\/127\.0\.0\.1:\d+\/)/.exec(line)?.[1];
      found ??= /--account (\S+) --domain-api (\S+)/.exec(line);
      host ??= /over TLS: https:\/\/([^/]+:\d+)\./.exec(line)?.[1];
      const authority = /NODE_EXTRA_CA_CERTS=(\S+)/.exec(line)?.[1];
      if (!url || !found || (withTls && !(host && authority))) return;
      clearTimeout(limit);
      resolve({ url, account: found[1], domainApi: found[2], ...(withTls && { tls: { host, authority } }) });
    });
  });
}

async function stop(child, ended) {
  if (child.pid === undefined) return;
  signalGroup(child, "SIGINT");
  const limit = setTimeout(() => signalGroup(child, "SIGKILL"), STOP_LIMIT_MS);
  await ended;
  clearTimeout(limit);
}

function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
