"use strict";
const root = document.documentElement;
if (["#dark", "#light"].includes(location.hash)) root.dataset.theme = location.hash.slice(1);
document.getElementById("theme").onclick = () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
};
