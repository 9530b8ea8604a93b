// Clicks, links and the theme.

document.addEventListener("click", (event) => {
  const { target } = event;
  const mark = target.closest(".strip use");
  if (mark) followMark(mark);
  else if (target.matches(".jump")) jump(target);
  else if (target.matches(".only-rule")) only(byRule, target.dataset.rule);
  else if (target.matches("button.who")) only(byTerminal, target.dataset.terminal);
});

function follow() {
  // links only lead to our own ids, which need no decoding
  const target = document.getElementById(location.hash.slice(1));
  if (!target) return;
  if (target.matches("details.exchange")) open(target);
  else if (target.matches("details")) target.open = true;
}
addEventListener("hashchange", follow);
follow();

const theme = one("#theme");
const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
const sayTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
theme.hidden = false;
theme.setAttribute("aria-label", "Change between light and dark");
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  sayTheme();
});
dark.addEventListener("change", sayTheme);
sayTheme();
