"use strict";

// An element with data-refresh is a part of its page that is loaded again every so many seconds,
// from data-source. data-refresh-toggle names a button that stops and resumes it.
const PARTIAL = {"X-Partial": "1"};

async function refresh(part) {
  try {
    const response = await fetch(part.dataset.source, {headers: PARTIAL, redirect: "error"});
    if (response.status === 401) {
      location.reload();
    } else if (response.ok) {
      const text = await response.text();
      const fresh = new DOMParser().parseFromString(text, "text/html");
      part.replaceChildren(...fresh.body.childNodes);
    }
    part.classList.toggle("stale", !response.ok);
  } catch {
    part.classList.add("stale");
  }
}

function keepFresh(part) {
  const toggle = document.getElementById(part.dataset.refreshToggle);
  let isPaused = false;
  const isIdle = () => isPaused || document.hidden || part.contains(document.activeElement);
  setInterval(() => isIdle() || refresh(part), Number(part.dataset.refresh) * 1000);
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    isPaused = !isPaused;
    toggle.setAttribute("aria-pressed", String(isPaused));
  });
}

// A button with data-copy copies the text of the element that it names.
function copyFrom(button) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

// A control with data-submit sends its form as soon as it is changed.
function submitOnChange(control) {
  control.addEventListener("change", () => control.form.requestSubmit());
}

document.querySelectorAll("[data-refresh]").forEach(keepFresh);
document.querySelectorAll("[data-copy]").forEach(copyFrom);
document.querySelectorAll("[data-submit]").forEach(submitOnChange);
