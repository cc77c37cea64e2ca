// Niceties only: every page works without this file.
(() => {
  "use strict";

  // A form that was sent is not sent twice by an impatient hand. (It would act once in any case.)
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    const button = event.submitter || form.querySelector("button");
    if (button) button.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    for (const busy of document.querySelectorAll("button[aria-busy]")) busy.removeAttribute("aria-busy");
  });

  // Times stay true while a page is open.
  const units = [[60, "s"], [3600, "min", 60], [86400, "h", 3600], [5184000, "days", 86400]];
  const told = (seconds) => {
    const future = seconds < 0, n = Math.abs(seconds);
    if (!future && n < 60) return "just now";
    const unit = units.find(([below]) => n < below);
    if (!unit) return null;
    const count = Math.max(1, Math.floor(n / (unit[2] || 1)));
    const text = count + " " + (unit[1] === "days" && count === 1 ? "day" : unit[1]);
    return future ? "in " + text : text + " ago";
  };
  const times = () => {
    for (const time of document.querySelectorAll("time[data-live]")) {
      const text = told((Date.now() - Date.parse(time.dateTime)) / 1000);
      if (text && time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(times, 15000);

  // Undo counts down, and says when it is over.
  const countdowns = () => {
    for (const form of document.querySelectorAll("form[data-until]")) {
      const left = Math.ceil((Number(form.dataset.until) - Date.now()) / 1000);
      const shown = form.querySelector("[data-countdown]");
      if (left > 0) { if (shown) shown.textContent = " (" + left + " s)"; continue; }
      const over = document.createElement("span");
      over.className = "dim";
      over.textContent = "The time to undo is over.";
      form.replaceWith(over);
    }
  };
  if (document.querySelector("form[data-until]")) { countdowns(); setInterval(countdowns, 500); }

  // What somebody has opened stays open when its part of the page is fetched anew.
  let opened = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    opened = [...event.target.querySelectorAll("details[open][id]")].map((details) => details.id);
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const id of opened) { const details = document.getElementById(id); if (details) details.open = true; }
    times();
  });
  // Nor is what somebody is about to do there taken out of their hands: an order that moved on meanwhile refuses it.
  const touched = (control) => {
    if (control === document.activeElement) return true;
    if (control.options) {
      const chosen = [...control.options].findIndex((option) => option.defaultSelected);
      return control.selectedIndex !== Math.max(chosen, 0);
    }
    if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
    return control.defaultValue !== undefined && control.value !== control.defaultValue;
  };
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (event.target.id !== "standing") return;
    if ([...event.target.querySelectorAll("button, input, select, textarea")].some(touched)) event.detail.shouldSwap = false;
  });
  // Something to copy: without this file it is text that one marks.
  const copies = () => { for (const button of document.querySelectorAll("[data-copy][hidden]")) button.hidden = false; };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest && event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      const said = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = said; }, 1500);
    } catch { button.textContent = "Mark it and copy"; }
  });
  if (navigator.clipboard) { copies(); document.addEventListener("htmx:afterSwap", copies); }

  // Choosing many.
  for (const form of document.querySelectorAll("form[data-many]")) {
    const all = form.querySelector("[data-all]"), shown = form.querySelector("[data-chosen]");
    const boxes = [...form.querySelectorAll("tbody input[type=checkbox]")];
    const tell = () => {
      const n = boxes.filter((box) => box.checked).length;
      if (shown) shown.textContent = n ? n + " chosen" : "";
      if (all) { all.checked = n > 0 && n === boxes.length; all.indeterminate = n > 0 && n < boxes.length; }
    };
    if (all) all.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; tell(); });
    form.addEventListener("change", tell);
    tell();
  }

  // Cards of the board are dragged; the card's own form does the move.
  let card = null;
  const column = (event) => event.target.closest && event.target.closest("[data-stage]");
  document.addEventListener("dragstart", (event) => {
    card = event.target.closest ? event.target.closest("[data-card]") : null;
    if (!card) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", card.dataset.card);
    card.classList.add("dragged");
  });
  document.addEventListener("dragover", (event) => {
    const over = column(event);
    if (!card || !over) return;
    event.preventDefault();
    for (const other of document.querySelectorAll(".over")) if (other !== over) other.classList.remove("over");
    over.classList.add("over");
  });
  document.addEventListener("drop", (event) => {
    const over = column(event);
    if (!card || !over) return;
    event.preventDefault();
    const form = card.querySelector("form"), select = form && form.querySelector("select");
    if (form && over !== card.closest("[data-stage]")) {
      select.value = over.dataset.stage;
      if (select.value === over.dataset.stage) form.requestSubmit();
    }
  });
  document.addEventListener("dragend", () => {
    if (card) card.classList.remove("dragged");
    for (const over of document.querySelectorAll(".over")) over.classList.remove("over");
    card = null;
  });

  // Rows of a form are put in order by dragging or by their arrows; without scripts the server answers the arrows.
  for (const list of document.querySelectorAll("[data-sort]")) {
    let row = null;
    const rows = () => [...list.querySelectorAll("[data-row]")];
    const sorted = () => {
      const all = rows();
      all.forEach((each, n) => {
        each.querySelector("[data-up]").disabled = n === 0;
        each.querySelector("[data-down]").disabled = n === all.length - 1;
      });
      list.dispatchEvent(new Event("change", { bubbles: true }));
    };
    list.addEventListener("click", (event) => {
      const button = event.target.closest("[data-up], [data-down]");
      if (!button) return;
      event.preventDefault();
      const own = button.closest("[data-row]"), up = button.hasAttribute("data-up");
      if (up) own.previousElementSibling.before(own); else own.nextElementSibling.after(own);
      sorted();
      (button.disabled ? own.querySelector("[data-up]:enabled, [data-down]:enabled") : button).focus();
    });
    if (list.closest("fieldset:disabled")) continue;
    for (const handle of list.querySelectorAll("[data-handle]")) { handle.hidden = false; handle.draggable = true; }
    list.addEventListener("dragstart", (event) => {
      if (!event.target.closest("[data-handle]")) return;
      row = event.target.closest("[data-row]");
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", "");
      event.dataTransfer.setDragImage(row, 12, 12);
      row.classList.add("dragged");
    });
    list.addEventListener("dragover", (event) => {
      const over = row && event.target.closest("[data-row]");
      if (!over) return;
      event.preventDefault();
      const box = over.getBoundingClientRect();
      if (over !== row) over[event.clientY > box.top + box.height / 2 ? "after" : "before"](row);
    });
    list.addEventListener("drop", (event) => { if (row) event.preventDefault(); });
    list.addEventListener("dragend", () => { if (row) { row.classList.remove("dragged"); row = null; sorted(); } });
  }

  // The shop's logo is read here and sent as text; it and the colour are shown before they are saved.
  const brand = document.querySelector("form[data-brand]");
  if (brand) {
    const file = brand.querySelector("input[type=file]"), text = brand.querySelector("[name=logo]");
    const pick = brand.querySelector("input[type=color]"), color = brand.querySelector("[name=color]");
    const said = brand.querySelector("[data-said]"), shop = document.querySelector("[data-logo]");
    for (const part of brand.querySelectorAll("[data-scripted]")) part.hidden = false;
    file.addEventListener("change", () => {
      const picture = file.files[0], most = Number(file.dataset.most);
      const fits = picture && picture.size <= most;
      said.textContent = picture && !fits ? "This one has " + Math.ceil(picture.size / 1024) + " KB. " : "";
      if (!fits) { file.value = ""; return; }
      const reader = new FileReader();
      reader.addEventListener("load", () => {
        const shown = new Image();
        shown.alt = shop.dataset.logo;
        shown.src = text.value = reader.result;
        shop.replaceChildren(shown);
      });
      reader.readAsDataURL(picture);
    });
    const paint = (value) => {
      for (const part of document.querySelectorAll("[data-color]")) part.setAttribute("fill", value);
    };
    pick.addEventListener("input", () => { color.value = pick.value; paint(pick.value); });
    color.addEventListener("input", () => {
      const value = color.value.trim().toLowerCase();
      if (/^#[0-9a-f]{6}$/.test(value)) { pick.value = value; paint(value); }
    });
  }

  // What was entered is not lost by leaving the page.
  for (const form of document.querySelectorAll("form[data-guard]")) {
    let changed = form.dataset.guard === "changed";
    const tell = (event) => {
      // What only looks at it changes nothing.
      if (event.target.closest("[data-looks]")) return;
      changed = true;
      for (const note of form.querySelectorAll("[data-unsaved]")) note.hidden = false;
    };
    form.addEventListener("input", tell);
    form.addEventListener("change", tell);
    form.addEventListener("submit", () => { changed = false; });
    window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
  }
})();
