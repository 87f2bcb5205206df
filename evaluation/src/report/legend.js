const boxes = [...document.querySelectorAll(".legend input")];
const show = (box) => {
  for (const mark of document.querySelectorAll(`svg .s${box.value}`)) mark.classList.toggle("off", !box.checked);
};
const choose = (wanted) => boxes.forEach((box) => { box.checked = wanted(box); show(box); });
boxes.forEach((box) => box.addEventListener("change", () => show(box)));
document.getElementById("all").onclick = () => choose(() => true);
document.getElementById("none").onclick = () => choose(() => false);
document.getElementById("strongest").onclick = () => choose((box) => box.defaultChecked);
boxes.forEach(show);
