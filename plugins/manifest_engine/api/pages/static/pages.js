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
  document.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    const dialog = $("#ask");
    $("#ask-text").textContent = event.detail.question;
    dialog.returnValue = "no";
    dialog.showModal();
    dialog.onclose = () => dialog.returnValue === "yes" && event.detail.issueRequest(true);
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
