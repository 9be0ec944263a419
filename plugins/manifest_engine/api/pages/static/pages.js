// What the pages need besides htmx. Without it they still show everything.
(() => {
  const framed = parent !== window;
  const $ = (selector) => document.querySelector(selector);

  // The title of the browser's tab says the state, also in Airflow's frame.
  const title = () => {
    const found = $("[data-title]");
    if (found) document.title = found.dataset.title;
    try {
      if (framed) parent.document.title = document.title;
    } catch { /* a frame of another site */ }
  };

  // Airflow's frame allows no new tab and no change of the page around it, so that page does both.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-leave]");
    if (!link || !framed || event.defaultPrevented) return;
    event.preventDefault();
    const made = parent.document.createElement("a");
    made.href = link.href;
    made.target = link.dataset.leave === "self" ? "_self" : "_blank";
    made.rel = "noopener";
    parent.document.body.append(made);
    made.click();
    made.remove();
  });

  // The frame allows no confirm() either.
  const ask = (question) =>
    new Promise((resolve) => {
      const dialog = $("#ask");
      $("#ask-text").textContent = question;
      dialog.returnValue = "no";
      dialog.showModal();
      dialog.onclose = () => resolve(dialog.returnValue === "yes");
    });
  document.addEventListener("htmx:confirm", async (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    if (await ask(event.detail.question)) event.detail.issueRequest(true);
  });

  const tell = (text) => {
    const place = $("#told");
    place.textContent = text;
    clearTimeout(tell.timer);
    tell.timer = setTimeout(() => (place.textContent = ""), 12000);
  };

  // An error of the API is a problem document; its detail is the sentence.
  document.addEventListener("htmx:responseError", (event) => {
    const answer = event.detail.xhr;
    if (answer.status === 401) return location.reload();
    let text = `The server answered ${answer.status}.`;
    try {
      text = JSON.parse(answer.responseText).detail || text;
    } catch {
      text = new DOMParser().parseFromString(answer.responseText, "text/html").body.textContent.trim() || text;
    }
    tell(text.slice(0, 600));
  });
  document.addEventListener("htmx:sendError", () => ($("#lost").hidden = false));
  document.addEventListener("htmx:afterOnLoad", () => ($("#lost").hidden = true));

  const post = async (button) => {
    const answer = await fetch(button.dataset.post, {
      method: button.dataset.method || "POST",
      headers: { "Content-Type": "application/json" },
      body: button.dataset.body,
    });
    if (answer.status === 401) return location.reload();
    const made = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const more = (made.errors || []).map((item) => item.detail);
      return tell([made.detail || `The server answered ${answer.status}.`, ...more].join("\n"));
    }
    const id = encodeURIComponent(made.id);
    const root = document.body.dataset.root;
    if (button.dataset.then === "follow") return location.assign(`${root}/deployments/${id}`);
    return htmx.ajax("GET", `${root}/previews/${id}`, { target: "#preview", swap: "outerHTML" });
  };

  // A button that posts JSON to the API, and then follows the run or shows what it would change.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-post]");
    if (!button) return;
    if (button.dataset.ask && !(await ask(button.dataset.ask))) return;
    button.disabled = true;
    try {
      await post(button);
    } catch {
      tell("No answer from the server; try again.");
    }
    button.disabled = false;
  });

  // The form of a manifest: rows of maps, problems beside their fields, and a dropped file.
  document.addEventListener("click", (event) => {
    const add = event.target.closest("[data-add-row]");
    const remove = event.target.closest("[data-remove-row]");
    if (add) {
      add.before(add.parentElement.querySelector("template").content.cloneNode(true));
      add.previousElementSibling.querySelector("input").focus();
    }
    if (remove) {
      const form = remove.form;
      remove.closest(".row").remove();
      form.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
  document.addEventListener("input", (event) => {
    if (!event.target.closest("#manifest")) return;
    document.querySelectorAll("#check button").forEach((button) => (button.disabled = true));
    $("#preview").replaceChildren();
    checks.outdated = true;
  });
  // An answer about the form as it was before the last change would offer the wrong manifest.
  const checks = { outdated: false };
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.id === "manifest") checks.outdated = false;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "check" && checks.outdated) event.detail.shouldSwap = false;
  });
  const mark = () => {
    const list = document.querySelectorAll("#check [data-pointer]");
    const found = new Map([...list].map((item) => [item.dataset.pointer.slice(1).replaceAll("/", "."), item.textContent]));
    document.querySelectorAll("[data-problem]").forEach((place) => {
      const key = [...found.keys()].find((key) => key === place.dataset.problem || key.startsWith(`${place.dataset.problem}.`));
      place.hidden = key === undefined;
      place.textContent = key === undefined ? "" : found.get(key);
      const input = document.getElementById(`f-${place.dataset.problem}`);
      if (input) input.setAttribute("aria-invalid", String(key !== undefined));
      if (key !== undefined) place.closest("details.section")?.setAttribute("open", "");
    });
  };
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.elt.id === "check") mark();
    if (event.detail.elt.id === "preview") event.detail.elt.scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("dragover", (event) => event.target.closest?.("#deploy") && event.preventDefault());
  document.addEventListener("drop", async (event) => {
    const form = event.target.closest?.("#deploy") && $("[data-drop]");
    const file = event.dataTransfer.files[0];
    if (!form || !file) return;
    event.preventDefault();
    form.elements.manifest.value = await file.text();
    form.requestSubmit();
  });

  // Keep a log at its end, unless the reader has scrolled up.
  const logs = { following: true };
  const tail = () => {
    const log = $("[data-tail]");
    if (!log) return;
    if (logs.following) log.scrollTop = log.scrollHeight;
    else log.scrollTop = logs.at;
    log.addEventListener("scroll", () => {
      logs.at = log.scrollTop;
      logs.following = log.scrollTop + log.clientHeight > log.scrollHeight - 20;
    });
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    navigator.clipboard.writeText(location.href).then(
      () => tell("The link is copied."),
      () => tell(location.href),
    );
  });

  document.addEventListener("htmx:afterSettle", () => {
    title();
    tail();
  });
  document.addEventListener("DOMContentLoaded", () => {
    title();
    tail();
  });
})();
