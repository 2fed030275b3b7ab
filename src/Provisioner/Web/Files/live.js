// The live connection of the pages. When the service restarts, what a page held there is gone: the page is then shown anew, by itself.
"use strict";

(() => {
  const banner = document.createElement("p");
  banner.className = "offline";
  banner.setAttribute("role", "status");
  banner.hidden = true;
  document.body.append(banner);
  const tell = text => {
    banner.textContent = text;
    banner.hidden = !text;
  };

  const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));

  // Asks until the service answers: only then is a page worth loading.
  const answers = async () => {
    try {
      return (await fetch("/healthz", { cache: "no-store" })).ok;
    } catch {
      return false;
    }
  };

  const reconnect = async () => {
    tell("The appliance does not answer. What you see is as it was; it goes on by itself.");
    for (let tries = 0; ; tries++) {
      await wait(Math.min(500 * (tries + 1), 5000));
      if (!await answers())
        continue;
      try {
        if (await Blazor.reconnect()) {
          tell("");
          return;
        }
      } catch {
        // It answered, and was not ready after all.
        continue;
      }
      location.reload();
      return;
    }
  };

  Blazor.start({
    circuit: {
      reconnectionHandler: {
        onConnectionDown: () => { reconnect(); },
        onConnectionUp: () => tell(""),
      },
    },
  });
  // Called by the first page that is connected and drawn: from then on what is clicked is heard.
  window.provisionerLive = () => { document.documentElement.dataset.live = "yes"; };
})();
