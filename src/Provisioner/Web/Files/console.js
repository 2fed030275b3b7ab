// Signing in, setting up and signing out: plain forms, sent to the API. No connection is kept for whoever is not signed in.
"use strict";

(() => {
  const send = async (method, path, body, headers) => {
    const answer = await fetch("/api/v1/" + path, {
      method, credentials: "same-origin",
      headers: { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    const json = text.startsWith("{") ? JSON.parse(text) : {};
    if (!answer.ok)
      throw new Error(json.errors?.length ? json.errors.map(e => e.message + (e.expected ? ". Expected: " + e.expected : "")).join(". ") : json.detail || `The appliance answered ${answer.status}.`);
    return json;
  };

  // Only to a page of ours: an address with a host of its own would lead elsewhere.
  const next = () => {
    const from = new URL(new URLSearchParams(location.search).get("from") || "/", location.origin);
    return from.origin === location.origin ? from.pathname + from.search : "/";
  };

  const actions = {};
  const handle = (id, action) => { actions[id] = action; };

  // At the document: a page can come in without this script being run anew.
  document.addEventListener("submit", async event => {
    const form = event.target;
    const action = actions[form.id];
    if (!action)
      return;
    event.preventDefault();
    const [problem, button] = [form.querySelector(".problem"), form.querySelector("button")];
    problem.hidden = true;
    button.disabled = true;
    try {
      location.replace(await action(new FormData(form)));
    } catch (error) {
      problem.textContent = error instanceof TypeError ? "The appliance cannot be reached." : error.message;
      problem.hidden = false;
      button.disabled = false;
      form.querySelector("[type=password]")?.select();
    }
  });

  handle("sign-in", async form => {
    await send("POST", "session", { name: form.get("name"), password: form.get("password") });
    return next();
  });
  handle("set-up", async form => {
    if (form.get("password") !== form.get("again"))
      throw new Error("The two passwords are not the same.");
    await send("POST", "setup", { token: location.hash.slice(1), name: form.get("name"), password: form.get("password") });
    return "/";
  });
  handle("sign-out", async () => {
    const session = await send("GET", "session");
    if (session.signedIn)
      await send("DELETE", "session", undefined, { "X-CSRF-Token": session.csrfToken });
    return "/sign-in";
  });
})();
