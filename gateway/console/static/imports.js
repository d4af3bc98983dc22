"use strict";

// The form that sends a file as the body of a request, and the page of an import that runs.

const TRIES = 4;

function sendFile(form, tried = 1) {
  const file = form.elements.file.files[0];
  const error = document.getElementById("upload-error");
  const button = form.querySelector("button");
  const progress = document.getElementById("upload-progress");
  const fail = (text) => {
    error.textContent = text;
    error.hidden = !text;
    progress.hidden = true;
    button.disabled = false;
  };
  fail("");
  if (!file || !file.size) {
    fail("Choose a file that is not empty.");
    return;
  }
  if (file.size > Number(form.dataset.maxBytes)) {
    fail("This file is too large.");
    return;
  }
  button.disabled = true;
  progress.hidden = false;
  const request = new XMLHttpRequest();
  request.open("POST", form.dataset.action + "&name=" + encodeURIComponent(file.name));
  request.setRequestHeader("Content-Type", "application/x-ndjson");
  request.setRequestHeader("X-CSRF-Token", form.dataset.token);
  request.setRequestHeader("X-Partial", "1");
  request.upload.onprogress = (event) => {
    document.getElementById("sent").value = event.loaded / event.total;
  };
  request.onerror = () => fail("The connection broke. Are you still logged in? Load the page again.");
  request.onload = () => {
    if (request.status === 201) {
      location.assign(request.getResponseHeader("Location"));
    } else if (request.status === 401 || request.status === 403) {
      fail("Your session has ended. Load the page again and log in.");
    } else if (request.status === 503 && tried < TRIES) {
      setTimeout(sendFile, 1000 * tried, form, tried + 1);
    } else if (request.status === 503) {
      fail("Too many files come at the moment, or there is no room for this one. Try again later.");
    } else {
      const isText = request.getResponseHeader("Content-Type").startsWith("text/plain");
      fail(isText ? request.responseText : "The file was not taken (" + request.status + ").");
    }
  };
  request.send(file);
}

async function follow(job) {
  if (!job.querySelector('[data-state="running"]')) {
    return;
  }
  try {
    const response = await fetch(job.dataset.source, {headers: {"X-Partial": "1"}, redirect: "error"});
    if (response.status === 401) {
      location.reload();
      return;
    }
    if (response.ok) {
      const text = await response.text();
      job.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    }
  } catch {
    // The service may be restarting; the next try tells.
  }
  setTimeout(follow, 1000, job);
}

const upload = document.getElementById("upload");
if (upload) {
  upload.addEventListener("submit", (event) => {
    event.preventDefault();
    sendFile(upload);
  });
}
const job = document.getElementById("job");
if (job) {
  setTimeout(follow, 300, job);
}
