// Airflow's theme, before anything is painted: of the page around this frame, else of Airflow's setting.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const around = (() => {
    try {
      return parent !== window ? parent.document.documentElement : null;
    } catch {
      return null;
    }
  })();
  const apply = () => {
    const set = around ? (around.classList.contains("dark") ? "dark" : "light") : localStorage.getItem("theme");
    root.dataset.theme = set === "dark" || set === "light" ? set : dark.matches ? "dark" : "light";
  };
  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  if (around) new MutationObserver(apply).observe(around, { attributeFilter: ["class"] });
})();
