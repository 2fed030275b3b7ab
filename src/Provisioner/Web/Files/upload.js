// Sends a file to the API as it lies on the disk, by the browser's own session. How far it is, the page is told by the service.
"use strict";

let running = null;

const stay = event => event.preventDefault();

// Status 0: no answer came, or it was cancelled.
export const upload = async (id, address, type) => {
  const file = document.getElementById(id)?.files[0];
  if (!file)
    return { status: 0, detail: "No file is chosen." };
  const mine = running = new AbortController();
  addEventListener("beforeunload", stay);
  try {
    const session = await (await fetch("/api/v1/session", { signal: mine.signal })).json();
    const answer = await fetch(address, {
      method: "POST", credentials: "same-origin", body: file, signal: mine.signal,
      headers: { "Content-Type": type, "X-CSRF-Token": session.csrfToken ?? "" },
    });
    if (answer.ok) {
      // The answer names every file of the image: the page asks the service for what it shows.
      await answer.body?.cancel();
      return { status: answer.status, detail: "" };
    }
    const problem = await answer.json().catch(() => ({}));
    const errors = (problem.errors ?? []).map(e => e.message + (e.expected ? ". Expected: " + e.expected : "")).join("\n");
    return { status: answer.status, detail: (errors || problem.detail || `The appliance answered ${answer.status}.`).slice(0, 4000) };
  } catch (error) {
    return { status: 0, detail: mine.signal.aborted ? "" : String(error.message).slice(0, 400) };
  } finally {
    removeEventListener("beforeunload", stay);
    if (running === mine)
      running = null;
  }
};

export const cancel = () => running?.abort();
